"""When in the day a step falls due: inside the lawful window, spread so that its opening is not a stampede."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Window:
    """The hours of a day, half open, in which debtors of a jurisdiction may be reached: wall clock of `zone` (IANA)."""

    zone: str
    opens: time
    closes: time

    def day_of(self, instant: datetime) -> date:
        """The civil date in the window's zone."""
        return instant.astimezone(ZoneInfo(self.zone)).date()


@lru_cache(maxsize=4096)
def hours_of(window: Window, day: date) -> tuple[datetime, int]:
    """The instant (UTC) at which the window opens that day, and how many seconds it stays open."""
    zone = ZoneInfo(window.zone)
    opens = datetime.combine(day, window.opens, zone).astimezone(UTC)
    closes = datetime.combine(day, window.closes, zone).astimezone(UTC)
    return opens, int((closes - opens).total_seconds())


def due_at(window: Window, name: str, day: date, not_before: datetime) -> datetime:
    """The instant on `day` that the name's hash picks from the window, to the second; never before `not_before`.

    A moment of today that has passed becomes the same moment of tomorrow: to squeeze what is left of today would make
    the stampede at closing time that the spread is there to prevent.
    """
    digest = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])
    day = max(day, window.day_of(not_before))
    picked = _picked(window, digest, day)
    return picked if picked >= not_before else _picked(window, digest, day + timedelta(days=1))


def _picked(window: Window, digest: int, day: date) -> datetime:
    opens, seconds = hours_of(window, day)
    return opens + timedelta(seconds=digest % seconds)
