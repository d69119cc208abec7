"""A provider that fails again and again is left alone for a while, then tried with one call."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from services.outreach.contacts.ports import (
    Message,
    NotTakenError,
    PutOffError,
    Receipt,
    RefusedError,
    UnansweredError,
)
from services.outreach.sending.breaker import Breaker, Circuit
from services.outreach.sending.guarded import GuardedGateway, shown_as
from services.outreach.sending.last_look import LastLook
from shared.observability import metrics

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)


@dataclass
class Provider:
    """Does what is asked of it next; without that, takes everything."""

    takes_once: bool = True
    next: list[Exception] = field(default_factory=list)
    asked: int = 0
    slow: float = 0.0

    async def send(self, message: Message) -> Receipt:
        self.asked += 1
        await asyncio.sleep(self.slow)
        if self.next:
            raise self.next.pop(0)
        return Receipt("r", "sent")

    async def look_up(self, key: str) -> Receipt | None:
        self.asked += 1
        return None


class AllStand:
    """Nothing has been stopped."""

    async def standing(self, contacts: Mapping[str, str]) -> Collection[str]:
        return set(contacts)


@dataclass
class Rig:
    provider: Provider = field(default_factory=Provider)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.breaker = Breaker(3, 30.0, now=lambda: self.seconds, shown=shown_as("test"))
        self.gateway = GuardedGateway("test", self.provider, self.breaker, None, LastLook(AllStand()), lambda: NOON)

    def circuit(self) -> Circuit:
        return self.breaker.circuit

    def send(self, left: float = 60) -> str:
        message = Message(
            key="k",
            contact_id="c",
            debtor_id="d",
            lender_id="l",
            channel="sms",
            template="t",
            sent_at=NOON,
            permit="p",
            expires_at=NOON + timedelta(seconds=left),
        )
        try:
            return asyncio.run(self.gateway.send(message)).reference
        except (RefusedError, NotTakenError, UnansweredError, PutOffError) as error:
            return type(error).__name__

    def fail(self, times: int) -> None:
        self.provider.next = [UnansweredError() for _ in range(times)]
        assert [self.send() for _ in range(times)] == ["UnansweredError"] * times


def test_the_circuit_opens_after_failures_in_a_row_and_then_nothing_is_called() -> None:
    rig = Rig()
    rig.fail(3)
    assert [rig.send() for _ in range(5)] == ["PutOffError"] * 5
    with pytest.raises(PutOffError) as put_off:
        asyncio.run(rig.gateway.look_up("k"))
    assert put_off.value.seconds == 30
    assert rig.provider.asked == 3


def test_an_answer_between_failures_keeps_it_closed() -> None:
    rig = Rig()
    for _ in range(4):
        rig.fail(2)
        assert rig.send() == "r"
    assert rig.circuit() is Circuit.CLOSED


def test_a_refusal_is_an_answer_and_what_was_not_taken_a_failure() -> None:
    rig = Rig()
    rig.provider.next = [NotTakenError("busy"), NotTakenError("busy"), RefusedError("no"), NotTakenError("busy")]
    for _ in range(4):
        rig.send()
    assert rig.circuit() is Circuit.CLOSED
    rig.provider.next = [NotTakenError("busy"), NotTakenError("busy")]
    rig.send()
    rig.send()
    assert rig.circuit() is Circuit.OPEN


def test_after_a_while_one_call_tries_it_and_closes_it_again() -> None:
    rig = Rig()
    rig.fail(3)
    rig.seconds = 30
    assert rig.send() == "r"
    assert rig.send() == "r"
    assert rig.circuit() is Circuit.CLOSED


def test_a_trial_that_fails_opens_it_again_for_twice_as_long() -> None:
    rig = Rig()
    rig.fail(3)
    rig.seconds = 30
    rig.fail(1)
    rig.seconds = 89
    assert rig.send() == "PutOffError"
    rig.seconds = 90
    assert rig.send() == "r"
    rig.fail(3)
    rig.seconds = 120
    assert rig.send() == "r"


def test_while_one_call_tries_it_no_other_passes() -> None:
    breaker = Breaker(1, 30.0, now=lambda: 40.0)
    breaker.ended(breaker.admit(), well=False)
    breaker.now = lambda: 70.0
    trial = breaker.admit()
    with pytest.raises(PutOffError):
        breaker.admit()
    breaker.ended(trial, well=True)
    breaker.admit()


def test_calls_from_before_it_opened_say_nothing_afterwards() -> None:
    seconds = [0.0]
    breaker = Breaker(2, 30.0, now=lambda: seconds[0])
    tickets = [breaker.admit() for _ in range(5)]
    for ticket in tickets[:2]:
        breaker.ended(ticket, well=False)
    seconds[0] = 20.0
    breaker.ended(tickets[2], well=False)
    breaker.ended(tickets[3], well=True)
    with pytest.raises(PutOffError):
        breaker.check()
    seconds[0] = 30.0
    trial = breaker.admit()
    breaker.ended(tickets[4], well=False)
    breaker.ended(trial, well=True)
    assert breaker.circuit is Circuit.CLOSED


def test_how_it_stands_is_a_metric() -> None:
    rig = Rig()
    series = 'provider_circuit_state{provider="test",service="outreach"}'
    assert f"{series} 0.0" in metrics.exposition("outreach").decode()
    rig.fail(3)
    assert f"{series} 2.0" in metrics.exposition("outreach").decode()


def test_a_provider_that_is_silent_until_the_permit_expires_leaves_a_doubt() -> None:
    rig = Rig(Provider(slow=30))
    assert rig.send(left=0.05) == "UnansweredError"


def test_nobody_is_asked_once_the_permit_has_expired() -> None:
    rig = Rig()
    assert rig.send(left=0) == "PutOffError"
    assert rig.provider.asked == 0
