"""What makes outreach stand still for a debtor, and what lets it go on."""

from collections.abc import Sequence
from typing import Any

from services.outreach.plans.commands import PlaceHold, ReleaseHold
from services.outreach.plans.domain.course import (
    StopReason,
    arranged,
    guard_of,
    held,
    released,
    stopped,
    without_visits,
)
from services.outreach.plans.domain.rows import DebtorPlans, Hold, HoldDue, HoldSource
from services.outreach.plans.handlers.revoking import revoked
from services.outreach.plans.handlers.telling import Decision, recalls_told, stop_told, told
from services.outreach.plans.store import quarantine_hold, verification_hold
from shared.contracts import intake, legal, outreach, quarantine
from shared.contracts.envelope import Event, Moment, Told, derived_id
from shared.frozen import replace
from shared.service import Rejected


def on_place_hold(state: DebtorPlans, event: Event[PlaceHold], now: Moment) -> Decision:
    """Place an operator's hold. Raises Rejected for a debtor who is not known, or an end that has passed."""
    if state.guard is None:
        raise Rejected("nothing is known of this debtor", field="debtor_id")
    if event.data.until is not None and event.data.until <= now.business_date:
        raise Rejected("the books have already reached this date", field="until")
    hold = Hold(
        hold_id=derived_id(event.id, 0),
        source=HoldSource.OPERATOR,
        reason=event.data.reason,
        placed_by=event.actor,
        placed_at=now.instant,
        placed_on=now.business_date,
        until=event.data.until,
    )
    return place_our_own(state, hold, now)


def on_release_hold(state: DebtorPlans, event: Event[ReleaseHold], now: Moment) -> Decision:
    """Lift a hold of our own. Raises Rejected for one that is unknown, lifted already, or another's to lift."""
    hold = state.holds.get(event.data.hold_id)
    if hold is None:
        raise Rejected("no such hold of this debtor", field="hold_id")
    if hold.released:
        raise Rejected("the hold was lifted already", field="hold_id")
    if hold.source in (HoldSource.LEGAL, HoldSource.QUARANTINE, HoldSource.VERIFICATION):
        raise Rejected(f"only {hold.placed_by} can lift this hold", field="hold_id")
    if hold.source is HoldSource.MATTER:
        raise Rejected("this hold ends with the matter that it is for", field="hold_id")
    return lift_our_own(state, hold, event.data.reason, event.actor, now)


def on_hold_due(state: DebtorPlans, event: Event[HoldDue], now: Moment) -> Decision:
    """End a hold whose time is over."""
    hold = state.holds.get(event.data.hold_id)
    if hold is None or hold.released:
        return state, ()
    return lift_our_own(state, hold, "its time is over", "outreach", now)


def on_legal_hold(state: DebtorPlans, event: Event[legal.HoldPlaced], now: Moment) -> Decision:
    """Stand still as legal asks."""
    hold = Hold(event.data.hold_id, HoldSource.LEGAL, event.data.reason, "legal", now.instant, now.business_date)
    return _held(_known(state, event), hold, StopReason.HOLD, now)


def on_legal_release(state: DebtorPlans, event: Event[legal.HoldReleased], now: Moment) -> Decision:
    """Go on as far as legal is concerned."""
    return _lifted(state, event.data.hold_id, event.data.reason, "legal", now)


def on_quarantine(state: DebtorPlans, event: Event[quarantine.DebtorQuarantined], now: Moment) -> Decision:
    """Stand still: a payment may be among what that service could not apply."""
    hold = Hold(
        hold_id=quarantine_hold(event.data),
        source=HoldSource.QUARANTINE,
        reason=f"an event could not be applied by {event.data.service}",
        placed_by=event.data.service,
        placed_at=now.instant,
        placed_on=now.business_date,
    )
    return _held(_known(state, event), hold, StopReason.QUARANTINE, now)


def on_quarantine_end(state: DebtorPlans, event: Event[quarantine.DebtorReleased], now: Moment) -> Decision:
    """Go on as far as that dead letter is concerned; others of the same debtor may still stand."""
    return _lifted(state, quarantine_hold(event.data), "the dead letter was resolved", event.data.service, now)


def on_verification(state: DebtorPlans, event: Event[intake.VerificationRequested], now: Moment) -> Decision:
    """Stand still where what the bank says is to be verified first."""
    if not event.data.holds:
        return state, ()
    return _to_verify(state, event, event.data.verification_id, now)


def on_verified(state: DebtorPlans, event: Event[intake.VerificationDecided], now: Moment) -> Decision:
    """Go on as far as that verification is concerned, or stand still for good where it was rejected."""
    if event.data.decision is intake.VerificationDecision.REJECTED:
        return _to_verify(state, event, event.data.verification_id, now)
    return _lifted(state, verification_hold(event.data.verification_id), event.data.reason, "intake", now)


def _to_verify(state: DebtorPlans, event: Event[Any], verification_id: str, now: Moment) -> Decision:
    """Place the hold of a verification, once."""
    hold_id = verification_hold(verification_id)
    known = state.holds.get(hold_id)
    if known is not None and not known.released:
        return state, ()
    hold = Hold(hold_id, HoldSource.VERIFICATION, "verification", "intake", now.instant, now.business_date)
    return _held(_known(state, event), hold, StopReason.HOLD, now)


def place_our_own(state: DebtorPlans, hold: Hold, now: Moment) -> Decision:
    """Place a hold that no other service has told of, tell of it, and stop what is queued."""
    payload = outreach.HoldPlaced(hold_id=hold.hold_id, reason=hold.reason, owner=hold.placed_by, until=hold.until)
    return _held(state, hold, StopReason.HOLD, now, (told(state, payload),))


def _known(state: DebtorPlans, event: Event[Any]) -> DebtorPlans:
    return state if state.guard is not None else replace(state, guard=guard_of(state, event.lender_id))


def _held(state: DebtorPlans, hold: Hold, reason: StopReason, now: Moment, facts: Sequence[Told] = ()) -> Decision:
    state, what = stopped(held(state, hold), reason, now.instant)
    state, taken = revoked(without_visits(state, now.business_date), reason, now)
    recalls = recalls_told(state, reason, now.instant)
    return arranged(state, now.instant), (*facts, *stop_told(state, what), *taken, *recalls)


def _lifted(state: DebtorPlans, hold_id: str, reason: str, by: str, now: Moment) -> Decision:
    """Lift another's hold; its owner has told of it, so nothing is told here."""
    hold = state.holds.get(hold_id)
    if hold is None or hold.released:
        return state, ()
    state = released(state, hold, reason, by, now.business_date, now.instant)
    return arranged(state, now.instant), ()


def lift_our_own(state: DebtorPlans, hold: Hold, reason: str, by: str, now: Moment) -> Decision:
    """Lift a hold that no other service can, and tell of it."""
    state = released(state, hold, reason, by, now.business_date, now.instant)
    lifted = outreach.HoldReleased(hold_id=hold.hold_id, reason=reason)
    return arranged(state, now.instant), (told(state, lifted),)
