"""The one way in which an outcome is kept and told, whoever says it: a person, or the provider itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from services.outreach.contacts.domain.judging import OTHERS
from services.outreach.contacts.domain.rows import Contact
from services.outreach.matters.domain import Deadlines, MatterKind
from services.outreach.matters.handlers import raised
from services.outreach.outcomes.domain import POINTS, BadPoint, OptOut, Outcome, Refusal, Result, Said, misfit_of
from services.outreach.plans.domain.rows import DebtorPlans
from services.outreach.plans.handlers.standing import profile_version
from services.outreach.plans.handlers.telling import Decision, told
from services.outreach.promises.domain import Terms
from services.outreach.promises.handlers import made
from shared.contracts import outreach, segmentation
from shared.contracts.envelope import Moment
from shared.frozen import replace
from shared.service import Rejected


@dataclass(frozen=True, slots=True)
class Practice:
    """What the house goes by, by jurisdiction: the terms of promises, and until when matters are to be seen to."""

    terms: Mapping[str, Terms]
    deadlines: Mapping[str, Deadlines]


MATTERS: Mapping[Result, MatterKind] = {
    Result.DISPUTED: MatterKind.DISPUTE,
    Result.COMPLAINED: MatterKind.COMPLAINT,
    Result.HARDSHIP_CLAIMED: MatterKind.HARDSHIP,
}


def recorded(practice: Practice, state: DebtorPlans, contact: Contact, said: Said, by: str, now: Moment) -> Decision:
    """Keep what came of a contact, and do what follows from it. Said again it changes nothing.

    Raises Rejected for another outcome than the one that is kept, and for what does not go together.
    """
    known = state.outcomes.get(contact.contact_id)
    if known is not None:
        if known.said != said:
            raise Rejected("another outcome of this contact is on record", field="contact_id")
        return state, ()
    misfit = misfit_of(said, now.instant)
    if misfit is not None:
        raise Rejected(misfit[1], field=misfit[0])
    outcome = Outcome(contact.contact_id, contact.channel, said, now.instant, by, settled=said.call_back_at is None)
    state = replace(state, outcomes={**state.outcomes, contact.contact_id: outcome})
    fact = told(state, _told(contact, outcome))
    state, facts = _followed(practice, state, contact, outcome, now)
    return state, (fact, *facts)


def _told(contact: Contact, outcome: Outcome) -> outreach.OutcomeRecorded:
    said = outcome.said
    return outreach.OutcomeRecorded(
        contact_id=outcome.contact_id,
        channel=segmentation.Channel(outcome.channel),
        result=outreach.OutcomeResult(said.result),
        reason_code=outreach.DelinquencyCause(said.reason_code),
        ability=outreach.Ability(said.ability),
        willingness=outreach.Willingness(said.willingness),
        recorded_by=outcome.recorded_by,
        party=contact.party,
    )


def _followed(practice: Practice, state: DebtorPlans, contact: Contact, outcome: Outcome, now: Moment) -> Decision:
    said, by = outcome.said, outcome.recorded_by
    kind = MATTERS.get(said.result)
    if kind is not None:
        return raised(
            practice.deadlines, state, kind, now,
            cause=outcome.contact_id, by=by, contact_id=outcome.contact_id, loan_id=said.loan_id,
        )  # fmt: skip
    if said.promise is not None:
        return made(practice.terms, state, outcome.contact_id, said.promise, by, now)
    close = (_CLOSINGS_BY_OTHERS if contact.party in OTHERS else _CLOSINGS).get(said.result)
    return (state if close is None else close(state, contact, outcome, now)), ()


def _opted_out(state: DebtorPlans, _contact: Contact, outcome: Outcome, now: Moment) -> DebtorPlans:
    since, by = (now.instant, now.business_date), (outcome.contact_id, outcome.recorded_by)
    new = {each: OptOut(each, *since, *by) for each in outcome.said.opts_out_of or (outcome.channel,)}
    return replace(state, opt_outs={**new, **state.opt_outs})


def _wrong(state: DebtorPlans, _contact: Contact, outcome: Outcome, _now: Moment) -> DebtorPlans:
    point = POINTS.get(outcome.channel, outcome.channel)
    bad = BadPoint(point, profile_version(state), outcome.recorded_at, outcome.contact_id)
    return replace(state, bad_points={**state.bad_points, point: bad})


def _refused(state: DebtorPlans, contact: Contact, outcome: Outcome, now: Moment) -> DebtorPlans:
    refusal = Refusal(
        contact_id=contact.contact_id,
        party=contact.party,
        channel=contact.channel,
        point=contact.point,
        since=now.instant,
        since_on=now.business_date,
        recorded_by=outcome.recorded_by,
    )
    return replace(state, refusals={**state.refusals, refusal.contact_id: refusal})


Closing: TypeAlias = Callable[[DebtorPlans, Contact, Outcome, Moment], DebtorPlans]

_CLOSINGS: Mapping[Result, Closing] = {
    Result.OPTED_OUT: _opted_out,
    Result.WRONG_NUMBER: _wrong,
}

_CLOSINGS_BY_OTHERS: Mapping[Result, Closing] = {
    Result.REFUSED: _refused,
    Result.OPTED_OUT: _refused,
}
"""What somebody who owes nothing closes: the way to themselves, and never a channel or a number of the debtor's."""
