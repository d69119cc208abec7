"""How often one caller may ask: a bucket of tokens for each, filled at a steady rate, in this process alone.

Who shows a token of ours is that caller, whatever address they come from; everybody else is an address. So neither a
partner's client that runs wild nor somebody who guesses at tokens takes the answers of the others.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.http.auth import Machines, Role, Tokens
from shared.http.problems import Problem, response_of

BURST_SECONDS: Final = 10
"""A bucket holds what comes in so many seconds: who has been quiet may ask at once for a while."""

MOST_CALLERS: Final = 10_000
"""Buckets that are kept; the one that was used longest ago goes first, and would begin full again."""

FREE: Final = frozenset({"/livez", "/readyz", "/metrics"})
"""Asked by those who watch over the process: an answer that says "too often" would have it ended."""


@dataclass(slots=True)
class _Bucket:
    level: float
    at: float


@dataclass(slots=True)
class Rates:
    """The buckets of all callers. `now` never goes back; it is an argument for tests only."""

    per_second: int
    now: Callable[[], float] = time.monotonic
    _buckets: OrderedDict[str, _Bucket] = field(default_factory=OrderedDict)

    def wait(self, caller: str) -> float:
        """Take a token: 0 where there is one, else in how many seconds there will be."""
        most, now = float(self.per_second * BURST_SECONDS), self.now()
        bucket = self._buckets.setdefault(caller, _Bucket(most, now))
        self._buckets.move_to_end(caller)
        if len(self._buckets) > MOST_CALLERS:
            self._buckets.popitem(last=False)
        bucket.level = min(most, bucket.level + (now - bucket.at) * self.per_second)
        bucket.at = now
        if bucket.level < 1:
            return (1 - bucket.level) / self.per_second
        bucket.level -= 1
        return 0.0


class Paced:
    """Answers 429 to whoever asks too often, before anything of the request is read."""

    def __init__(self, app: ASGIApp, *, rates: Rates, tokens: Tokens, machines: Machines | None = None) -> None:
        self.app, self.rates, self.tokens, self.machines = app, rates, tokens, machines

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or say when to come again."""
        if scope["type"] != "http" or scope["path"] in FREE or not (wait := self.rates.wait(self._caller(scope))):
            await self.app(scope, receive, send)
            return
        often = f"One caller may ask {self.rates.per_second} times a second."
        problem = Problem(429, "Too many requests", often, headers={"Retry-After": str(math.ceil(wait))})
        await response_of(problem, scope["state"]["request_id"])(scope, receive, send)

    def _caller(self, scope: Scope) -> str:
        scheme, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
        named = self._named(token) if scheme.lower() == "bearer" else ""
        return named or f"address {(scope.get('client') or ('', 0))[0]}"

    def _named(self, token: str) -> str:
        known = self.tokens.find(token)
        if known is not None:
            return known.actor
        machine = self.machines.named(token) if self.machines is not None else ""
        return f"{Role.AGENCY}/{machine}" if machine else ""
