"""Payments that agencies report, played by hand: nobody is contacted until the money is accounted for."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from services.outreach.agencies.payment_reports.commands import ReportPayment, WithdrawReport
from services.outreach.agencies.payment_reports.domain import PaymentReport, ReceivedBy, ReportState
from services.outreach.agencies.placements.commands import HandBackPlacement
from services.outreach.agencies.placements.domain.placement import GRACE
from services.outreach.matters.commands import ResolveMatter
from services.outreach.matters.domain import MatterKind
from shared.contracts import placements
from shared.service import Rejected
from tests.unit.outreach.placing import ALPHA, BETA, CHIEF, CURES, MORNING, Placing, last, opened

TODAY = date(2026, 3, 2)
AMOUNT = 10_003
DAY = timedelta(1)


def report(play: Placing, **other: Any) -> ReportPayment:
    """What the agency says of a payment of this morning, for the loan that `Placing.pay` pays."""
    content: dict[str, Any] = {
        "placement_id": play.placement.placement_id,
        "receipt": "R-1",
        "amount": AMOUNT,
        "currency": "CNY",
        "paid_on": TODAY,
        "received_by": ReceivedBy.AGENCY,
        "loan_id": "loan-1",
    }
    return ReportPayment(**content | other)


def reported(**other: Any) -> Placing:
    """A case with an agency, which has just reported a payment."""
    play = opened().placed()
    play.tell(report(play, **other), actor=ALPHA)
    return play


def only(play: Placing) -> PaymentReport:
    [found] = play.state.payment_reports.values()
    return found


def held(play: Placing) -> bool:
    """Whether contacts are held back, as an agency finds when it asks for a permit."""
    try:
        replace(play).ask()
    except Rejected as refusal:
        return refusal.reason == "nobody is to be contacted: on hold"
    return False


# -- what a report does ------------------------------------------------------------------------------------------------


def test_a_report_stops_every_contact_and_has_somebody_see_to_it() -> None:
    play = opened().placed()
    assert not held(play)
    play.ask()
    said = play.tell(report(play), actor=ALPHA)
    assert said == [
        "PlacementPaymentReported",
        "MatterRaised reported_payment 2026-03-09",
        "HoldPlaced",
        "ContactNotMade",
    ]
    assert held(play)
    told = last(play, placements.PlacementPaymentReported)
    assert (told.amount, told.currency, told.loan_id, told.received_by) == (AMOUNT, "CNY", "loan-1", "agency")
    [matter] = play.state.matters.values()
    assert (matter.matter_id, matter.kind, matter.opened_by) == (told.report_id, MatterKind.REPORTED_PAYMENT, ALPHA)


@pytest.mark.parametrize("received_by", ReceivedBy)
def test_it_stops_them_whoever_has_the_money(received_by: ReceivedBy) -> None:
    assert held(reported(received_by=received_by))


def test_a_receipt_that_is_sent_again_is_the_same_report() -> None:
    play = reported()
    assert play.tell(report(play), actor=ALPHA) == []
    assert play.refused(report(play, amount=AMOUNT + 1)) == (
        "receipt",
        "this receipt was reported already, as something else",
    )


def test_two_receipts_of_as_much_are_two_payments() -> None:
    play = reported()
    assert "PlacementPaymentReported" in play.tell(report(play, receipt="R-2"), actor=ALPHA)
    play.pay("p-1")
    assert held(play)
    play.pay("p-2")
    assert {each.payment_id for each in play.state.payment_reports.values()} == {"p-1", "p-2"}
    assert not held(play)


@pytest.mark.parametrize(
    ("actor", "other", "refusal"),
    [
        pytest.param(BETA, {}, ("placement_id", "no such placement"), id="of another agency"),
        pytest.param(ALPHA, {"placement_id": "0" * 32}, ("placement_id", "no such placement"), id="of no placement"),
        pytest.param(ALPHA, {"paid_on": TODAY + DAY}, ("paid_on", "this day is still to come"), id="of tomorrow"),
    ],
)
def test_what_cannot_be_reported(actor: str, other: dict[str, Any], refusal: tuple[str, str]) -> None:
    play = opened().placed()
    assert play.refused(report(play, **other), actor=actor) == refusal


def test_nothing_is_reported_under_an_offer() -> None:
    play = opened()
    play.offer()
    assert play.refused(report(play)) == ("placement_id", "the placement was not accepted")


@pytest.mark.parametrize(("days", "is_taken"), [(0, True), (GRACE.days, True), (GRACE.days + 1, False)])
def test_money_may_come_in_for_some_time_after_the_end(days: int, *, is_taken: bool) -> None:
    play = opened().placed()
    play.tell(HandBackPlacement(placement_id=play.placement.placement_id, reason="nobody found"), actor=ALPHA)
    play.now = replace(play.now, business_date=TODAY + days * DAY)
    if is_taken:
        assert "HoldPlaced" in play.tell(report(play), actor=ALPHA)
    else:
        assert play.refused(report(play)) == ("placement_id", "the placement has ended too long ago")


# -- what ends it ------------------------------------------------------------------------------------------------------


def test_what_the_lender_books_ends_it_and_contacts_go_on() -> None:
    play = reported()
    said = play.pay("p-7")
    assert said[-3:] == ["PlacementReportEnded", "MatterResolved", "HoldReleased"]
    told = last(play, placements.PlacementReportEnded)
    assert (told.end, told.payment_id, told.loan_id) == ("booked", "p-7", "loan-1")
    assert (only(play).state, only(play).payment_id) == (ReportState.BOOKED, "p-7")
    assert not held(play)
    change = play.state.placement_changes[-1]
    assert (change.change, change.report_id, change.payment_id) == ("report_ended", only(play).report_id, "p-7")


def test_a_report_that_does_not_know_the_loan_is_ended_by_a_payment_of_any() -> None:
    play = reported(loan_id=None)
    play.pay()
    assert only(play).booked_loan_id == "loan-1"
    assert not held(play)


@pytest.mark.parametrize(
    ("other", "paid"),
    [
        pytest.param({}, {"amount": AMOUNT - 1}, id="of another amount"),
        pytest.param({"loan_id": "loan-2"}, {}, id="for another loan"),
        pytest.param({"currency": "USD"}, {}, id="in another currency"),
    ],
)
def test_another_payment_does_not_end_it(other: dict[str, Any], paid: dict[str, Any]) -> None:
    play = reported(**other)
    assert "PlacementReportEnded" not in play.pay(**paid)
    assert only(play).state is ReportState.WAITING
    assert held(play)


def test_what_was_booked_before_it_was_paid_is_other_money() -> None:
    play = opened().placed()
    play.pay("p-1")
    play.until(MORNING + 2 * DAY)
    play.tell(report(play, paid_on=TODAY + DAY), actor=ALPHA)
    assert held(play)


def test_what_was_booked_before_the_report_came_raises_nothing() -> None:
    play = opened().placed()
    play.pay("p-1")
    assert play.tell(report(play), actor=ALPHA) == ["PlacementPaymentReported", "PlacementReportEnded"]
    assert (only(play).state, only(play).payment_id) == (ReportState.BOOKED, "p-1")
    assert "HoldPlaced" in play.tell(report(play, receipt="R-2"), actor=ALPHA), "one payment is one report"


def test_what_was_taken_back_is_no_payment_of_a_report() -> None:
    play = opened().placed()
    play.pay("p-1")
    play.reverse("p-1")
    assert "HoldPlaced" in play.tell(report(play), actor=ALPHA)


def test_a_payment_that_ends_the_case_ends_the_report_too() -> None:
    play = reported()
    said = play.pay("p-1", status=CURES)
    assert {"PlacementEnded", "PlacementReportEnded", "MatterResolved", "HoldReleased"} <= set(said)


def test_the_booking_is_seen_when_the_placement_has_ended_meanwhile() -> None:
    play = reported()
    play.tell(HandBackPlacement(placement_id=play.placement.placement_id, reason="nobody found"), actor=ALPHA)
    assert "PlacementReportEnded" in play.pay()
    assert play.credits == []


def test_staff_who_see_to_the_matter_end_it() -> None:
    play = reported()
    said = play.tell(ResolveMatter(matter_id=only(play).report_id, reason="no such money came in"), actor=CHIEF)
    assert said == ["MatterResolved", "HoldReleased", "PlacementReportEnded"]
    assert (only(play).state, only(play).reason) == (ReportState.DECIDED, "no such money came in")
    assert not held(play)


def test_time_alone_never_ends_it() -> None:
    play = reported()
    play.until(MORNING + 30 * DAY)
    assert only(play).state is ReportState.WAITING
    assert held(play)


def test_an_agency_takes_back_what_it_reported_by_mistake() -> None:
    play = reported()
    wanted = WithdrawReport(
        placement_id=play.placement.placement_id, report_id=only(play).report_id, reason="the wrong case"
    )
    assert play.refused(wanted, actor=BETA) == ("placement_id", "no such placement")
    assert play.tell(wanted, actor=ALPHA) == ["PlacementReportEnded", "MatterResolved", "HoldReleased"]
    assert not held(play)
    assert play.refused(wanted) == ("report_id", "the report is withdrawn already")
    nobodys = WithdrawReport(placement_id=play.placement.placement_id, report_id="0" * 32, reason="the wrong case")
    assert play.refused(nobodys) == ("report_id", "no such report of this placement")


def test_what_was_booked_long_ago_is_loaded_no_more() -> None:
    play = opened().placed(days=200)
    play.pay("p-1")
    play.until(MORNING + (GRACE.days + 1) * DAY)
    play.pay("p-2", amount=1)
    assert {key: each.settled for (_, key), each in play.state.placement_payments.items()} == {
        "p-1": True,
        "p-2": False,
    }
