"""Hours of the day, half open on the second, and which of them are open on which day."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from services.outreach.compliance.domain.zones import DAY, Zone

SEARCHED_DAYS = 400
"""How far hours are looked for: every pattern of weekdays and clock changes recurs within a year."""

Range = tuple[int, int]
"""Seconds of the day: from, and until."""


@dataclass(frozen=True, slots=True)
class Week:
    """Which hours are open: by weekday from Monday on, and on holidays, where those are days of their own kind."""

    days: tuple[tuple[Range, ...], ...]
    holiday: tuple[Range, ...] | None = None

    def on(self, day: int, holidays: Collection[int] = ()) -> tuple[Range, ...]:
        """The hours of a day, counted from 1970."""
        if self.holiday is not None and day in holidays:
            return self.holiday
        return self.days[(day + 3) % 7]  # 1970-01-01 was a Thursday

    def is_open(self, wall: int, holidays: Collection[int] = ()) -> bool:
        """Whether a clock shows an open hour."""
        day, second = divmod(wall, DAY)
        return any(opens <= second < closes for opens, closes in self.on(day, holidays))

    def opening(self, zone: Zone, instant: int, holidays: Collection[int] = ()) -> int | None:
        """The first instant, from `instant` on, that is open in a zone."""
        last = instant + SEARCHED_DAYS * DAY
        while instant < last:
            day, second = divmod(zone.wall(instant), DAY)
            opens = min((max(o, second) for o, closes in self.on(day, holidays) if second < closes), default=DAY)
            if opens == second:
                return instant
            instant = zone.toward(instant, day * DAY + opens)
        return None


def daily(ranges: Iterable[Range]) -> Week:
    """The same hours every day."""
    return Week((tuple(ranges),) * 7)


def left_out(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """The hours of a day that ranges leave out."""
    left, since = [], 0
    for opens, closes in sorted(ranges):
        if since < opens:
            left.append((since, opens))
        since = max(since, closes)
    return (*left, (since, DAY)) if since < DAY else tuple(left)


def across_midnight(opens: int, closes: int) -> tuple[Range, ...]:
    """The ranges of a day that hours cover; those that end before they begin go on past midnight."""
    return ((opens, closes),) if opens < closes else tuple(r for r in ((0, closes), (opens, DAY)) if r[0] < r[1])


def second_of_day(text: str) -> int | None:
    """A second of the day from HH:MM or HH:MM:SS, 24:00 included; None where it is none."""
    match = re.fullmatch(r"(\d\d):(\d\d)(?::(\d\d))?", text)
    if match is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    second = hours * 3600 + minutes * 60 + seconds
    return second if minutes < 60 and seconds < 60 and second <= DAY else None  # noqa: PLR2004


def clock(second: int) -> str:
    """A second of the day as HH:MM:SS, or HH:MM where it is a whole minute."""
    minutes, seconds = divmod(second, 60)
    shown = f"{minutes // 60:02}:{minutes % 60:02}"
    return f"{shown}:{seconds:02}" if seconds else shown


def shown(ranges: Iterable[Range]) -> str:
    """Ranges as people write them."""
    return ", ".join(f"{clock(opens)}-{clock(closes)}" for opens, closes in ranges)
