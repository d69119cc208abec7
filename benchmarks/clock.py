"""The clock of measured processes: it begins at an evening of our choice, and may run faster than the machine's.

Nothing falls due by day then, whenever a benchmark is run; and the minute for which a plan waits need not be waited for
in full: it is no work, and at any rate above a thousand loans a second there is company enough within a second.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


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
