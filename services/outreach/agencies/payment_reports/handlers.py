"""How a reported payment stops every contact, and what ends that: the booking, staff, or whoever has reported it.

A report raises a matter, so that whoever sees to payments has it on their list, with a deadline: money that an agency
has in hand is never forgotten, and no contact is made for want of a booking. Only what was booked to the last unit
ends it by itself.
"""

from services.outreach.agencies.payment_reports import domain
from services.outreach.agencies.payment_reports.commands import ReportPayment, WithdrawReport
from services.outreach.agencies.payment_reports.domain import Booked, PaymentReport, Reported, ReportState
from services.outreach.agencies.payment_reports.store import report_id_of
from services.outreach.agencies.placements.domain.placement import Change, Placement, PlacementChange, PlacementState
from services.outreach.agencies.placements.domain.placement import Practice as Placing
from services.outreach.agencies.placements.handlers.keeping import placement_known, placement_open
from services.outreach.matters.commands import ResolveMatter
from services.outreach.matters.domain import MatterKind
from services.outreach.matters.handlers import closed, opened
from services.outreach.outcomes.handlers.recording import Practice
from services.outreach.plans.domain.course import guard_of
from services.outreach.plans.domain.rows import DebtorPlans
from services.outreach.plans.handlers.telling import Decision, told
from shared.contracts import intake, placements
from shared.contracts.envelope import Event, Moment
from shared.frozen import replace
from shared.service import Rejected

BOOKED = "the lender has booked it"


def on_report(
    practice: Practice, placing: Placing, state: DebtorPlans, event: Event[ReportPayment], now: Moment
) -> Decision:
    """Take in a payment that an agency reports; nobody is contacted until it is accounted for. Raises Rejected."""
    placement, said = placement_open(state, event.data.placement_id, now, event.actor), _said(event.data)
    if said.paid_on > max(placing.day_of(guard_of(state, "").jurisdiction, now.instant), now.business_date):
        raise Rejected("this day is still to come", field="paid_on")
    known = state.payment_reports.get(report_id_of(placement.placement_id, said.receipt))
    if known is not None and known.said != said:
        raise Rejected("this receipt was reported already, as something else", field="receipt")
    return (state, ()) if known is not None else _taken_in(practice, state, _report(placement, said, now), now)


def _taken_in(practice: Practice, state: DebtorPlans, report: PaymentReport, now: Moment) -> Decision:
    state, fact = _with(state, report), told(state, _reported(report))
    booked = domain.booked_before(report, _unclaimed(state))
    if booked is not None:
        state, facts = _booked(state, report, booked, now)
    else:
        state, facts = _raised(practice, state, report, now)
    return state, (fact, *facts)


def _said(asked: ReportPayment) -> Reported:
    return Reported(
        receipt=asked.receipt,
        amount=asked.amount,
        currency=asked.currency,
        paid_on=asked.paid_on,
        received_by=asked.received_by,
        loan_id=asked.loan_id or "",
    )


def _report(placement: Placement, said: Reported, now: Moment) -> PaymentReport:
    return PaymentReport(
        report_id=report_id_of(placement.placement_id, said.receipt),
        placement_id=placement.placement_id,
        agency_id=placement.agency_id,
        receipt=said.receipt,
        amount=said.amount,
        currency=said.currency,
        paid_on=said.paid_on,
        received_by=said.received_by,
        loan_id=said.loan_id,
        state=ReportState.WAITING,
        reported_at=now.instant,
        reported_on=now.business_date,
    )


def _reported(report: PaymentReport) -> placements.PlacementPaymentReported:
    return placements.PlacementPaymentReported(
        placement_id=report.placement_id,
        agency_id=report.agency_id,
        report_id=report.report_id,
        loan_id=report.loan_id,
        amount=report.amount,
        currency=report.currency,
        paid_on=report.paid_on,
        received_by=placements.ReceivedBy(report.received_by),
    )


def _raised(practice: Practice, state: DebtorPlans, report: PaymentReport, now: Moment) -> Decision:
    return opened(
        practice.deadlines,
        state,
        MatterKind.REPORTED_PAYMENT,
        now,
        matter_id=report.report_id,
        by=f"agency/{report.agency_id}",
        loan_id=report.loan_id,
    )


