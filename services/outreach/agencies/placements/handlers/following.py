"""What follows for a placement from the case, from time, and from money that came in or was taken back."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from services.outreach.agencies.placements.domain import placement as rules
from services.outreach.agencies.placements.domain.credit import PlacementPayment, credit_of
from services.outreach.agencies.placements.domain.placement import (
    Change,
    Placement,
    PlacementChange,
    PlacementDue,
    PlacementEnd,
    PlacementState,
    Practice,
)
from services.outreach.agencies.placements.handlers.keeping import changed, ended, kept, live_placement
from services.outreach.agencies.placements.handlers.offering import owed_of
from services.outreach.agencies.placements.register import standing_of
from services.outreach.plans.domain.course import guard_of
from services.outreach.plans.domain.rows import CaseStatus, DebtorPlans
from services.outreach.plans.handlers.telling import Decision, told
from shared.contracts import intake, placements
from shared.contracts.envelope import Event, Moment
from shared.frozen import replace

_ENDS: Mapping[CaseStatus, tuple[PlacementEnd, str]] = {
    CaseStatus.CURED: (PlacementEnd.PAID, "the case is cured"),
    CaseStatus.CLOSED: (PlacementEnd.CLOSED, "the case is closed"),
}


def on_case(state: DebtorPlans, event: Event[Any], now: Moment) -> Decision:  # noqa: ARG001  # the copy of it decides
    """End the placement of a case that has ended, and forget who had it; else take in what is owed now."""
    guard, placement = guard_of(state, ""), live_placement(state)
    how = _ENDS.get(guard.status) if guard.status is not None else None
    if how is None:
        return (state if placement is None else _updated(state, placement, now)), ()
    if state.tried_agencies:
        state = replace(state, tried_agencies={})
    return (state, ()) if placement is None else ended(state, placement, *how, now)


def _updated(state: DebtorPlans, placement: Placement, now: Moment) -> DebtorPlans:
    owed = owed_of(guard_of(state, ""))
    if owed == placement.owed:
        return state
    return kept(state, replace(placement, owed=owed), changed(placement, Change.UPDATED, now))


def on_due(state: DebtorPlans, event: Event[PlacementDue], now: Moment) -> Decision:
    """End a placement that time has ended: not answered, recalled without objection, or its days are over."""
    placement = live_placement(state)
    if placement is None or placement.placement_id != event.data.placement_id:
        return state, ()
    how = rules.end_by_time(placement, now.business_date, standing_of(now, placement.agency_id))
    if how is None:
        return replace(state, placement_due=rules.due_of(placement)), ()
    return ended(state, placement, *how, now)


# -- money -------------------------------------------------------------------------------------------------------------


def on_payment(practice: Practice, state: DebtorPlans, event: Event[intake.PaymentPosted], now: Moment) -> Decision:
    """Count a payment for the agency that holds the case, once, and then see what it has made of the case."""
    state, counted = _counted(practice, state, event.data, now)
    state, ends = on_case(state, event, now)
    return state, (*counted, *ends)


def _counted(practice: Practice, state: DebtorPlans, paid: intake.PaymentPosted, now: Moment) -> Decision:
    placement = rules.worked(state.placements.values())
    if placement is None or (paid.loan_id, paid.payment_id) in state.placement_payments:
        return state, ()
    booked_on = practice.day_of(guard_of(state, "").jurisdiction, paid.posted_at)
    if placement.counts_from is None or booked_on < placement.counts_from:
        return state, ()
    payment = _payment_of(placement, paid, booked_on)
    state = _credited(_without_old(state, now), payment, Change.PAID, now)
    payload = placements.PlacementPaid(
        placement_id=placement.placement_id,
        agency_id=placement.agency_id,
        payment_id=payment.payment_id,
        loan_id=payment.loan_id,
        amount=payment.amount,
        currency=payment.currency,
        posted_at=paid.posted_at,
        commission_ppm=payment.commission_ppm,
    )
    return state, (told(state, payload),)


def _without_old(state: DebtorPlans, now: Moment) -> DebtorPlans:
    """Load what was booked too long ago to be reported yet only where something names it."""
    oldest = now.business_date - rules.GRACE
    old = {
        key: replace(each, settled=True)
        for key, each in state.placement_payments.items()
        if not each.settled and each.posted_on is not None and each.posted_on < oldest
    }
    return replace(state, placement_payments={**state.placement_payments, **old}) if old else state


def _payment_of(placement: Placement, paid: intake.PaymentPosted, booked_on: date) -> PlacementPayment:
    return PlacementPayment(
        loan_id=paid.loan_id,
        payment_id=paid.payment_id,
        placement_id=placement.placement_id,
        agency_id=placement.agency_id,
        tier=placement.tier,
        amount=paid.amount,
        currency=paid.currency,
        commission_ppm=placement.commission_ppm,
        posted_on=booked_on,
    )


def on_reversal(state: DebtorPlans, event: Event[intake.PaymentReversed], now: Moment) -> Decision:
    """Take back what a payment had earned an agency, also after its placement has ended."""
    state, taken = _taken_back(state, event.data, now)
    state, ends = on_case(state, event, now)
    return state, (*taken, *ends)


def _taken_back(state: DebtorPlans, reversal: intake.PaymentReversed, now: Moment) -> Decision:
    known = state.placement_payments.get((reversal.loan_id, reversal.payment_id))
    if known is None or known.reversed:
        return state, ()
    state = _credited(state, replace(known, reversed=True, settled=True), Change.PAYMENT_REVERSED, now)
    payload = placements.PlacementPaymentReversed(
        placement_id=known.placement_id,
        agency_id=known.agency_id,
        payment_id=known.payment_id,
        loan_id=known.loan_id,
        amount=known.amount,
        currency=known.currency,
        reversed_at=reversal.reversed_at,
        commission_ppm=known.commission_ppm,
    )
    return state, (told(state, payload),)


def _credited(state: DebtorPlans, payment: PlacementPayment, change: Change, now: Moment) -> DebtorPlans:
    """Keep a payment with its line in the agency's account; a placement that is not loaded has ended."""
    placement = state.placements.get(payment.placement_id)
    news = PlacementChange(
        agency_id=payment.agency_id,
        placement_id=payment.placement_id,
        change=change,
        state=PlacementState.ENDED if placement is None else placement.state,
        changed_at=now.instant,
        changed_on=now.business_date,
        loan_id=payment.loan_id,
        payment_id=payment.payment_id,
        amount=payment.amount,
        currency=payment.currency,
    )
    return replace(
        state,
        placement_payments={**state.placement_payments, (payment.loan_id, payment.payment_id): payment},
        agency_credits=(*state.agency_credits, credit_of(payment, now.business_date)),
        placement_changes=(*state.placement_changes, news),
    )
