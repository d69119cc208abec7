"""Dated plays of promises: taken within limits, filled by payments, kept or broken when their day has passed."""

from datetime import date
from typing import Any

import pytest

from services.outreach.outcomes.commands import RecordOutcome
from shared.contracts import intake, outreach
from shared.service import Rejected
from tests.unit.outreach.play import CLOSED, LENDER, Play, case
from tests.unit.outreach.saying import ANNA, BOSS, contact, morning, pays, promise, reached, takes_back


def promised(said: RecordOutcome | None = None) -> Play:
    play = reached()
    play.tell(said or promise(), actor=ANNA)
    return play


def held(play: Play) -> tuple[str, int]:
    [one] = play.state.promises.values()
    return one.state.value, one.paid


def test_a_promise_makes_everything_stand_still_and_one_that_is_kept_lets_it_go_on() -> None:
    play = reached()
    said = play.tell(promise(), actor=ANNA, lender_id="")
    assert said == ["outcome promised", "PromiseMade", "plan 1 stopped: promise made, cancelled [1, 2]"]
    assert play.told[-2].lender_id == LENDER
    assert play.until(morning(5)) == []
    assert play.tell(pays("p1", 40_000, 5), 2) == ["PromiseKept 40000"]
    assert held(play) == ("kept", 40_000)
    play.tell(intake.CaseUpdated(case=case()), 3)
    assert play.wait(minutes=2) == [], "the treatment held is older than the payment"


def test_a_promise_that_nobody_keeps_is_broken_the_day_after_its_days_of_grace() -> None:
    play = promised()
    assert play.until(morning(9)) == []
    assert play.until(morning(10)) == ["PromiseBroken 0"]
    assert play.wait(minutes=2) == ["plan 2 started: EARLY"]


def test_a_part_is_seen_and_does_not_keep_it() -> None:
    play = promised()
    assert play.tell(pays("p1", 30_000, 4), 2) == []
    assert held(play) == ("standing", 30_000)
    assert play.until(morning(10)) == ["PromiseBroken 30000"]


def test_on_its_last_day_it_still_stands() -> None:
    play = promised()
    play.until(morning(9))
    assert play.tell(pays("p1", 10_000, 9), 2) == []
    assert held(play) == ("standing", 10_000)


def test_several_parts_and_a_little_missing_keep_it() -> None:
    play = promised()
    play.tell(pays("p1", 20_000, 3), 2)
    assert play.tell(pays("p2", 19_599, 4), 3) == []
    assert play.tell(pays("p3", 1, 9), 4) == ["PromiseKept 39600"], "one percent may be missing"


def test_what_was_booked_in_time_and_heard_of_late_mends_a_broken_promise() -> None:
    play = promised()
    play.until(morning(12))
    assert held(play) == ("broken", 0)
    assert play.tell(pays("late", 40_000, 10), 2)[-1:] != ["PromiseKept 40000"], "the 10th is a day too late"
    assert play.tell(pays("in time", 40_000, 9), 3)[:2] == ["PromiseReopened", "PromiseKept 40000"]
    assert play.told[-2].data == outreach.PromiseReopened(
        promise_id=next(iter(play.state.promises)),
        amount=40_000,
        currency="CNY",
        promised_on=date(2026, 3, 6),
        was=outreach.PromiseEnd.BROKEN,
    )


def test_a_payment_taken_back_before_the_day_has_passed_makes_it_stand_again_and_stops_what_ran() -> None:
    play = promised()
    play.tell(pays("p1", 40_000, 4), 1)
    assert play.wait(minutes=2) == ["plan 2 started: EARLY"]
    assert play.tell(takes_back("p1", 40_000), 1) == [
        "PromiseReopened",
        "plan 2 stopped: promise made, cancelled [1, 2]",
    ]
    assert play.until(morning(9)) == []
    assert play.until(morning(10)) == ["PromiseBroken 0"]


def test_a_payment_taken_back_afterwards_breaks_it() -> None:
    play = promised()
    play.tell(pays("p1", 40_000, 4), 2)
    play.until(morning(20))
    assert play.tell(takes_back("p1", 40_000), 3)[:2] == ["PromiseReopened", "PromiseBroken 0"]
    assert play.tell(takes_back("p1", 40_000), 3) == []


def test_another_payment_does_what_the_one_taken_back_did() -> None:
    play = promised()
    play.tell(pays("p1", 40_000, 4), 2)
    play.tell(pays("p2", 40_000, 5), 3)
    assert play.tell(takes_back("p1", 40_000), 4) == []
    assert held(play) == ("kept", 40_000)


