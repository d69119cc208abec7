"""Dated plays with dispatch on: what is permitted, asked of a provider, and made of its word."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.outreach.contacts.adapters.sandbox import MemoryGatewayLog, SandboxGateway
from services.outreach.contacts.permits import Signer
from services.outreach.contacts.ports import Message, NotTakenError, Receipt, RefusedError, UnansweredError
from services.outreach.service import declare, with_gateway
from shared.clock import VirtualClock
from shared.contracts import intake
from shared.contracts.envelope import Event, Moment
from shared.contracts.segmentation import Channel
from tests.unit.outreach.play import (
    CLOSED,
    DEBTOR,
    LEGAL_HOLD,
    LENDER,
    SETTINGS,
    Play,
    case,
    payment,
    treatment,
)

SIGNER = Signer(bytes(32))
NOWHERE = {"sandbox": "postgresql://nobody@127.0.0.1:1/nowhere"}
LANE = declare(replace(SETTINGS, dispatch=True).with_databases(NOWHERE)).actors[0]
SMS = treatment("EARLY", (Channel.SMS, 0))


@dataclass
class Provider:
    """The sandbox, and what befalls the next messages: each is one of a provider's errors, raised before or after."""

    before: list[Exception] = field(default_factory=list)
    after: list[Exception] = field(default_factory=list)
    silent: bool = False
    queues: bool = False
    away: list[Exception] = field(default_factory=list)
    takes_once: bool = True
    log: MemoryGatewayLog = field(default_factory=MemoryGatewayLog)
    asked: list[str] = field(default_factory=list)

    @property
    def _sandbox(self) -> SandboxGateway:
        return SandboxGateway(self.log, SIGNER.public_key, queues=self.queues)

    async def send(self, message: Message) -> Receipt:
        self.asked.append("send")
        if self.before:
            raise self.before.pop(0)
        receipt = await self._sandbox.send(message)
        if self.after:
            raise self.after.pop(0)
        return receipt

    async def look_up(self, key: str) -> Receipt | None:
        self.asked.append("look up")
        if self.silent:
            raise UnansweredError
        if self.away:
            raise self.away.pop(0)
        return await self._sandbox.look_up(key)

    async def pull(self, key: str) -> bool:
        if self.away:
            raise self.away.pop(0)
        return await self._sandbox.pull(key)


class Contacting(Play):
    """A play whose errands are done as soon as they are told, or kept where the worker is said to have died."""

    def __init__(self, provider: Provider) -> None:
        super().__init__(lane=with_gateway(LANE, provider, SIGNER))
        self.provider = provider
        self.dead = False
        self.lost: list[Event[Any]] = []

    def tell(self, payload: Any, version: int = 0, *, lender_id: str = LENDER, actor: str = "system") -> list[str]:
        already = len(self.told)
        said = super().tell(payload, version, lender_id=lender_id, actor=actor)
        for each in self.told[already:]:
            if type(each.data) in self.lane.errands:
                event = Event(
                    id=str(len(self.told)),
                    type="",
                    lender_id=LENDER,
                    debtor_id=DEBTOR,
                    occurred_at=self.now.instant,
                    recorded_at=self.now.instant,
                    data=each.data,
                )
                said += self.hear(event) if not self.dead else self.lose(event)
        return said

    def lose(self, event: Event[Any]) -> list[str]:
        self.lost.append(event)
        return []

    def hear(self, event: Event[Any]) -> list[str]:
        answer = asyncio.run(_awaited(self.lane.errands[type(event.data)], event, self.now.instant))
        return [] if answer is None else self.tell(answer)

    @property
    def contacts(self) -> list[str]:
        return [contact.state.value for contact in self.state.contacts.values()]


async def _awaited(errand: Callable[..., Any], event: Event[Any], instant: datetime) -> Any:
    return await errand(event, VirtualClock(instant))


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def play(provider: Provider) -> Contacting:
    return Contacting(provider)


MADE = ["ContactPermitted", "ContactMade", "step 1 dispatched: sent"]


def test_a_due_message_is_permitted_and_made_once(play: Contacting, provider: Provider) -> None:
    play.started(assigned=SMS)
    assert play.wait(days=1) == MADE
    assert (play.contacts, play.steps(), play.plan.state) == (["made"], {1: "dispatched"}, "completed")
    assert play.wait(days=90) == []
    assert len(provider.log.taken) == 1


def test_a_call_ends_as_the_debtor_answers(play: Contacting, provider: Provider) -> None:
    play.started(assigned=treatment("EARLY", (Channel.PHONE, 0)))
    play.wait(days=1)
    [taken] = provider.log.taken.values()
    [contact] = play.state.contacts.values()
    assert contact.outcome == taken.outcome
    assert contact.outcome in {"conversation", "connected", "voicemail", "no_answer", "failed"}


