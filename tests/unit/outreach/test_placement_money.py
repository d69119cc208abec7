"""What agencies earn: each payment under a placement once, at the share of its tier, and back with the payment."""

from datetime import UTC, date, datetime, timedelta

import pytest

from services.outreach.agencies.placements.commands import HandBackPlacement, ObjectToRecall, RecallPlacement
from services.outreach.agencies.placements.domain.credit import AgencyCredit, PlacementPayment, commission_on, credit_of
from shared.contracts import intake, placements
from tests.unit.outreach.placing import ALPHA, CHIEF, MORNING, Placing, listed, opened
from tests.unit.outreach.play import CURED, case


@pytest.fixture(params=[False, True], ids=["all in memory", "loaded anew each time"])
def play(request: pytest.FixtureRequest) -> Placing:
    return opened(forgets=request.param)


@pytest.mark.parametrize(
    ("amount", "ppm", "commission"),
    [
        pytest.param(10_000, 150_000, 1_500, id="fifteen percent"),
        pytest.param(10_003, 150_000, 1_500, id="less than half a unit is nothing"),
        pytest.param(10, 150_000, 2, id="half a unit is rounded up"),
        pytest.param(10, 149_999, 1, id="a little less is not"),
        pytest.param(0, 150_000, 0, id="nothing of nothing"),
        pytest.param(10**15, 333_333, 333_333_000_000_000, id="no float has so many digits"),
        pytest.param(10**15 - 1, 1_000_000, 10**15 - 1, id="all of it"),
    ],
)
def test_a_commission_is_whole_units(amount: int, ppm: int, commission: int) -> None:
    assert commission_on(amount, ppm) == commission


def test_what_is_taken_back_is_what_was_given_to_the_unit() -> None:
    for amount in range(0, 2_000, 7):
        payment = PlacementPayment("l", "p", "x", "alpha", 1, amount, "CNY", 123_457)
        back = PlacementPayment("l", "p", "x", "alpha", 1, amount, "CNY", 123_457, reversed=True)
        given, taken = credit_of(payment, date(2026, 3, 2)), credit_of(back, date(2026, 4, 2))
        assert (given.amount + taken.amount, given.commission + taken.commission) == (0, 0)


def test_each_payment_counts_once(play: Placing) -> None:
    play.placed()
    assert "PlacementPaid" in play.pay("p-1", 10_000)
    assert "PlacementPaid" not in play.pay("p-1", 10_000)
    assert "PlacementPaid" in play.pay("p-2", 500)
    assert play.credits == [("alpha", 10_000, 1_500), ("alpha", 500, 75)]
    paid = next(each.data for each in play.told if isinstance(each.data, placements.PlacementPaid))
    assert (paid.payment_id, paid.amount, paid.commission_ppm) == ("p-1", 10_000, 150_000)


def test_a_payment_counts_while_a_recall_is_only_asked_for(play: Placing) -> None:
    play.placed()
    play.recall(date(2026, 3, 6))
    play.pay("p-1", 10_000)
    play.tell(ObjectToRecall(placement_id=play.placement.placement_id, reason="they pay on Friday"), actor=ALPHA)
    play.pay("p-2", 10_000)
    assert play.credits == [("alpha", 10_000, 1_500)] * 2


def test_the_payment_that_cures_a_case_counts_before_the_placement_ends(play: Placing) -> None:
    play.placed()
    play.pay("p-1", 10_000, CURED)
    assert play.credits == [("alpha", 10_000, 1_500)]
    assert play.changes[-2:] == ["alpha paid accepted", "alpha ended ended"]


def test_a_payment_counts_for_nobody_before_and_after(play: Placing) -> None:
    play.offer()
    play.pay("p-0")
    play.accept()
    play.tell(RecallPlacement(placement_id=play.placement.placement_id, reason="complaints"), actor=CHIEF)
    play.pay("p-2")
    assert play.credits == []


def test_a_payment_that_was_booked_before_the_agency_came_is_not_its_own(play: Placing) -> None:
    play.placed()
    for payment_id, day, hour in (
        ("p-1", 1, 15),
        ("p-2", 1, 16),
    ):  # the last hour of 1 March in China, and the first after
        paid = intake.PaymentPosted(
            case=case(),
            loan_id="loan-1",
            payment_id=payment_id,
            amount=100,
            currency="CNY",
            posted_at=datetime(2026, 3, day, hour, 59, tzinfo=UTC),
        )
        play.version += 1
        play.tell(paid, play.version)
    assert [each.payment_id for each in play.state.agency_credits] == ["p-2"]


def test_a_payment_that_is_taken_back_takes_its_commission_back_in_the_month_of_its_own(play: Placing) -> None:
    play.placed()
    play.pay("p-1", 10_003)
    play.tell(HandBackPlacement(placement_id=play.placement.placement_id, reason="nobody found"), actor=ALPHA)
    play.until(MORNING + timedelta(days=31))
    assert play.reverse("p-1") == ["PlacementPaymentReversed"]
    assert play.reverse("p-1") == []
    assert play.credits == [("alpha", 10_003, 1_500), ("alpha", -10_003, -1_500)]
    assert [each.posted_on for each in play.state.agency_credits] == [date(2026, 3, 2), date(2026, 4, 2)]
    assert play.changes[-1] == "alpha payment_reversed ended"


def test_what_never_counted_is_not_taken_back(play: Placing) -> None:
    play.pay("p-0")
    play.placed()
    assert "PlacementPaymentReversed" not in play.reverse("p-0")
    assert play.credits == []


def test_the_share_is_that_of_the_day_on_which_the_case_was_taken(play: Placing) -> None:
    play.placed()
    play.listed("alpha", listed(commission_ppm=(1,)))
    play.pay("p-1", 10_000)
    assert play.credits == [("alpha", 10_000, 1_500)]


def test_the_second_agency_earns_the_share_of_the_second_tier(play: Placing) -> None:
    play.placed()
    play.pay("p-1", 10_000)
    play.tell(HandBackPlacement(placement_id=play.placement.placement_id, reason="nobody found"), actor=ALPHA)
    play.wait(days=1)
    play.placed("beta")
    play.pay("p-2", 10_000)
    assert play.credits == [("alpha", 10_000, 1_500), ("beta", 10_000, 2_500)]
    assert play.reverse("p-1", 10_000) == ["PlacementPaymentReversed"]
    last: AgencyCredit = play.state.agency_credits[-1]
    assert (last.agency_id, last.tier, last.commission) == ("alpha", 1, -1_500)
