"""A gateway for demos and tests: it reaches nobody, keeps a log of its own, and lets a made-up debtor answer.

It takes nothing without a permit of ours that has not expired, and each key once. How a debtor answers follows from the
seed and the key alone, so that it is the same however often and in whatever order it is asked.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from services.outreach.contacts.permits import NoPermitError, opened
from services.outreach.contacts.ports import Message, Receipt, RefusedError

PHONE_ANSWERS: Mapping[str, int] = {
    "conversation": 35,
    "connected": 10,
    "voicemail": 5,
    "no_answer": 40,
    "failed": 10,
}
"""How many of a hundred calls end so."""


@dataclass(frozen=True, slots=True)
class Taken:
    """One message that was taken."""

    key: str
    permit_id: str
    debtor_id: str
    channel: str
    template: str
    taken_at: datetime
    outcome: str


class GatewayLog(Protocol):
    """What the gateway remembers, for ever."""

    async def take(self, taken: Taken) -> Taken:
        """Keep a message unless its key is known; return what is kept under it. Raises UnansweredError."""

    async def find(self, key: str) -> Taken | None:
        """What is kept under a key. Raises UnansweredError."""

    async def drop(self, key: str) -> bool:
        """Keep a message no longer; whether it was kept. Raises UnansweredError."""


@dataclass(slots=True)
class MemoryGatewayLog:
    """A log in memory."""

    taken: dict[str, Taken] = field(default_factory=dict)

    async def take(self, taken: Taken) -> Taken:
        """Keep a message unless its key is known."""
        return self.taken.setdefault(taken.key, taken)

    async def find(self, key: str) -> Taken | None:
        """What is kept under a key."""
        return self.taken.get(key)

    async def drop(self, key: str) -> bool:
        """Keep a message no longer."""
        return self.taken.pop(key, None) is not None


@dataclass(frozen=True, slots=True)
class SandboxGateway:
    """Takes what is permitted. `public_key` checks permits; `seed` decides how debtors answer.

    queues: whether messages wait for ever, so that they can be pulled; else each is delivered as it is taken.
    """

    log: GatewayLog
    public_key: bytes
    seed: int = 1
    takes_once: bool = True
    queues: bool = False

    async def send(self, message: Message) -> Receipt:
        """Take a message under its permit. Raises RefusedError, UnansweredError."""
        self._check(message)
        taken = Taken(
            key=message.key,
            permit_id=message.contact_id,
            debtor_id=message.debtor_id,
            channel=message.channel,
            template=message.template,
            taken_at=message.sent_at,
            outcome=outcome(self.seed, message.channel, message.key),
        )
        return _receipt(await self.log.take(taken))

    def _check(self, message: Message) -> None:
        try:
            permit = opened(message.permit, self.public_key)
        except NoPermitError:
            raise RefusedError("no permit of ours") from None
        if (permit.key, permit.debtor_id, permit.channel) != (message.key, message.debtor_id, message.channel):
            raise RefusedError("the permit is for another contact")
        if not permit.permitted_at <= message.sent_at < permit.expires_at:
            raise RefusedError("the permit has expired")

    async def look_up(self, key: str) -> Receipt | None:
        """What became of a message. Raises UnansweredError."""
        found = await self.log.find(key)
        return None if found is None else _receipt(found)

    async def pull(self, key: str) -> bool:
        """Let go of a message that waits. Raises UnansweredError."""
        return self.queues and await self.log.drop(key)


def outcome(seed: int, channel: str, key: str) -> str:
    """How the debtor answers: a message is sent, a call ends in one of several ways."""
    if channel != "phone":
        return "sent"
    drawn = int.from_bytes(hashlib.sha256(f"{seed}/{key}".encode()).digest()[:8]) % 100
    for answer, share in PHONE_ANSWERS.items():
        if drawn < share:
            return answer
        drawn -= share
    raise AssertionError(drawn)


def _receipt(taken: Taken) -> Receipt:
    return Receipt(reference=f"sandbox/{taken.key}", outcome=taken.outcome)
