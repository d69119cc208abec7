"""What people ask of permits: one for a contact that they make themselves, and to give one back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from services.outreach.compliance.domain.attempt import LENDER
from services.outreach.compliance.domain.words import Party
from services.outreach.contacts.domain import course
from services.outreach.contacts.domain.course import Wanted
from services.outreach.contacts.domain.judging import Rules
from services.outreach.contacts.domain.rows import Contact, ContactState, Denial
from services.outreach.contacts.points import counted_as
from services.outreach.outcomes.domain import asked_until
from services.outreach.permits.commands import AskPermit, GiveBack
from services.outreach.plans.domain.course import guard_of, obstacle
from services.outreach.plans.domain.rows import Channel, DebtorPlans
from services.outreach.plans.handlers.reserving import (
    denial_told,
    findings_of,
    judge_of,
    kept,
    not_made_told,
    reserved,
)
from services.outreach.plans.handlers.telling import Decision, told
from services.outreach.plans.handlers.working import unclaimed
from shared.contracts import outreach
from shared.contracts.core_banking import ContactOwner, ContactSource
from shared.contracts.envelope import Event, Moment, Told, derived_id
from shared.contracts.intake import SealedContact
from shared.profiles import NoSuchContactError, contact_of
from shared.service import Rejected

GIVEN_BACK = "given back unused"

_OWNERS: Mapping[Party, ContactOwner] = {
    Party.DEBTOR: ContactOwner.DEBTOR,
    Party.GUARANTOR: ContactOwner.GUARANTOR,
    Party.CO_DEBTOR: ContactOwner.GUARANTOR,
}
"""Whose contact point the bank must have said it to be; that of anybody else is a contact person's."""


def on_ask_permit(rules: Mapping[str, Rules], state: DebtorPlans, event: Event[AskPermit], now: Moment) -> Decision:
    """Judge a contact that a person wants to make now, and grant its permit or say why not. Raises Rejected."""
    return permit_for(rules, state, event.data, Asker(event.id, event.actor), now)


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks for a permit, by which command; for an agency its name, and what is known of it, as rules ask for it."""

    cause: str
    actor: str
    agency: str = LENDER
    known: Mapping[str, Any] = field(default_factory=dict)


def permit_for(rules: Mapping[str, Rules], state: DebtorPlans, asked: AskPermit, asker: Asker, now: Moment) -> Decision:
    """Judge a contact, and grant its permit to whoever asks or say why not. Raises Rejected."""
    contact_id = derived_id(asker.cause, "contact")
    judge = admitted(rules, state, asked.channel, now)
    point = _point(state, asked)
    wanted = Wanted(
        contact_id=contact_id,
        idempotency_key=course.own_key(state.debtor_id, contact_id),
        plan_number=0,
        step_number=0,
        channel=asked.channel.value,
        template="",
        asked_by=asker.actor,
        case_version=guard_of(state, "").case_version,
        purpose=asked.purpose.value,
        by_hand=True,
        party=asked.party.value,
        contact_point=asked.contact_point,
        point=counted_as(point),
        attributes={**_known_of(asked, point), **asker.known},
        by=asker.agency,
    )
    state, found = reserved(judge, state, wanted, now)
    return state, (denial_told(state, found) if isinstance(found, Denial) else grant_told(state, found),)


def admitted(rules: Mapping[str, Rules], state: DebtorPlans, channel: str, now: Moment) -> Rules:
    """The rules that people's contacts are judged by now. Raises Rejected where something stands above all rules."""
    reason = obstacle(state)
    if reason:
        raise Rejected(f"nobody is to be contacted: {reason}", field="debtor_id")
    if course.is_stale(now.heard, now.instant):
        raise Rejected("a payment may be under way: the bank has not been heard of late", field="debtor_id")
    later = asked_until(state.outcomes.values(), now.instant)
    if later is not None:
        raise Rejected(f"another time was asked for: {later.isoformat(timespec='seconds')}", field="debtor_id")
    judge = judge_of(rules, state, channel)
    if isinstance(judge, str):
        raise Rejected(judge, field="channel")
    return judge


def grant_told(state: DebtorPlans, granted: Contact) -> Told:
    """A person's permit, as it is told and then shown."""
    payload = outreach.PermitGranted(
        contact_id=granted.contact_id,
        plan_number=granted.plan_number,
        step_number=granted.step_number,
        channel=granted.channel,
        template=granted.template,
        purpose=granted.purpose,
        party=granted.party,
        contact_point=granted.contact_point,
        idempotency_key=granted.idempotency_key,
        asked_by=granted.asked_by,
        permitted_at=granted.permitted_at,
        expires_at=granted.expires_at,
        report_by=state.contact_due[granted.contact_id].due_at,
        pack=granted.pack,
        pack_version=granted.pack_version,
        rules=findings_of(granted.rules),
    )
    return told(state, payload)


def _known_of(asked: AskPermit, point: SealedContact | None) -> Mapping[str, Any]:
    """What rules may ask of this contact alone: where its number is from is the bank's word and never the caller's."""
    known: dict[str, Any] = {} if asked.crew is None else {"crew": asked.crew}
    if point is not None:
        known["given_by_debtor"] = point.source is ContactSource.DEBTOR
    if asked.crew is not None and asked.channel is not Channel.VISIT:
        raise Rejected("only a visit has a crew", field="crew")
    return {**known, "content": [each.value for each in asked.content]} if asked.content else known


def _point(state: DebtorPlans, asked: AskPermit) -> SealedContact | None:
    """The contact point that is asked for, None where none is named. Raises Rejected for another party's."""
    if not asked.contact_point:
        return None
    try:
        point = contact_of(state.profile, asked.contact_point)
    except NoSuchContactError as error:
        raise Rejected(str(error), field="contact_point") from None
    if point.owner is not _OWNERS.get(asked.party, ContactOwner.CONTACT):
        raise Rejected("this contact point is not that party's", field="party")
    return point


def on_give_back(state: DebtorPlans, event: Event[GiveBack], now: Moment) -> Decision:
    """End a permit that was not used, so that it counts no more; work under it waits again. Raises Rejected."""
    permit = state.contacts.get(event.data.contact_id)
    if permit is None or not permit.by_hand:
        raise Rejected("no such permit of a person", field="contact_id")
    return given_back(state, permit, event.actor, now)


def given_back(state: DebtorPlans, permit: Contact, actor: str, now: Moment) -> Decision:
    """Have a permit end as not made, on the word of who held it or of a supervisor. Raises Rejected."""
    if permit.state is not ContactState.SENDING:
        raise Rejected("this contact has ended already", field="contact_id")
    if actor != permit.asked_by and not actor.startswith("supervisor/"):
        raise Rejected("only whoever asked for a permit can give it back", field="contact_id")
    due = state.contact_due.get(permit.contact_id)
    if due is None or due.due_at <= now.instant:
        raise Rejected("too late: it counts as made", field="contact_id")
    gone = course.taken_back(permit, GIVEN_BACK, now.instant)
    state = unclaimed(kept(state, gone, now.instant), gone)
    return state, (not_made_told(state, gone),)
