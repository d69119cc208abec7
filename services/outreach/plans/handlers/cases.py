"""What outreach makes of the case as intake tells it: a copy, and a stop where it says so."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from services.outreach.agencies.placements.domain.placement import OwedLoan
from services.outreach.contacts.domain.exposure import exposures
from services.outreach.plans.domain.course import StopReason, arranged, guard_of, stopped_by_case, without_visits
from services.outreach.plans.domain.rows import CaseStatus, DebtorPlans, Guard
from services.outreach.plans.handlers.revoking import revoked
from services.outreach.plans.handlers.telling import Decision, recalls_told, stop_told
from shared.contracts import intake
from shared.contracts.envelope import Event, Moment
from shared.frozen import replace


def on_case(state: DebtorPlans, event: Event[intake.OfCase], now: Moment) -> Decision:
    """Take in the case as it stands; one that is cured or closed stops everything."""
    case = event.data.case
    state = _with_case(state, event, case)
    reason = _ENDINGS.get(case.status)
    if reason is None:
        return arranged(state, now.instant), ()
    return _stopped_by_case(state, event, reason, now)


_ENDINGS: Mapping[intake.CaseStatus, StopReason] = {
    intake.CaseStatus.CURED: StopReason.CURED,
    intake.CaseStatus.CLOSED: StopReason.CLOSED,
}


def on_payment(state: DebtorPlans, event: Event[intake.PaymentPosted], now: Moment) -> Decision:
    """Stop everything: whatever comes next is computed with this payment in it. Who it was too late for is kept."""
    payment = event.data
    if payment.case is None:
        return state, ()
    received_at = payment.received_at or event.recorded_at
    exposed = exposures(state.contacts.values(), payment.payment_id, received_at, now.instant)
    state = _with_case(replace(state, exposures=(*state.exposures, *exposed)), event, payment.case)
    return _stopped_by_case(state, event, StopReason.PAYMENT, now)


def on_reversal(state: DebtorPlans, event: Event[intake.PaymentReversed], now: Moment) -> Decision:
    """Take in the case as it stands without that payment."""
    if event.data.case is None:
        return state, ()
    return arranged(_with_case(state, event, event.data.case), now.instant), ()


def _with_case(state: DebtorPlans, event: Event[Any], case: intake.CaseSummary) -> DebtorPlans:
    guard = guard_of(state, event.lender_id)
    if event.case_version <= guard.case_version:
        return state
    past_due, currency = _weight(case.loans)
    guard = Guard(
        lender_id=event.lender_id,
        case_version=event.case_version,
        status=CaseStatus(case.status),
        stop_version=guard.stop_version,
        jurisdiction=case.jurisdiction,
        district=case.district,
        past_due=past_due,
        currency=currency,
        plans_made=guard.plans_made,
        oldest_due_on=case.oldest_due_on,
        loans=tuple(_owed(loan) for loan in case.loans if loan.past_due > 0),
    )
    return replace(state, guard=guard)


def _owed(loan: intake.LoanSummary) -> OwedLoan:
    return OwedLoan(loan.loan_id, loan.past_due, loan.outstanding, loan.currency, loan.oldest_due_on)


def _weight(loans: Sequence[intake.LoanSummary]) -> tuple[int, str]:
    """What is past due in the currency of the oldest debt: amounts of two currencies are never summed."""
    owing = [loan for loan in loans if loan.past_due > 0]
    if not owing:
        return 0, ""
    currency = min(owing, key=lambda loan: (loan.oldest_due_on or date.max, loan.loan_id)).currency
    return sum(loan.past_due for loan in owing if loan.currency == currency), currency


def _stopped_by_case(state: DebtorPlans, event: Event[Any], reason: StopReason, now: Moment) -> Decision:
    if state.guard is None:
        state = replace(state, guard=guard_of(state, event.lender_id))
    state, what = stopped_by_case(state, event.case_version, reason, now.instant)
    state, taken = revoked(without_visits(state, now.business_date), reason, now)
    recalls = recalls_told(state, reason, now.instant)
    return arranged(state, now.instant), (*stop_told(state, what), *taken, *recalls)
