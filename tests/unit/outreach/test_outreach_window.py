"""When steps fall due: inside the lawful hours, spread over them, and always at the same instant."""

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.outreach.plans.domain.window import Window, due_at
from services.outreach.plans.store import read_windows

CHINA = Window("Asia/Shanghai", time(8), time(20))
BERLIN = Window("Europe/Berlin", time(8), time(20))
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
SLICE = 15 * 60


def local_seconds(instant: datetime, window: Window) -> int:
    """Seconds since midnight on the window's wall clock."""
    local = instant.astimezone(ZoneInfo(window.zone))
    return local.hour * 3600 + local.minute * 60 + local.second


def slices(not_before: datetime, day: date) -> Counter[int]:
    """How many of 10,000 debtors fall into each quarter of an hour of the day."""
    names = [f"debtor-{number}/1/1" for number in range(10_000)]
    return Counter(local_seconds(due_at(CHINA, name, day, not_before), CHINA) // SLICE for name in names)


def test_ten_thousand_debtors_are_spread_evenly_over_the_window() -> None:
    counts = slices(LONG_AGO, date(2026, 3, 2))
    assert min(counts) == 8 * 4
    assert max(counts) == 20 * 4 - 1
    assert max(counts.values()) <= 1.5 * 10_000 / 48


def test_plans_made_in_the_afternoon_do_not_crowd_into_what_is_left_of_the_day() -> None:
    counts = slices(datetime(2026, 3, 2, 10, tzinfo=UTC), date(2026, 3, 2))
    assert max(counts.values()) <= 1.5 * 10_000 / 48


@pytest.mark.parametrize(
    ("day", "not_before", "expected"),
    [
        pytest.param(
            date(2026, 3, 2), "2026-03-01T00:00:00+08:00", date(2026, 3, 2), id="the day asked for, where it lies ahead"
        ),
        pytest.param(
            date(2026, 3, 2), "2026-03-02T07:59:59+08:00", date(2026, 3, 2), id="today, before the window opens"
        ),
        pytest.param(
            date(2026, 3, 2), "2026-03-02T20:00:00+08:00", date(2026, 3, 3), id="tomorrow, when the window has closed"
        ),
        pytest.param(
            date(2026, 2, 1), "2026-03-02T20:00:00+08:00", date(2026, 3, 3), id="tomorrow, where the day is long past"
        ),
        pytest.param(
            date(2026, 2, 1), "2026-03-02T00:00:00+08:00", date(2026, 3, 2), id="today, where the day is long past"
        ),
        pytest.param(
            date(2026, 3, 2), "2026-03-01T23:00:00+00:00", date(2026, 3, 2), id="the date is that of the window's zone"
        ),
    ],
)
def test_the_day_of_a_step(day: date, not_before: str, expected: date) -> None:
    due = due_at(CHINA, "d/1/1", day, datetime.fromisoformat(not_before))
    assert due.astimezone(ZoneInfo(CHINA.zone)).date() == expected


def test_an_instant_that_has_passed_becomes_the_same_instant_of_the_next_day() -> None:
    picked = due_at(CHINA, "d/1/1", date(2026, 3, 2), LONG_AGO)
    assert due_at(CHINA, "d/1/1", date(2026, 3, 2), picked) == picked
    late = picked + timedelta(microseconds=1)
    assert due_at(CHINA, "d/1/1", date(2026, 3, 2), late) == picked + timedelta(days=1)


def test_the_instant_is_always_the_same() -> None:
    """37,089 seconds after the opening: the first 8 bytes of SHA-256 of "d/1/1", modulo the window's 43,200."""
    assert due_at(CHINA, "d/1/1", date(2026, 3, 2), LONG_AGO) == datetime(2026, 3, 2, 10, 18, 9, tzinfo=UTC)


@given(
    name=st.text(max_size=20),
    day=st.dates(date(2026, 1, 1), date(2027, 1, 1)),
    hours=st.integers(-2000, 10_000),
    window=st.sampled_from([CHINA, BERLIN]),
)
def test_a_step_is_due_inside_the_window_and_never_in_the_past(
    name: str, day: date, hours: int, window: Window
) -> None:
    not_before = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
    due = due_at(window, name, day, not_before)
    assert due >= not_before
    assert window.opens <= due.astimezone(ZoneInfo(window.zone)).time() < window.closes


def test_the_declared_windows_cover_china_by_its_own_clock() -> None:
    assert read_windows()["CN"] == CHINA
