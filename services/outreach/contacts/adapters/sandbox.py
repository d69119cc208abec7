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
from services.outreach.contacts.ports import Answer, Message, Receipt, RefusedError

PHONE_ANSWERS: Mapping[str, int] = {
    "conversation": 35,
    "connected": 10,
    "voicemail": 5,
    "no_answer": 40,
    "failed": 10,
}
"""How many of a hundred calls end so."""

SAID: Mapping[str, Mapping[str, int]] = {
    "conversation": {
        "promised": 40,
        "right_party_reached": 24,
        "refused": 16,
        "asked_for_another_time": 10,
        "hardship_claimed": 5,
        "disputed": 2,
        "complained": 1,
        "opted_out": 2,
    },
    "connected": {"third_party_reached": 70, "wrong_number": 30},
    "voicemail": {"left_message": 100},
    "no_answer": {"no_answer": 100},
}
"""How many of a hundred calls that end so come to what."""

PROMISED = (100, 100, 100, 50, 30)
"""The parts of what is past due that people promise, in percent, each as often as the others."""


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
    answers: whether it tells what was said on the phone.
    """

    log: GatewayLog
    public_key: bytes
    seed: int = 1
    takes_once: bool = True
    queues: bool = False
    answers: bool = False

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
        return self._receipt(await self.log.take(taken))

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
        return None if found is None else self._receipt(found)

    def _receipt(self, taken: Taken) -> Receipt:
        said = answer(self.seed, taken.channel, taken.key) if self.answers else None
        return Receipt(reference=f"sandbox/{taken.key}", outcome=taken.outcome, answer=said)

    async def pull(self, key: str) -> bool:
        """Let go of a message that waits. Raises UnansweredError."""
        return self.queues and await self.log.drop(key)


def outcome(seed: int, channel: str, key: str) -> str:
    """How the debtor answers: a message is sent, a call ends in one of several ways."""
    if channel != "phone":
        return "sent"
    return _chosen(PHONE_ANSWERS, _drawn(f"{seed}/{key}"))


def answer(seed: int, channel: str, key: str) -> Answer | None:
    """What the debtor says on the phone; None where nothing can be heard."""
    said = SAID.get(outcome(seed, channel, key)) if channel == "phone" else None
    if said is None:
        return None
    result = _chosen(said, _drawn(f"{seed}/{key}/said"))
    percent = PROMISED[_drawn(f"{seed}/{key}/percent") % len(PROMISED)] if result == "promised" else 0
    days = 1 + _drawn(f"{seed}/{key}/days") % 7 if result in {"promised", "asked_for_another_time"} else 0
    return Answer(result, percent, days)


def _drawn(of: str) -> int:
    return int.from_bytes(hashlib.sha256(of.encode()).digest()[:8]) % 100


def _chosen(shares: Mapping[str, int], drawn: int) -> str:
    for name, share in shares.items():
        if drawn < share:
            return name
        drawn -= share
    raise AssertionError(drawn)