def test_the_permit_names_the_pack_and_every_rule_that_was_read(play: Contacting) -> None:
    play.started(assigned=SMS).wait(days=1)
    [contact] = play.state.contacts.values()
    assert (contact.pack, contact.pack_version) == ("CN", "2")
    assert {"CN-W1", "CN-O1", "CN-S1", "CN-D1"} <= {rule.rule for rule in contact.rules}
    assert all(rule.reason == "" for rule in contact.rules)


def test_at_night_a_message_waits_for_the_morning(play: Contacting) -> None:
    play.started(assigned=SMS)
    evening = datetime(2026, 3, 2, 15, tzinfo=UTC)  # 23:00 in China
    due = due_of(play)
    play.now = Moment(evening, play.now.business_date, evening)
    said = play.until(evening + timedelta(hours=1))
    assert said == ["denied by CN-W1, CN-W2 until 2026-03-03 08:00:00+08:00"]
    again = due_of(play)
    assert datetime(2026, 3, 3, 0, tzinfo=UTC) <= again < datetime(2026, 3, 3, 1, tzinfo=UTC)
    assert again > due
    assert play.until(again) == MADE
    [denial] = play.state.denials
    assert [rule.rule for rule in denial.rules] == ["CN-W1", "CN-W2"]


def test_the_fourth_talk_of_a_day_waits_for_the_next(play: Contacting) -> None:
    calls = treatment("EARLY", *((Channel.PHONE, 0),) * 12)
    play.started(assigned=calls)
    said = play.until(datetime(2026, 3, 2, 13, tzinfo=UTC))
    talks = [contact for contact in play.state.contacts.values() if contact.outcome in {"conversation", "connected"}]
    assert len(talks) == 3
    assert any(line.startswith("denied by CN-F") and "until 2026-03-03 08:00:00" in line for line in said)


def test_a_lane_that_has_not_heard_the_bank_sends_nothing(play: Contacting) -> None:
    play.started(assigned=SMS)
    due = due_of(play)
    play.now = Moment(due, play.now.business_date, due - timedelta(seconds=61))
    row = play.state.step_due[1, 1]
    play.state = replace(play.state, step_due={})
    assert play.tell(row) == []
    assert (play.steps(), play.contacts, due_of(play)) == ({1: "scheduled"}, [], due + timedelta(seconds=15))
    play.now = Moment(due, play.now.business_date, due + timedelta(seconds=61))
    play.state = replace(play.state, step_due={})
    assert play.tell(row) == [], "its own clock lags behind what it has heard"
    play.now = Moment(due, play.now.business_date, None)
    play.state = replace(play.state, step_due={})
    assert play.tell(row) == [], "nobody knows how fresh the lane is"
    assert play.wait(days=1) == MADE


def test_nobody_is_contacted_where_no_rules_are_known(play: Contacting) -> None:
    play.tell(intake.CaseOpened(case=case(jurisdiction="IN")), 1)
    play.tell(SMS, 1)
    assert play.wait(days=2)[1:] == ["step 1 not_dispatched: no rules of contact are known for sms in jurisdiction IN"]


@pytest.mark.parametrize("stop", [payment(), payment(CLOSED), LEGAL_HOLD])
def test_what_stops_a_plan_before_its_step_is_due_stops_the_contact(play: Contacting, stop: Any) -> None:
    play.started(assigned=SMS)
    play.tell(stop, 2)
    assert play.wait(days=30) == []
    assert play.contacts == []


# What a provider does


def test_a_provider_that_refuses_a_message_ends_its_step(play: Contacting, provider: Provider) -> None:
    provider.before = [RefusedError("no such number")]
    play.started(assigned=SMS)
    assert play.wait(days=1) == ["ContactPermitted", "ContactNotMade", "step 1 failed: no such number"]
    assert play.contacts == ["not_made"]


def test_what_was_certainly_not_taken_is_judged_and_tried_again(play: Contacting, provider: Provider) -> None:
    provider.before = [NotTakenError("cannot be reached"), NotTakenError("cannot be reached")]
    play.started(assigned=SMS)
    assert play.wait(days=1) == ["ContactPermitted", "ContactNotMade"] * 2 + MADE
    assert play.contacts == ["not_made", "not_made", "made"]
    assert {contact.idempotency_key for contact in play.state.contacts.values()} == set(provider.log.taken)
    assert [contact.tries for contact in play.state.contacts.values()] == [1, 2, 3]


