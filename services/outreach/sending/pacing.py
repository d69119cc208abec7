"""How fast a provider is asked: by tokens, which workers take in blocks from one bucket, on the database's clock.

A token may be used from the moment at which it begins until it lapses `slack` seconds later; tokens begin so far apart
that in any window of a second, and of a minute, no more than the configured number can be used, by whatever workers,
whenever each of them comes to use its own. What that costs is `slack` of the rate.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from services.outreach.contacts.ports import PutOffError

_MICROSECOND = 1_000_000
_LEAST_PAUSE = 5.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a provider may be asked in any second and in any minute."""

    per_second: int
    per_minute: int
    slack: float = 0.25

    @property
    def spacing(self) -> float:
        """How many seconds lie between the beginnings of two tokens, in whole microseconds."""
        least = max((1 + self.slack) / self.per_second, (60 + self.slack) / self.per_minute)
        return math.ceil(least * _MICROSECOND) / _MICROSECOND

    @property
    def block(self) -> int:
        """The most tokens that are taken at once: those of about a second."""
        return max(1, int(1 / self.spacing))


class Grant(NamedTuple):
    """A block of tokens: in how many seconds the first begins, seen from some moment between asking and the answer."""

    first: float
    many: int


class Reservoir(Protocol):
    """Where tokens come from: one bucket for each provider and channel, whichever workers ask."""

    async def claim(self, provider: str, channel: str, many: int, spacing: float, horizon: float) -> Grant | None:
        """A block of tokens; None where the first would begin after `horizon` seconds. Raises PutOffError."""

    async def behind(self, provider: str, channel: str) -> float:
        """For how many seconds from now tokens are given already. Raises PutOffError."""


class Token(NamedTuple):
    """Leave to ask a provider once, from one moment to another."""

    begins: float
    lapses: float


@dataclass(slots=True)
class Pacer:
    """One worker's share of a bucket. `now` never goes back; both are arguments for tests only."""

    reservoir: Reservoir
    provider: str
    channel: str
    pace: Pace
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _tokens: deque[Token] = field(default_factory=deque)
    _waiting: int = 0
    _promised: float = float("-inf")
    _taking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def turn(self, patience: float) -> Token:
        """Wait until the provider may be asked. Raises PutOffError where that is not within `patience` seconds."""
        until = self.now() + patience
        self._waiting += 1
        try:
            while not await self._has_begun(token := await self._token(until)):
                pass
        finally:
            self._waiting -= 1
        return token

    def counts(self, token: Token) -> bool:
        """Whether a token that has begun may still be used."""
        return self.now() < token.lapses

    def give_back(self, token: Token) -> None:
        """Leave a token that was not used to whoever comes next, until it lapses."""
        self._tokens.appendleft(token)

    async def _has_begun(self, token: Token) -> bool:
        """Wait for a token to begin; it has lapsed where this process was held up meanwhile."""
        while (left := token.begins - self.now()) > 0:
            await self.sleep(max(left, 1 / _MICROSECOND))  # what is less may be lost in a clock's rounding
        return self.counts(token)

    async def _token(self, until: float) -> Token:
        async with self._taking:
            while self._tokens and self._tokens[0].lapses <= self.now():
                self._tokens.popleft()
            if not self._tokens:
                await self._claim(until)
            if self._tokens[0].begins >= until:
                raise PutOffError("the provider is asked as often as it may be", await self._pause())
            return self._tokens.popleft()

    async def _claim(self, until: float) -> None:
        """Take a block. When it was given is not known exactly: a token begins late, and lapses early."""
        asked, spacing = self.now(), self.pace.spacing
        many = min(self.pace.block, max(1, self._waiting))
        grant = await self.reservoir.claim(self.provider, self.channel, many, spacing, max(0.0, until - asked))
        if grant is None:
            raise PutOffError("the provider is asked as often as it may be", await self._pause())
        heard = self.now()
        begins = [grant.first + place * spacing for place in range(grant.many)]
        self._tokens.extend(Token(heard + each, asked + each + self.pace.slack) for each in begins)

    async def _pause(self) -> float:
        """When to come again: one after the other, no faster than the provider may be asked."""
        behind = await self.reservoir.behind(self.provider, self.channel)
        now = self.now()
        self._promised = max(self._promised + self.pace.spacing, now + max(_LEAST_PAUSE, behind))
        return self._promised - now
