"""Where the time comes from: only the runtime asks; handlers are told."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Something that knows the present instant."""

    def now(self) -> datetime:
        """The present instant, in UTC."""

    def elapsed(self) -> float:
        """Seconds since some moment, for how long something lasts: they never go back."""


class SystemClock:
    """The machine's clock, for production."""

    def now(self) -> datetime:
        """The present instant, in UTC."""
        return datetime.now(UTC)

    def elapsed(self) -> float:
        """Seconds since the machine's start."""
        return time.monotonic()


class VirtualClock:
    """A clock that stands still until it is set, for stepped mode and tests."""

    def __init__(self, instant: datetime) -> None:
        """Stand at `instant`, which must carry an offset."""
        self._instant = _aware(instant)

    def now(self) -> datetime:
        """The instant it was last set to, in UTC."""
        return self._instant

    def elapsed(self) -> float:
        """Seconds since the machine's start: waiting for a broker takes real time even where the date stands still."""
        return time.monotonic()

    def set(self, instant: datetime) -> None:
        """Move to `instant`, forwards or backwards. Raises ValueError without an offset."""
        self._instant = _aware(instant)


def _aware(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        message = f"{instant.isoformat()} has no offset, so it is no instant"
        raise ValueError(message)
    return instant.astimezone(UTC)
