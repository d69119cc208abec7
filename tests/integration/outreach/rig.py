"""A service on a real database, run turn by turn: what each kind of actor commits, and what it tells."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx

from services.outreach.service import declare
from shared.contracts import catalogue
from shared.contracts.envelope import Event, Fact, derived_id
from shared.messaging.broker import Lane, Record
from shared.messaging.frames import records_of
from shared.messaging.postgres_store import PostgresStore
from shared.messaging.sharding import shard_of
from shared.messaging.store import Standing
from shared.messaging.turn import Batch, Turn
from shared.service import SHARDS, ActorKind
from shared.settings import Settings

SETTINGS = Settings.demo()
SERVICE = declare(SETTINGS)
LANE, ALLOCATOR, REGISTER, *_ = SERVICE.actors
LENDER = "demo-bank"


@dataclass
class Actor:
    """One kind of actor (of outreach, unless said otherwise), with all its numbers, one turn at a time."""

    kind: ActorKind
    store: PostgresStore
    now: datetime = datetime(2026, 3, 1, 16, tzinfo=UTC)
    standings: dict[int, Standing] = field(default_factory=dict)
    events: int = 0
    service: str = "outreach"

    async def take(self) -> None:
        """Acquire every actor of the kind."""
        for number in range(1 if self.kind.is_alone else SHARDS):
            self.standings[number] = await self.store.acquire(number, "rig")

    async def hear(self, payload: Fact, debtor_id: str = "", version: int = 0) -> list[Event[Any]]:
        """Apply one fact: of a debtor in its lane, of a lender in every lane."""
        self.events += 1
        topic = next(topic for topic, types in catalogue.TOPICS.items() if type(payload) in types.values())
        event = Event(
            id=derived_id("rig", self.events),
            type=catalogue.wire_name(type(payload)),
            lender_id=LENDER,
            debtor_id=debtor_id,
            case_version=version,
            occurred_at=self.now,
            recorded_at=self.now,
            data=payload,
        )
        lanes = [shard_of(debtor_id)] if debtor_id else range(SHARDS)
        return await self.read([self._record(topic, lane, catalogue.encode(event)) for lane in lanes])

    def _record(self, topic: str, partition: int, value: bytes) -> Record:
        name = catalogue.decode(value)
        assert name is not None
        headers = (("type", name.type.encode()),)
        return Record(Lane(topic, partition), self.events, name.debtor_id.encode(), value, headers, self.now)

    async def read(self, records: list[Record]) -> list[Event[Any]]:
        """Apply records, in their order."""
        batches: dict[int, list[Record]] = {}
        for record in records:
            batches.setdefault(record.lane.partition if self.kind.name == "lane" else 0, []).append(record)
        return await self._turn(Batch(batches))

    async def relay(self, told: list[Event[Any]], to: "Actor") -> list[Event[Any]]:
        """Let another kind of actor hear what this one told."""
        to.events += 1
        output = [(event, shard_of(event.debtor_id) if event.debtor_id else 0) for event in told]
        return await to.read([to._record(self.kind.output, lane, catalogue.encode(event)) for event, lane in output])

    async def wait(self, **time: float) -> list[Event[Any]]:
        """Let time pass and apply what has fallen due by then, in one turn after another."""
        self.now += timedelta(**time)
        told: list[Event[Any]] = []
        while found := await self._turn(Batch({}, due=1000)):
            told += found
        return told

    async def commands(self) -> list[Event[Any]]:
        """Apply the commands that wait."""
        return await self._turn(Batch({}, commands=100))

    async def _turn(self, batch: Batch) -> list[Event[Any]]:
        turned = await Turn(self.service, self.kind, self.store, SETTINGS.vault).run(self.standings, batch, self.now)
        assert turned.failures == []
        assert turned.counts["buried"] == 0
        self.standings = turned.standings
        records = [record for facts in turned.facts for record in records_of("rig", facts)]
        return [event for record in records if (event := catalogue.decode(record.value)) is not None]


async def answered(lane: Actor, request: Awaitable[httpx.Response]) -> httpx.Response:
    """Let the lane apply commands until the request has its answer."""
    task = asyncio.ensure_future(request)
    while not task.done():
        await lane.commands()
        await asyncio.sleep(0)
    return task.result()


def names(told: list[Event[Any]]) -> list[str]:
    """The types of what was told."""
    return [type(event.data).__name__ for event in told]


MONDAY = date(2026, 3, 2)
