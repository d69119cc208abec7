"""The last look before a message leaves: whether a stop has come while it was written and waited for its turn.

A permit is judged once, and then waits: for its text, for a token, for others. A payment or a hold that was committed
meanwhile has ended the plan that the contact is for. One look reads of all messages that wait, and is that of everyone
whose turn comes within less time than a call is on its way.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from services.outreach.contacts.ports import Message, PutOffError, StoppedError

SHARED_FOR = 0.1
"""For how many seconds after a look began others take it for their own."""


class Register(Protocol):
    """Where it is known which contacts are still to be made."""

    async def standing(self, contacts: Mapping[str, str]) -> Collection[str]:
        """Which of these contacts, each with its debtor, no stop has overtaken. Raises PutOffError."""


class _Look(NamedTuple):
    began: float
    asked: Mapping[str, str]
    standing: "asyncio.Task[Collection[str]]"


@dataclass(slots=True)
class LastLook:
    """Of one process, for all its providers. `now` never goes back; it is an argument for tests only."""

    register: Register
    now: Callable[[], float] = time.monotonic
    _waiting: dict[str, str] = field(default_factory=dict)
    _latest: _Look | None = None

    @contextmanager
    def waiting(self, message: Message) -> Iterator[None]:
        """While a message waits for its turn, every look is for it too."""
        self._waiting[message.contact_id] = message.debtor_id
        try:
            yield
        finally:
            self._waiting.pop(message.contact_id, None)

    async def check(self, message: Message, left: float) -> None:
        """Raise StoppedError where a stop has come, and PutOffError where that is not known within `left` seconds."""
        try:
            async with asyncio.timeout(left):
                standing = await asyncio.shield(self._look_for(message).standing)
        except TimeoutError:
            raise PutOffError("the permit has expired", 0.0) from None
        if message.contact_id not in standing:
            raise StoppedError("it was stopped meanwhile")

    def _look_for(self, message: Message) -> _Look:
        look, now = self._latest, self.now()
        if look is None or message.contact_id not in look.asked or now - look.began >= SHARED_FOR:
            asked = dict(self._waiting)
            look = self._latest = _Look(now, asked, asyncio.ensure_future(self.register.standing(asked)))
        return look
