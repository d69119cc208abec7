from datetime import date, datetime, timedelta

import pytest

from shared.messaging.lookout import LOOK_APART, LOOK_EVERY, Lookout, first_due
from shared.messaging.store import Change
from tests.contract.store_cases import LAYOUT, NOW, DayDue, InstantDue, a_file

SOON, LATER = NOW + timedelta(seconds=0.5), NOW + timedelta(hours=1)


def looked(due_at: datetime | None, *expected: datetime | None) -> Lookout:
    lookout = Lookout()
    lookout.looked(100.0, due_at)
    for instant in expected:
        lookout.expect(instant)
    return lookout


def more_was_there() -> Lookout:
    lookout = looked(LATER)
    lookout.again()
    return lookout


@pytest.mark.parametrize(
    ("lookout", "seconds", "now", "is_time"),
    [
        (Lookout(), 0.0, NOW, True),
        (looked(None), LOOK_EVERY - 0.01, LATER, False),
        (looked(None), LOOK_EVERY, NOW, True),
        (looked(SOON), 0.4, SOON - timedelta(microseconds=1), False),
        (looked(SOON), 0.5, SOON, True),
        (looked(SOON), LOOK_APART - 0.01, SOON, False),
        (looked(LATER, SOON), 0.5, SOON, True),
        (looked(SOON, LATER), 0.5, SOON, True),
        (looked(None, SOON), 0.5, SOON, True),
        (looked(SOON, None), 0.5, SOON, True),
        (more_was_there(), 0.01, NOW, True),
    ],
    ids=[
        "nobody has ever looked",
        "it is too early for the look that comes in any case",
        "that look's turn has come",
        "what was seen is not yet due",
        "what was seen falls due",
        "it falls due just after the last look",
        "what was written falls due before what was seen",
        "what was written falls due after it",
        "nothing was seen, but something was written",
        "nothing was written",
        "more was there than was taken",
    ],
)
def test_it_is_time_to_look_when_something_falls_due_or_once_a_second(
    lookout: Lookout, seconds: float, now: datetime, *, is_time: bool
) -> None:
    assert lookout.is_time(100.0 + seconds, now) is is_time


def test_a_look_forgets_what_was_expected_before_it() -> None:
    lookout = looked(SOON)
    lookout.looked(200.0, None)
    assert not lookout.is_time(200.5, LATER)


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
