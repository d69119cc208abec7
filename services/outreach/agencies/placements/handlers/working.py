"""What an agency does under a placement: it asks for permits as staff do, and says what came of them."""

from collections.abc import Mapping
from typing import Any

import msgspec

from services.outreach.agencies.placements.commands import AskAgencyPermit, GiveBackAgencyPermit, RecordAgencyOutcome
from services.outreach.agencies.placements.domain.placement import WORKED
from services.outreach.agencies.placements.handlers.keeping import in_state, placement_named
from services.outreach.agencies.placements.register import standing_of
from services.outreach.contacts.domain.judging import Rules
from services.outreach.contacts.domain.rows import Contact
from services.outreach.outcomes.handlers.recording import Practice
from services.outreach.outcomes.handlers.saying import on_record as record
from services.outreach.plans.domain.rows import DebtorPlans
from services.outreach.plans.handlers.permitting import Asker, given_back, permit_for
from services.outreach.plans.handlers.telling import Decision
from shared.contracts import outreach
from shared.contracts.envelope import Event, Moment
from shared.service import Rejected

NO_SUCH_CONTACT = "no such contact of this agency's"


def on_ask_permit(
    rules: Mapping[str, Rules], state: DebtorPlans, event: Event[AskAgencyPermit], now: Moment
) -> Decision:
    """Judge a contact of an agency that holds the case, and count it as any other.

    The rules say first what stands in the way; where they ask nothing of agencies, one that may not work is refused all
    the same. Raises Rejected.
    """
    held = in_state(placement_named(state, event.data.placement_id, event.actor), *sorted(WORKED))
    standing = standing_of(now, held.agency_id)
    known = {} if standing is None else standing.known(now.business_date)
    asker = Asker(event.id, event.actor, held.agency_id, known)
    decided = permit_for(rules, state, event.data.asked, asker, now)
    reason = "the agency is not on the register" if standing is None else standing.refusal(now.business_date)
    if reason and _is_granted(decided):
        raise Rejected(reason, field="placement_id")
    return decided


def _is_granted(decided: Decision) -> bool:
    return any(isinstance(each.data, outreach.PermitGranted) for each in decided[1])


def on_give_back(state: DebtorPlans, event: Event[GiveBackAgencyPermit], now: Moment) -> Decision:
    """End a permit that the agency has not used. Raises Rejected."""
    return given_back(state, own_contact(state, event.data.contact_id, event.actor), event.actor, now)


def on_record(practice: Practice, state: DebtorPlans, event: Event[RecordAgencyOutcome], now: Moment) -> Decision:
    """Keep what the agency says of a contact of its own, as if staff had said it. Raises Rejected."""
    own_contact(state, event.data.said.contact_id, event.actor)
    about: Event[Any] = event
    return record(practice, state, msgspec.structs.replace(about, data=event.data.said), now)


def own_contact(state: DebtorPlans, contact_id: str, actor: str) -> Contact:
    """A contact that the agency had the permit for. Raises Rejected: another's as one that does not exist."""
    found = state.contacts.get(contact_id)
    if found is None or found.asked_by != actor:
        raise Rejected(NO_SUCH_CONTACT, field="contact_id")
    return found
