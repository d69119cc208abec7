"""The clock of measured processes: it shows an instant of our choice, and may run faster than the machine's.

Nothing falls due by day then, whenever a benchmark is run; and the minute for which a plan waits need not be waited for
in full: it is no work, and at any rate above a thousand loans a second there is company enough within a second.
"""

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec


@dataclass(frozen=True, slots=True)
class EveningClock:
    """Shows `evening` at the machine's instant `began`, and from then on passes `speed` seconds in one."""

    evening: datetime
    began: float
    speed: float = 1.0

    def now(self) -> datetime:
        """The instant it shows, in UTC."""
        return (self.evening + timedelta(seconds=(time.time() - self.began) * self.speed)).astimezone(UTC)

    def elapsed(self) -> float:
        """Seconds since the machine's start: how long something takes is measured, not pretended."""
        return time.monotonic()

    def hang(self, file: Path) -> None:
        """Let every process that follows the file show what this clock shows, each at its own speed."""
        written = file.with_suffix(".new")
        written.write_bytes(msgspec.json.encode((self.evening, self.began)))
        written.replace(file)


class FollowedClock:
    """Shows what a clock shows that somebody hangs up, and follows when it is moved."""

    def __init__(self, file: Path, speed: float) -> None:
        """Read it for the first time; there must be one."""
        self._file, self._speed = file, speed
        self._changed = (0, 0)
        self._clock = self._read()

    def now(self) -> datetime:
        """The instant it shows, in UTC."""
        return self._read().now()

    def elapsed(self) -> float:
        """Seconds since the machine's start."""
        return self._clock.elapsed()

    def _read(self) -> EveningClock:
        stat = os.stat(self._file)  # noqa: PTH116  # it is asked several times in every turn
        if (stat.st_ino, stat.st_mtime_ns) != self._changed:
            evening, began = msgspec.json.decode(self._file.read_bytes(), type=tuple[datetime, float])
            self._clock = EveningClock(evening, began, self._speed)
            self._changed = (stat.st_ino, stat.st_mtime_ns)
        return self._clock
