"""What staff say of a contact."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta

from services.outreach.compliance.domain.words import Outcome as Ending
from services.outreach.contacts.domain.course import may_be_reported
from services.outreach.contacts.domain.rows import Contact, ContactState
from services.outreach.contacts.effects import Heard
from services.outreach.contacts.ports import Answer
from services.outreach.outcomes.commands import OpenChannel, PromiseSaid, RecordOutcome
from services.outreach.outcomes.domain import Result, Said, SaidPromise, WithdrawnOptOut
from services.outreach.outcomes.handlers.recording import Practice, recorded
from services.outreach.plans.domain.course import guard_of
from services.outreach.plans.domain.rows import Channel, DebtorPlans
from services.outreach.plans.handlers import contacting
from services.outreach.plans.handlers.telling import Decision, told
from shared.contracts import outreach
from shared.contracts.envelope import Event, Moment
from shared.frozen import replace
from shared.service import Rejected

BY_TALK = frozenset({Channel.PHONE, Channel.VISIT})
"""Channels whose contacts end as somebody answers; what is written is sent."""

ENDINGS: Mapping[Result, Ending] = {
    Result.NO_ANSWER: Ending.NO_ANSWER,
    Result.LEFT_MESSAGE: Ending.VOICEMAIL,
    Result.THIRD_PARTY_REACHED: Ending.CONNECTED,
    Result.WRONG_NUMBER: Ending.CONNECTED,
}
"""How the rules count a talk of each result; every other is a conversation."""


def on_record(practice: Practice, state: DebtorPlans, event: Event[RecordOutcome], now: Moment) -> Decision:
    """Keep what came of a contact. One that a person makes is ended by it; one that has yet to go out has no outcome.

    Raises Rejected for a contact that is unknown or was not made, and as `recorded` does.
    """
    contact = state.contacts.get(event.data.contact_id)
    if contact is None:
        raise Rejected("no such contact of this debtor", field="contact_id")
    said = _said(event.data)
    state, ending = _ended(state, contact, said, now)
    state, facts = recorded(practice, state, state.contacts[contact.contact_id], said, event.actor, now)
    return state, (*ending, *facts)


PROVIDER = "provider"
"""By whose word an outcome is kept that nobody of the staff has heard."""


def on_heard(practice: Practice, state: DebtorPlans, event: Event[Heard], now: Moment) -> Decision:
    """End a contact as its provider says, and keep what was said to it; a promise beyond the limits is none."""
    answer, before = event.data.answer, state.contacts.get(event.data.contact_id)
    state, ending = contacting.on_heard(state, event, now)
    if answer is None or before is None or before.state is not ContactState.SENDING:
        return state, ending
    contact = state.contacts[before.contact_id]
    if contact.state is not ContactState.MADE:
        return state, ending
    by = f"{PROVIDER}/{contact.channel}"
    try:
        state, facts = recorded(practice, state, contact, _answered(state, answer, now), by, now)
    except Rejected:
        state, facts = recorded(practice, state, contact, Said(Result.RIGHT_PARTY_REACHED), by, now)
    return state, (*ending, *facts)


def _answered(state: DebtorPlans, answer: Answer, now: Moment) -> Said:
    result, guard = Result(answer.result), guard_of(state, "")
    later = now.instant + timedelta(days=answer.days)
    if result is Result.ASKED_FOR_ANOTHER_TIME:
        return Said(result, call_back_at=later)
    if result is not Result.PROMISED:
        return Said(result)
    amount = max(1, guard.past_due * answer.percent // 100)
    return Said(result, promise=SaidPromise(amount, guard.currency, now.business_date + timedelta(days=answer.days)))


def on_open(state: DebtorPlans, event: Event[OpenChannel], now: Moment) -> Decision:
    """Reach the person by a channel again, and keep that they had not wanted it. Raises Rejected for an open one."""
    asked = event.data
    closed = state.opt_outs.get(asked.channel)
    if closed is None:
        raise Rejected("the person has not opted out of it", field="channel")
    ended = WithdrawnOptOut(
        **asdict(closed),
        withdrawn_at=now.instant,
        withdrawn_on=now.business_date,
        withdrawn_by=event.actor,
        said_by=asked.said_by,
        reason=asked.reason,
    )
    others = {channel: each for channel, each in state.opt_outs.items() if channel != closed.channel}
    state = replace(state, opt_outs=others, withdrawn_opt_outs=(*state.withdrawn_opt_outs, ended))
    return state, (told(state, _withdrawal(ended)),)


def _withdrawal(ended: WithdrawnOptOut) -> outreach.OptOutWithdrawn:
    return outreach.OptOutWithdrawn(
        channel=ended.channel,
        since=ended.since,
        since_on=ended.since_on,
        contact_id=ended.contact_id,
        withdrawn_on=ended.withdrawn_on,
        withdrawn_by=ended.withdrawn_by,
        said_by=outreach.SaidBy(ended.said_by),
        reason=ended.reason,
    )


def _ended(state: DebtorPlans, contact: Contact, said: Said, now: Moment) -> Decision:
    if contact.state is ContactState.MADE:
        return state, ()
    if may_be_reported(contact):
        return contacting.contact_ended_by_person(state, contact, _ending(contact, said), now)
    if contact.state is ContactState.SENDING:
        raise Rejected("the provider has yet to say what became of this contact", field="contact_id")
    raise Rejected("it is not known that anybody was reached by this contact", field="contact_id")


def _ending(contact: Contact, said: Said) -> Ending:
    return ENDINGS.get(said.result, Ending.CONVERSATION) if contact.channel in BY_TALK else Ending.SENT


def _said(by_staff: RecordOutcome) -> Said:
    return Said(
        result=Result(by_staff.result),
        reason_code=str(by_staff.reason_code),
        ability=str(by_staff.ability),
        willingness=str(by_staff.willingness),
        promise=None if by_staff.promise is None else _promise(by_staff.promise),
        call_back_at=by_staff.call_back_at,
        opts_out_of=tuple(sorted({str(each) for each in by_staff.opts_out_of})),
        loan_id=by_staff.loan_id or "",
    )


def _promise(said: PromiseSaid) -> SaidPromise:
    return SaidPromise(said.amount, said.currency, said.promised_on)