def _unclaimed(state: DebtorPlans) -> list[Booked]:
    """What was booked lately under placements of this debtor, and is no report yet."""
    payments = [each for each in state.placement_payments.values() if not each.report_id and not each.reversed]
    return [
        Booked(each.loan_id, each.payment_id, each.amount, each.currency, each.posted_on)
        for each in payments
        if each.posted_on is not None
    ]


# -- what ends a report ------------------------------------------------------------------------------------------------


def on_payment(placing: Placing, state: DebtorPlans, event: Event[intake.PaymentPosted], now: Moment) -> Decision:
    """End the report that a payment was waited for by, whether or not the agency earns by it."""
    paid = event.data
    counted = state.placement_payments.get((paid.loan_id, paid.payment_id))
    if counted is not None and counted.report_id:
        return state, ()
    posted_on = placing.day_of(guard_of(state, "").jurisdiction, paid.posted_at)
    booked = Booked(paid.loan_id, paid.payment_id, paid.amount, paid.currency, posted_on)
    report = domain.reported_before(state.payment_reports.values(), booked)
    if report is None:
        return state, ()
    state, settled = _booked(state, report, booked, now)
    state, lifted = closed(state, state.matters[report.report_id], BOOKED, "outreach", now)
    return state, (*settled, *lifted)


def on_resolved(state: DebtorPlans, event: Event[ResolveMatter], now: Moment) -> Decision:
    """End the report whose matter staff have seen to, in whatever way they did."""
    report = state.payment_reports.get(event.data.matter_id)
    if report is None:
        return state, ()
    return _ended(state, report, ReportState.DECIDED, event.data.reason, now)


def on_withdraw(state: DebtorPlans, event: Event[WithdrawReport], now: Moment) -> Decision:
    """End a report that its agency takes back, while nobody has decided on it. Raises Rejected."""
    placement = placement_known(state, event.data.placement_id, event.actor)
    report = state.payment_reports.get(event.data.report_id)
    if report is None or report.placement_id != placement.placement_id:
        raise Rejected("no such report of this placement", field="report_id")
    if report.settled:
        raise Rejected(f"the report is {report.state} already", field="report_id")
    state, facts = _ended(state, report, ReportState.WITHDRAWN, event.data.reason, now)
    state, lifted = closed(state, state.matters[report.report_id], event.data.reason, event.actor, now)
    return state, (*facts, *lifted)


def _booked(state: DebtorPlans, report: PaymentReport, booked: Booked, now: Moment) -> Decision:
    state = _claimed(state, report, booked)
    return _ended(state, domain.booked_as(report, booked), ReportState.BOOKED, BOOKED, now)


def _claimed(state: DebtorPlans, report: PaymentReport, booked: Booked) -> DebtorPlans:
    """Note on a payment that counted which report it was, so that it is no other's as well."""
    key = (booked.loan_id, booked.payment_id)
    counted = state.placement_payments.get(key)
    if counted is None:
        return state
    claimed = replace(counted, report_id=report.report_id)
    return replace(state, placement_payments={**state.placement_payments, key: claimed})


def _ended(state: DebtorPlans, report: PaymentReport, how: ReportState, reason: str, now: Moment) -> Decision:
    """End a report, tell of it, and let its agency read it."""
    report = domain.ended(report, how, reason, now.business_date, now.instant)
    payload = placements.PlacementReportEnded(
        placement_id=report.placement_id,
        agency_id=report.agency_id,
        report_id=report.report_id,
        end=placements.ReportEnd(report.state),
        loan_id=report.booked_loan_id,
        payment_id=report.payment_id,
        reason=report.reason,
    )
    changes = (*state.placement_changes, _change(state, report, now))
    return replace(_with(state, report), placement_changes=changes), (told(state, payload),)


def _change(state: DebtorPlans, report: PaymentReport, now: Moment) -> PlacementChange:
    """A report that ended, for its agency; the report is loaded with its placement, or that has ended."""
    placement = state.placements.get(report.placement_id)
    return PlacementChange(
        agency_id=report.agency_id,
        placement_id=report.placement_id,
        change=Change.REPORT_ENDED,
        state=PlacementState.ENDED if placement is None else placement.state,
        changed_at=now.instant,
        changed_on=now.business_date,
        reason=report.reason,
        loan_id=report.booked_loan_id,
        payment_id=report.payment_id,
        amount=report.amount,
        currency=report.currency,
        report_id=report.report_id,
    )


def _with(state: DebtorPlans, report: PaymentReport) -> DebtorPlans:
    return replace(state, payment_reports={**state.payment_reports, report.report_id: report})
