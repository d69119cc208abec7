"""Clocks tell instants in UTC."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from shared.clock import SystemClock, VirtualClock

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_a_virtual_clock_stands_still_until_it_is_set() -> None:
    clock = VirtualClock(NOON)
    assert clock.now() == clock.now() == NOON
    clock.set(NOON + timedelta(days=1))
    assert clock.now() == NOON + timedelta(days=1)


def test_a_virtual_clock_tells_other_offsets_in_utc() -> None:
    there = datetime(2026, 1, 1, 13, tzinfo=timezone(timedelta(hours=1)))
    assert VirtualClock(there).now().isoformat() == "2026-01-01T12:00:00+00:00"


@pytest.mark.parametrize("act", [VirtualClock, VirtualClock(NOON).set], ids=["made", "set"])
def test_a_time_without_offset_is_no_instant(act: object) -> None:
    assert callable(act)
    with pytest.raises(ValueError, match="no offset"):
        act(datetime(2026, 1, 1))  # noqa: DTZ001  # the point of the test


def test_the_system_clock_tells_utc_and_goes_forward() -> None:
    first, second = SystemClock().now(), SystemClock().now()
    assert first.tzinfo is UTC
    assert first <= second