@pytest.mark.parametrize(
    "payment",
    [
        pytest.param(pays("p1", 90_000, 5, currency="USD"), id="in another currency"),
        pytest.param(pays("p1", 90_000, 1), id="booked before it was made"),
        pytest.param(pays("p1", 90_000, 10), id="booked after its days of grace"),
    ],
)
def test_what_does_not_count_towards_it(payment: intake.PaymentPosted) -> None:
    play = promised()
    play.tell(payment, 2)
    assert held(play) == ("standing", 0)


def test_no_part_of_a_payment_keeps_two_promises() -> None:
    play = reached(None, contact("one"), contact("two"))
    play.tell(promise(20_000, contact_id="one"), actor=ANNA)
    play.tell(pays("p1", 20_000, 2), 2)
    play.tell(promise(30_000, contact_id="two"), actor=ANNA)
    assert play.tell(pays("p2", 10_000, 3), 3) == []
    assert play.tell(pays("p3", 20_000, 3), 4) == ["PromiseKept 30000"]
    assert [each.paid for each in play.state.promises.values()] == [20_000, 30_000]
    assert play.tell(takes_back("p1", 20_000), 5) == ["PromiseReopened"], "the second now has 10,000, the first all"
    assert sorted((each.state, each.paid) for each in play.state.promises.values()) == [
        ("kept", 20_000),
        ("standing", 10_000),
    ]


def test_after_its_time_nothing_changes_it_any_more() -> None:
    play = promised()
    play.tell(pays("p1", 40_000, 4), 2)
    play.wait(days=120)
    [one] = play.state.promises.values()
    assert (one.settled, play.state.promise_payments, play.state.promise_due) == (True, {}, None)
    assert play.tell(takes_back("p1", 40_000), 3) == []
    assert held(play) == ("kept", 40_000)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        pytest.param(promise(on=date(2026, 3, 1)), "promised_on: the day has passed", id="a day that has passed"),
        pytest.param(promise(on=date(2026, 3, 17)), "promised_on: .* more than 14 days", id="too far ahead"),
        pytest.param(promise(4_999), "amount: it is less than 10 percent", id="too little"),
        pytest.param(promise(currency="USD"), "currency: nothing is past due", id="a currency in which nothing is due"),
    ],
)
def test_a_promise_beyond_the_limits_is_not_taken(said: RecordOutcome, reason: str) -> None:
    play = reached()
    before = play.state
    with pytest.raises(Rejected, match=reason):
        play.tell(said, actor=ANNA)
    assert play.state == before


@pytest.mark.parametrize(
    "said", [pytest.param(promise(on=date(2026, 3, 16)), id="the last day"), pytest.param(promise(5_000), id="a tenth")]
)
def test_a_promise_at_the_limits_is_taken(said: RecordOutcome) -> None:
    assert "PromiseMade" in reached().tell(said, actor=ANNA)


def test_a_supervisor_may_take_what_others_may_not() -> None:
    assert "PromiseMade" in reached().tell(promise(100, date(2026, 3, 31)), actor=BOSS)


def test_who_broke_two_promises_needs_a_supervisor_for_the_next() -> None:
    play = reached(None, *(contact(name) for name in "abc"))
    for name, day, after in (("a", 2, 6), ("b", 6, 10)):
        play.tell(promise(on=date(2026, 3, day), contact_id=name), actor=ANNA)
        assert play.until(morning(after))[0] == "PromiseBroken 0"
    with pytest.raises(Rejected, match="too many promises were broken"):
        play.tell(promise(on=date(2026, 3, 12), contact_id="c"), actor=ANNA)
    assert "PromiseMade" in play.tell(promise(on=date(2026, 3, 12), contact_id="c"), actor=BOSS)


def test_one_promise_stands_at_a_time() -> None:
    play = reached(None, contact("one"), contact("two"))
    play.tell(promise(contact_id="one"), actor=ANNA)
    with pytest.raises(Rejected, match="another promise stands already"):
        play.tell(promise(contact_id="two"), actor=ANNA)


@pytest.mark.parametrize("fact", [intake.CaseClosed(case=case(CLOSED))])
def test_nothing_is_promised_of_a_case_that_is_not_open(fact: Any) -> None:
    play = reached()
    play.tell(fact, 2)
    with pytest.raises(Rejected, match="the debtor has no open case"):
        play.tell(promise(), actor=ANNA)
