"""How the lender takes a case back: asked for, objected to, withdrawn, or final."""

from services.outreach.agencies.placements.commands import AskRecall, ObjectToRecall, RecallPlacement, WithdrawRecall
from services.outreach.agencies.placements.domain import placement as rules
from services.outreach.agencies.placements.domain.placement import Change, PlacementEnd, PlacementState, Practice
from services.outreach.agencies.placements.handlers.keeping import changed, ended, in_state, kept, placement_named
from services.outreach.plans.domain.rows import DebtorPlans
from services.outreach.plans.handlers.telling import Decision, told
from shared.contracts import placements
from shared.contracts.envelope import Event, Moment
from shared.frozen import replace
from shared.service import Rejected


def on_ask_recall(practice: Practice, state: DebtorPlans, event: Event[AskRecall], now: Moment) -> Decision:
    """Ask for a case back; the agency works on until it is final, and may object. Raises Rejected."""
    held = in_state(placement_named(state, event.data.placement_id), PlacementState.ACCEPTED)
    days = (event.data.objections_until - now.business_date).days
    if not practice.least_objection_days <= days <= practice.most_objection_days:
        bounds = f"{practice.least_objection_days} to {practice.most_objection_days}"
        raise Rejected(f"an agency is heard for {bounds} days", field="objections_until")
    asked = rules.recall_asked(held, event.data.reason, event.actor, event.data.objections_until)
    state = kept(state, asked, changed(asked, Change.RECALL_ASKED, now, event.data.reason))
    payload = placements.PlacementRecallAsked(
        placement_id=asked.placement_id,
        agency_id=asked.agency_id,
        reason=event.data.reason,
        objections_until=event.data.objections_until,
    )
    return state, (told(state, payload),)


def on_object(state: DebtorPlans, event: Event[ObjectToRecall], now: Moment) -> Decision:
    """Hear why an agency should keep a case: the recall waits for a decision. Raises Rejected."""
    asked = in_state(placement_named(state, event.data.placement_id, event.actor), PlacementState.RECALL_ASKED)
    if asked.objections_until is not None and now.business_date > asked.objections_until:
        raise Rejected("the time for objections is over", field="placement_id")
    objected = replace(asked, state=PlacementState.OBJECTED, objection=event.data.reason)
    state = kept(state, objected, changed(objected, Change.RECALL_OBJECTED, now, event.data.reason))
    payload = placements.PlacementRecallObjected(
        placement_id=objected.placement_id, agency_id=objected.agency_id, reason=event.data.reason
    )
    return state, (told(state, payload),)


def on_withdraw_recall(state: DebtorPlans, event: Event[WithdrawRecall], now: Moment) -> Decision:
    """Leave a case with its agency after all. Raises Rejected."""
    asked = placement_named(state, event.data.placement_id)
    left = rules.kept(in_state(asked, PlacementState.RECALL_ASKED, PlacementState.OBJECTED))
    state = kept(state, left, changed(left, Change.RECALL_WITHDRAWN, now, event.data.reason))
    payload = placements.PlacementRecallWithdrawn(
        placement_id=left.placement_id, agency_id=left.agency_id, reason=event.data.reason
    )
    return state, (told(state, payload),)


def on_recall(state: DebtorPlans, event: Event[RecallPlacement], now: Moment) -> Decision:
    """Take a case back at once, asked for before or not: what an agency does wrong may not wait. Raises Rejected."""
    placement = placement_named(state, event.data.placement_id)
    return ended(state, placement, PlacementEnd.RECALLED, event.data.reason, now)
