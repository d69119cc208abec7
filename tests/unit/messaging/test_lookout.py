from datetime import date, datetime, timedelta

import pytest

from shared.messaging.lookout import ASK_EVERY, LOOK_APART, Lookout, first_due
from shared.messaging.store import Change
from tests.contract.store_cases import LAYOUT, NOW, DayDue, InstantDue, a_file

SOON, LATER = NOW + timedelta(seconds=0.5), NOW + timedelta(hours=1)


def asked(due_at: datetime | None, *expected: datetime | None) -> Lookout:
    lookout = Lookout()
    lookout.looked(100.0, due_at, in_turn=True)
    for instant in expected:
        lookout.expect(instant)
    return lookout


def looked_then(*expected: datetime, at: datetime | None = None) -> Lookout:
    lookout = asked(SOON)
    lookout.looked(100.5, at, in_turn=False)
    for instant in expected:
        lookout.expect(instant)
    return lookout


def more_was_there() -> Lookout:
    lookout = asked(LATER)
    lookout.again()
    return lookout


@pytest.mark.parametrize(
    ("lookout", "seconds", "is_time"),
    [
        (Lookout(), 0.0, True),
        (asked(SOON), ASK_EVERY - 0.01, False),
        (asked(None), ASK_EVERY, True),
        (looked_then(), ASK_EVERY, True),
        (more_was_there(), 0.01, True),
    ],
    ids=["never yet", "too early", "its turn has come", "a look does not put it off", "more was there than was taken"],
)
def test_a_worker_asks_in_turn(lookout: Lookout, seconds: float, *, is_time: bool) -> None:
    assert lookout.is_time_to_ask(100.0 + seconds) is is_time


@pytest.mark.parametrize(
    ("lookout", "seconds", "now", "has_come"),
    [
        (asked(None), 0.9, LATER, False),
        (asked(SOON), 0.4, SOON - timedelta(microseconds=1), False),
        (asked(SOON), 0.5, SOON, True),
        (asked(SOON), LOOK_APART - 0.01, SOON, False),
        (asked(LATER, SOON), 0.5, SOON, True),
        (asked(SOON, LATER), 0.5, SOON, True),
        (asked(None, SOON), 0.5, SOON, True),
        (asked(SOON, None), 0.5, SOON, True),
        (looked_then(), 0.9, LATER, False),
        (looked_then(at=LATER), 0.9, LATER, True),
        (looked_then(at=LATER), 0.9, SOON, False),
        (looked_then(SOON), 0.9, LATER, True),
        (looked_then(SOON), 0.6, LATER, False),
    ],
    ids=[
        "nothing is known",
        "what was heard of is not yet due",
        "what was heard of falls due",
        "it falls due just after the last look",
        "what was written falls due before what was heard of",
        "what was written falls due after it",
        "nothing was heard of, but something was written",
        "nothing was written",
        "what was looked at is not expected any more",
        "what comes after it falls due",
        "what comes after it is not yet due",
        "something was written since",
        "something was written since, but a moment ago was looked",
    ],
)
def test_a_worker_looks_when_what_it_knows_of_falls_due(
    lookout: Lookout, seconds: float, now: datetime, *, has_come: bool
) -> None:
    assert lookout.has_come(100.0 + seconds, now) is has_come


def test_an_answer_takes_the_place_of_what_was_expected_before_it() -> None:
    lookout = asked(SOON)
    lookout.looked(200.0, None, in_turn=True)
    assert not lookout.has_come(200.5, LATER)


NOTHING = a_file("d1")
ONE = a_file("d1", instants={1: InstantDue(1, "bank", LATER)})
TWO = a_file("d1", instants={1: InstantDue(1, "bank", LATER), 2: InstantDue(2, "bank", SOON)})
BY_DAY = a_file("d1", day=DayDue("bank", date(2026, 3, 2)))


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (NOTHING, NOTHING, None),
        (NOTHING, ONE, LATER),
        (ONE, TWO, SOON),
        (TWO, ONE, LATER),
        (ONE, NOTHING, None),
        (NOTHING, BY_DAY, None),
        (ONE, ONE, None),
    ],
    ids=["nothing", "one new", "an earlier one", "the earlier one is gone", "none left", "only by day", "the same"],
)
def test_what_a_change_leaves_falls_due_at_its_first_instant(
    before: object, after: object, found: datetime | None
) -> None:
    assert first_due(LAYOUT, [Change(3, "d1", before, after)]) == found


def test_the_first_of_several_owners_counts() -> None:
    changes = [Change(3, "d1", NOTHING, ONE), Change(3, "d2", NOTHING, TWO)]
    assert first_due(LAYOUT, changes) == SOON
