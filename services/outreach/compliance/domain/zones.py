"""Time zones as arithmetic on whole seconds since 1970, exact at every change of the clock.

An instant is a number of seconds in UTC, a wall is what the clock of a zone shows, as seconds since 1970-01-01 00:00 on
that clock. The offsets of a UTC day are looked up once and kept.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

DAY = 86_400
EPOCH = date(1970, 1, 1).toordinal()

LONG_AGO, NEVER = -62_000_000_000, 253_000_000_000
"""The years 5 and 9987 in seconds since 1970: so far off that they stand for without beginning and without end."""

Stretch = tuple[int, int]
"""Until which instant an offset holds, and the offset."""


class Zone:
    """An IANA zone. Raises ZoneInfoNotFoundError for a name that is none."""

    __slots__ = ("_days", "info", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.info = ZoneInfo(name)
        self._days: dict[int, tuple[Stretch, ...]] = {}

    def __repr__(self) -> str:
        return f"Zone({self.name!r})"

    def wall(self, instant: int) -> int:
        """What the clock shows."""
        for until, offset in self._stretches(instant // DAY):
            if instant < until:
                return instant + offset
        raise AssertionError  # the last stretch of a day ends with the day

    def toward(self, instant: int, wall: int) -> int:
        """The instant at which the clock shows `wall`, or the next at which it may jump, whichever comes first."""
        for until, offset in self._stretches(instant // DAY):
            if instant < until:
                return min(until, max(instant, wall - offset))
        raise AssertionError

    def reach(self, instant: int, wall: int) -> int:
        """The first instant, from `instant` on, at which the clock shows `wall` or later."""
        instant = max(instant, wall - DAY)  # no clock is a whole day from UTC
        while self.wall(instant) < wall:
            instant = self.toward(instant, wall)
        return instant

    def day(self, instant: int) -> int:
        """The civil date, as days since 1970."""
        return self.wall(instant) // DAY

    def _stretches(self, day: int) -> tuple[Stretch, ...]:
        known = self._days.get(day)
        if known is None:
            known = self._days[day] = tuple(self._look_up(day * DAY, (day + 1) * DAY))
        return known

    def _look_up(self, start: int, end: int) -> Sequence[Stretch]:
        hours = [(at, self._offset(at)) for at in range(start, end + 1, 3600)]
        changes = [
            (self._change(earlier, later), before)
            for (earlier, before), (later, after) in pairwise(hours)
            if before != after
        ]
        return [(at, offset) for at, offset in changes if at < end] + [(end, self._offset(end - 1))]

    def _change(self, earlier: int, later: int) -> int:
        before = self._offset(earlier)
        while later - earlier > 1:
            middle = (earlier + later) // 2
            earlier, later = (middle, later) if self._offset(middle) == before else (earlier, middle)
        return later

    def _offset(self, instant: int) -> int:
        within = min(max(instant, LONG_AGO), NEVER)
        offset = datetime.fromtimestamp(within, UTC).astimezone(self.info).utcoffset()
        return int(offset.total_seconds()) if offset is not None else 0


@lru_cache(maxsize=1024)
def zone_named(name: str) -> Zone:
    """The one Zone of a name."""
    return Zone(name)


def second_of(instant: datetime) -> int:
    """The second in which an instant lies. Raises ValueError for one without a zone, or beyond the calendar."""
    if instant.utcoffset() is None:
        raise ValueError("an instant needs a zone or an offset")
    second = int(instant.timestamp() // 1)
    if not LONG_AGO < second < NEVER:
        raise ValueError("an instant lies beyond the calendar")
    return second


def day_number(day: date) -> int:
    """A date as days since 1970."""
    return day.toordinal() - EPOCH
