"""A circuit breaker: a provider that fails again and again is left alone for a while, then tried with one call."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from services.outreach.contacts.ports import PutOffError

DOUBLING_ENDS = 5
"""So often does the time double for which a provider is left alone."""


class Circuit(IntEnum):
    """How a circuit stands: calls pass, one call is being tried, no call passes."""

    CLOSED = 0
    TRYING = 1
    OPEN = 2


class Ticket(NamedTuple):
    """Leave for one call; a call that ends after the circuit has changed says nothing any more."""

    change: int


@dataclass(slots=True)
class Breaker:
    """The circuit of one provider in this process. `shown` is told of every change."""

    failures: int
    seconds: float
    now: Callable[[], float] = time.monotonic
    shown: Callable[[Circuit], None] = lambda _circuit: None
    circuit: Circuit = Circuit.CLOSED
    _failed: int = 0
    _opened: int = 0
    _until: float = 0.0
    _change: int = 0

    def check(self) -> None:
        """Raise PutOffError where no call may pass."""
        left = self.seconds if self.circuit is Circuit.TRYING else self._until - self.now()
        if self.circuit is not Circuit.CLOSED and left > 0:
            raise PutOffError("the provider fails, and is left alone for a while", left)

    def admit(self) -> Ticket:
        """Leave for one call. Raises PutOffError while there is none."""
        self.check()
        if self.circuit is Circuit.OPEN:
            self._turn(Circuit.TRYING)
        return Ticket(self._change)

    def ended(self, ticket: Ticket, *, well: bool) -> None:
        """How a call ended: well where the provider answered, whatever it said of the message."""
        if ticket.change != self._change:
            return
        if well:
            self._failed, self._opened = 0, 0
            if self.circuit is Circuit.TRYING:
                self._turn(Circuit.CLOSED)
            return
        self._failed += 1
        if self.circuit is Circuit.TRYING or self._failed >= self.failures:
            self._until = self.now() + self.seconds * 2 ** min(self._opened, DOUBLING_ENDS)
            self._opened += 1
            self._turn(Circuit.OPEN)

    def _turn(self, circuit: Circuit) -> None:
        self.circuit, self._failed = circuit, 0
        self._change += 1
        self.shown(circuit)
