"""A provider behind its circuit breaker, its pace, and a last look at what has been stopped."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from services.outreach.contacts.ports import (
    Gateway,
    Message,
    NotTakenError,
    Pulling,
    PutOffError,
    Receipt,
    RefusedError,
    StoppedError,
    UnansweredError,
)
from services.outreach.sending.breaker import Breaker, Circuit
from services.outreach.sending.last_look import LastLook
from services.outreach.sending.pacing import Pacer
from shared.observability.metrics import PROVIDER_CALLS, PROVIDER_CIRCUIT_STATE

SERVICE = "outreach"

_WORDS = {RefusedError: "refused", NotTakenError: "not_taken", UnansweredError: "unanswered"}

AnswerT = TypeVar("AnswerT")


def shown_as(provider: str) -> Callable[[Circuit], None]:
    """Shows the circuit of a provider as a metric."""
    gauge = PROVIDER_CIRCUIT_STATE.labels(SERVICE, provider)
    gauge.set(Circuit.CLOSED)
    return gauge.set


@dataclass(frozen=True, slots=True)
class GuardedGateway:
    """One channel of a provider; the breaker is that of all its channels."""

    provider: str
    gateway: Gateway
    breaker: Breaker
    pacer: Pacer | None
    last_look: LastLook
    now: Callable[[], datetime]

    @property
    def takes_once(self) -> bool:
        """As the provider does."""
        return self.gateway.takes_once

    async def send(self, message: Message) -> Receipt:
        """Have the provider take a message before its permit expires; nobody is asked later, nor after a stop.

        How long that is follows from the message alone, which comes as it is written: both its times are by one clock.
        """
        self.breaker.check()  # spares the tokens where the provider would not be asked anyway
        until = self.now() + (message.expires_at - message.sent_at if message.expires_at else timedelta())
        with self.last_look.waiting(message):
            while not await self._its_turn(message, until):
                pass
        return await self._asked(lambda: self._in_time(message, until))

    async def _its_turn(self, message: Message, until: datetime) -> bool:
        """Wait for a token and look whether a stop has come; False where the token has lapsed by then.

        The token is for whoever comes next where the message is not to leave. Raises PutOffError, StoppedError.
        """
        if self.pacer is None:
            await self._look(message, until)
            return True
        token = await self.pacer.turn(self._left(until))
        try:
            await self._look(message, until)
        except (PutOffError, StoppedError):
            self.pacer.give_back(token)
            raise
        return self.pacer.counts(token)

    async def _look(self, message: Message, until: datetime) -> None:
        await self.last_look.check(message, self._left(until))
        if self._left(until) <= 0:
            raise PutOffError("the permit has expired", 0.0)

    async def look_up(self, key: str) -> Receipt | None:
        """Ask what became of a message."""
        return await self._asked(lambda: self.gateway.look_up(key))

    async def pull(self, key: str) -> bool:
        """Have a message not delivered, where the provider can do that."""
        if not isinstance(self.gateway, Pulling):
            return False
        pulling = self.gateway
        return await self._asked(lambda: pulling.pull(key))

    def _left(self, until: datetime) -> float:
        return (until - self.now()).total_seconds()

    async def _in_time(self, message: Message, until: datetime) -> Receipt:
        try:
            async with asyncio.timeout(self._left(until)):
                return await self.gateway.send(message)
        except TimeoutError:
            raise UnansweredError from None

    async def _asked(self, call: Callable[[], Awaitable[AnswerT]]) -> AnswerT:
        """Whatever ends a call otherwise, its being cancelled too, counts as a failure of the provider."""
        ticket, word = self.breaker.admit(), "failed"
        try:
            answer = await call()
            word = "answered"
        except (RefusedError, NotTakenError, UnansweredError) as error:
            word = _WORDS[type(error)]
            raise
        finally:
            self.breaker.ended(ticket, well=word in {"answered", "refused"})
            PROVIDER_CALLS.labels(SERVICE, self.provider, word).inc()
        return answer