def test_a_step_is_not_tried_for_ever(play: Contacting, provider: Provider) -> None:
    provider.before = [NotTakenError("cannot be reached")] * 9
    play.started(assigned=SMS)
    said = play.wait(days=2)
    assert said.count("ContactPermitted") == 5
    assert said[-1] == "step 1 failed: cannot be reached"


def test_an_answer_that_is_lost_after_the_message_was_taken_leads_to_no_second_one(
    play: Contacting, provider: Provider
) -> None:
    provider.after = [UnansweredError()]
    play.started(assigned=SMS)
    said = play.wait(days=1)
    assert said == ["ContactPermitted", "ContactDoubted", "ContactMade", "step 1 dispatched: sent"]
    assert provider.asked == ["send", "look up"]


def test_a_message_that_never_arrived_is_sent_once_more_under_the_same_key(
    play: Contacting, provider: Provider
) -> None:
    provider.before = [UnansweredError()]
    play.started(assigned=SMS)
    assert play.wait(days=1) == ["ContactPermitted", "ContactDoubted", "ContactNotMade", *MADE]
    assert provider.asked == ["send", "look up", "send"]
    assert len(provider.log.taken) == 1


def test_without_a_provider_that_takes_a_key_once_a_doubt_stays_a_doubt(play: Contacting, provider: Provider) -> None:
    provider.before, provider.takes_once = [UnansweredError()], False
    play.started(assigned=SMS)
    assert play.wait(days=1)[-1] == "step 1 unknown: the provider cannot say what became of it"
    assert (play.contacts, provider.asked) == (["unknown"], ["send", "look up"])


def test_a_provider_that_stays_silent_leaves_a_doubt_that_counts(play: Contacting, provider: Provider) -> None:
    provider.after, provider.silent = [UnansweredError()], True
    play.started(assigned=SMS)
    said = play.wait(days=3)
    assert said.count("ContactDoubted") == 8
    assert said[-2:] == ["ContactUnknown", "step 1 unknown: the provider cannot say what became of it"]
    assert play.wait(days=30) == []


# A worker that dies


def test_a_worker_that_dies_before_the_call_leaves_one_contact_to_be_made(play: Contacting, provider: Provider) -> None:
    play.started(assigned=SMS)
    play.dead = True
    assert play.until(due_of(play)) == ["ContactPermitted"]
    play.dead = False
    assert play.wait(days=1) == ["ContactDoubted", "ContactNotMade", *MADE]
    assert len(provider.log.taken) == 1


def test_a_worker_that_was_frozen_past_its_permit_sends_nothing(play: Contacting, provider: Provider) -> None:
    play.started(assigned=SMS)
    play.dead = True
    play.until(due_of(play))
    play.dead = False
    play.now = Moment(play.now.instant + timedelta(hours=14), play.now.business_date)  # wakes in the night
    [lost] = play.lost
    assert play.hear(lost) == ["ContactNotMade"]
    assert (provider.asked, provider.log.taken) == ([], {})


def test_a_payment_while_a_message_is_being_sent_ends_the_plan_and_not_the_contact(
    play: Contacting, provider: Provider
) -> None:
    play.started(assigned=treatment("EARLY", (Channel.SMS, 0), (Channel.SMS, 5)))
    play.dead = True
    play.until(due_of(play))
    assert play.tell(payment(), 2) == ["plan 1 stopped: payment posted, cancelled [2]", "ContactRecalled"]
    assert play.steps() == {1: "sending", 2: "cancelled"}
    play.dead = False
    assert play.wait(days=30) == ["ContactDoubted", "ContactNotMade", "step 1 failed: the provider does not know it"]
    assert (provider.log.taken, play.state.contact_due) == ({}, {})
    assert all(step.settled for step in play.state.steps.values())


def test_an_answer_that_comes_twice_changes_nothing(play: Contacting) -> None:
    play.started(assigned=SMS).wait(days=1)
    [contact] = play.state.contacts
    before = play.state
    heard = next(kind for kind in play.lane.handlers if kind.__name__ == "Heard")
    assert play.tell(heard(contact_id=contact, delivery="failed")) == []
    assert play.tell(heard(contact_id="unknown", delivery="accepted")) == []
    assert play.state == before


def test_a_contact_that_no_rule_counts_any_more_is_settled(play: Contacting) -> None:
    play.started(assigned=treatment("EARLY", (Channel.SMS, 0), (Channel.SMS, 40)))
    play.wait(days=50)
    assert [contact.settled for contact in play.state.contacts.values()] == [True, False]


def due_of(play: Play) -> datetime:
    [due] = [row.due_at for key, row in play.state.step_due.items() if key == (1, 1)]
    return due
