"""The bank of a run: the synthetic bank's days written to the public topic and over REST, with a mistake now and then.

It keeps a list of its own of what was acknowledged, and so what the product has promised not to lose.
"""

import asyncio
import contextlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import httpx
import msgspec

from services.intake.connectors.cloud_events import outgoing
from services.intake.connectors.sending import Sent
from services.intake.connectors.synthetic import SLOTS, SyntheticBank
from services.intake.connectors.synthetic_people import LENDER
from shared.contracts import catalogue, core_banking
from shared.contracts.core_banking import LoanOverdue, PartyProfile
from shared.messaging.broker import Broker, BrokerUnavailableError, Lane, Outgoing, Writer
from shared.postgres.failures import DRIVER_ERRORS
from tests.chaos.installation import PUBLIC_PARTITIONS, Installation

FIRST_DAY = date(2026, 1, 5)
SOURCE = "/bank"
SOME = 8
"""Events that the bank sends at once."""

OVER_REST = 0.15
MISTAKES = 0.12
"""Which share of what is sent at once goes over REST, and how often a mistake goes with it."""

AGAIN_AFTER = 0.5


@dataclass
class Bank:
    """Sends until told to stop; then it ends its day, and sends the next night's batch."""

    installation: Installation
    seed: int
    loans: int
    per_second: float
    acknowledged: list[Sent] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)
    parties: set[str] = field(default_factory=set)
    people: list[PartyProfile] = field(default_factory=list)
    day: int = 0
    stopping: bool = False
    over_rest: int = 0
    _writer: Writer | None = None

    def __post_init__(self) -> None:
        self.bank = SyntheticBank(self.seed, self.loans, FIRST_DAY)
        self._chance = random.Random(f"bank {self.seed}")
        self._snapshots: list[LoanOverdue] = []

    async def live(self) -> None:
        """Day by day, slot by slot; a slot that has begun is sent whole, and the last thing is a night's batch."""
        while True:
            for slot in range(SLOTS):
                await self._slot(slot)
                if self.stopping and slot == 0:
                    return
            self.day += 1

    @property
    def books_stand_on(self) -> date:
        return self.bank.day(self.day)

    async def _slot(self, slot: int) -> None:
        events = self.bank.events(self.day, slot)
        self._chance.shuffle(events)
        for first in range(0, len(events), SOME):
            some = events[first : first + SOME]
            await self._send(some)
            self._remember(some)
            if not self.stopping:
                await asyncio.sleep(len(some) / self.per_second)

    def _remember(self, events: Sequence[Sent]) -> None:
        self.acknowledged += events
        self._snapshots += [sent.fact for sent in events if isinstance(sent.fact, LoanOverdue) and sent.fact.party_id]
        self.people += [sent.fact for sent in events if isinstance(sent.fact, PartyProfile)]
        self.parties |= {snapshot.party_id for snapshot in self._snapshots[-len(events) :]}

    async def _send(self, events: Sequence[Sent]) -> None:
        if self._chance.random() < OVER_REST:
            await self._post(events)
            self.over_rest += len(events)
        else:
            mistakes = self._snapshots and self._chance.random() < MISTAKES
            mistake = await self._mistake(self._chance.choice(self._snapshots)) if mistakes else None
            await self._write([self._record(sent) for sent in events] + ([mistake] if mistake else []))

    # -- Kafka ---------------------------------------------------------------------------------------------------

    def _record(self, sent: Sent) -> Outgoing:
        key = self._chance.randbytes(8)
        return outgoing(sent.fact, source=SOURCE, event_id=sent.event_id, time=sent.time, key=key)

    async def _write(self, records: Sequence[Outgoing]) -> None:
        """Write to lanes of chance, again and again until Kafka has acknowledged all of it."""
        batches: dict[Lane, list[Outgoing]] = {}
        for record in records:
            lane = Lane(core_banking.TOPIC, self._chance.randrange(PUBLIC_PARTITIONS))
            batches.setdefault(lane, []).append(record)
        while True:
            try:
                if self._writer is None:
                    self._writer = await self._log.writer()
                await self._writer.append(batches)
            except BrokerUnavailableError:
                await self.close()
                await asyncio.sleep(AGAIN_AFTER)
            else:
                return

    @property
    def _log(self) -> Broker:
        assert self.installation.log is not None
        return self.installation.log

    async def _mistake(self, snapshot: LoanOverdue) -> Outgoing | None:
        """Something that can never be applied: a loan under another's name, or what nobody can read.

        None of a loan that ingress may not know yet: whichever of two names it hears first is the loan's for it.
        """
        if not await self._is_known(snapshot.loan_id):
            return None
        name = f"{LENDER}/{self.seed}/mistake/{len(self.mistakes)}"
        self.mistakes.append(name)
        wrong = replace_party(snapshot, f"{snapshot.party_id}-X")
        record = self._record(Sent(name, snapshot.posting_cut_off, wrong))
        return record if self._chance.random() < 0.7 else msgspec.structs.replace(record, value=record.value[:-9])

    async def _is_known(self, loan_id: str) -> bool:
        known = "SELECT 1 FROM loan_directory WHERE loan_key = $1"
        with contextlib.suppress(*DRIVER_ERRORS):
            return bool(await self.installation.rows("intake", known, f"{LENDER}/{loan_id}"))
        return False

    # -- REST ----------------------------------------------------------------------------------------------------

    async def _post(self, events: Sequence[Sent]) -> None:
        part = self.installation.part("intake-api")
        headers = {
            "Authorization": f"Bearer {self.installation.tokens['core_bank']}",
            "content-type": "application/cloudevents+json",
        }
        content = msgspec.json.encode([structured(sent) for sent in events])
        async with httpx.AsyncClient(timeout=40, trust_env=False) as client:
            while True:
                with contextlib.suppress(httpx.HTTPError):
                    url = f"http://127.0.0.1:{part.port}/v1/loan-events"
                    answer = await client.post(url, content=content, headers=headers)
                    if answer.status_code == httpx.codes.ACCEPTED:
                        return
                    if answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
                        raise AssertionError(f"the bank's events are refused: {answer.status_code} {answer.text[:300]}")
                await asyncio.sleep(AGAIN_AFTER)

    async def close(self) -> None:
        """Let go of the writer."""
        writer, self._writer = self._writer, None
        if writer is not None:
            await writer.close()


def replace_party(snapshot: LoanOverdue, party_id: str) -> LoanOverdue:
    """The same snapshot under another party's name."""
    return msgspec.structs.replace(snapshot, party_id=party_id)


def structured(sent: Sent) -> dict[str, Any]:
    """An event as a structured CloudEvent."""
    return {
        "specversion": "1.0",
        "type": catalogue.wire_name(type(sent.fact)),
        "id": sent.event_id,
        "source": SOURCE,
        "time": sent.time.isoformat(),
        "data": sent.fact,
    }
