"""Two toy services on real databases and the embedded log: the first adds up, the second hears what the first tells."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import asyncpg
from fastapi import APIRouter

from shared.assembly import topics_of
from shared.clock import Clock, SystemClock
from shared.contracts.envelope import Event, Fact, Moment
from shared.contracts.outreach import HoldReleased
from shared.messaging.broker import Broker, Lane, Outgoing
from shared.messaging.embedded_log import EmbeddedLog
from shared.messaging.leases import Leases
from shared.messaging.loop import Loop, Pace
from shared.messaging.postgres_store import PostgresStore
from shared.messaging.reading import Reading
from shared.messaging.sequence import position_of
from shared.messaging.sharding import shard_of
from shared.messaging.store import Store
from shared.messaging.turn import Limits, Turn
from shared.messaging.worker import Worker
from shared.service import SHARDS, ActorKind, Decision, Service, decode_fact
from tests.unit.messaging import toy
from tests.unit.messaging.toy import KIND, OUT, VAULT, Added, Applied, Counter, Total

PATIENCE = 30.0
IN = toy.IN


async def eventually(condition: Callable[[], Awaitable[Any]], patience: float = PATIENCE) -> Any:
    """Ask until the answer is true, and return it; a bounded look at real state, and no guess at durations."""
    deadline = time.monotonic() + patience
    while not (answer := await condition()):
        assert time.monotonic() < deadline, "it never came true"
        await asyncio.sleep(0.02)
    return answer


def on_heard(state: Counter, event: Event[HoldReleased], _now: Moment) -> Decision:
    """Keep what was heard, in order."""
    former = state.total or Total(0, 0)
    amount = int(event.data.reason)
    applied = (*state.applied, Applied(event.data.hold_id, amount))
    return replace(state, total=Total(former.amount + amount, former.times + 1), applied=applied), ()


SECOND = ActorKind(
    name="lane", inputs=(OUT,), output="", layout=toy.LAYOUT, handlers={HoldReleased: on_heard}, decode=decode_fact
)


def service_of(name: str, kind: ActorKind) -> Service:
    """A service of one kind of actor, with nothing to ask."""
    return Service(name, (kind,), APIRouter, Path())


@dataclass
class Side:
    """One of the two services: its database, and what it has come to."""

    name: str
    kind: ActorKind
    dsn: str
    connection: "asyncpg.Connection[asyncpg.Record]"

    async def rows(self, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """What a query finds."""
        return [tuple(row) for row in await self.connection.fetch(query, *arguments)]

    async def value(self, query: str, *arguments: Any) -> Any:
        """The one value that a query finds."""
        return await self.connection.fetchval(query, *arguments)

    async def applied(self, debtor_id: str = "d1") -> list[int]:
        """The amounts applied to a debtor, in order."""
        found = await self.rows("SELECT amount FROM counter_applied WHERE debtor_id = $1 ORDER BY id", debtor_id)
        return [amount for (amount,) in found]

    async def everything(self) -> dict[str, list[int]]:
        """The amounts applied to every debtor, in order."""
        found: dict[str, list[int]] = {}
        for debtor_id, amount in await self.rows("SELECT debtor_id, amount FROM counter_applied ORDER BY id"):
            found.setdefault(debtor_id, []).append(amount)
        return found

    async def totals(self) -> dict[str, int]:
        """The counters."""
        return dict(await self.rows("SELECT debtor_id, amount FROM counter_total"))

    async def holders(self) -> dict[str, int]:
        """How many actors each worker holds."""
        query = "SELECT coalesce(owner, ''), count(*)::int FROM actor GROUP BY owner"
        return dict(await self.rows(query))

    async def letters(self) -> list[tuple[Any, ...]]:
        """Reason, field, owner and status of the dead letters."""
        return await self.rows("SELECT reason, field, owner, status FROM dead_letter ORDER BY buried_at, log_offset")


@dataclass
class Rig:
    """Both sides and the log between them."""

    first: Side
    second: Side
    log: EmbeddedLog
    log_dsn: str
    clock: Clock = field(default_factory=SystemClock)
    said: dict[str, list[int]] = field(default_factory=dict)
    _workers: list[Worker] = field(default_factory=list)
    _readings: list[Reading] = field(default_factory=list)

    # -- input ---------------------------------------------------------------------------------------------------

    async def say(self, *amounts: int, debtor_id: str = "d1") -> None:
        """Events of a debtor on the first topic."""
        self.said.setdefault(debtor_id, []).extend(amounts)
        await self.append(debtor_id, *(Added(amount=amount) for amount in amounts))

    async def append(self, debtor_id: str, *facts: Fact | bytes) -> None:
        """Records of a debtor; bytes are taken as they are."""
        records = [
            Outgoing(debtor_id.encode(), data, (("type", b"toy.added"),))
            if isinstance(data, bytes)
            else toy.outgoing(data, debtor_id)
            for data in facts
        ]
        writer = await self.log.writer()
        await writer.append({Lane(IN, shard_of(debtor_id)): records})
        await writer.close()

    async def say_much(self, many: int, debtors: int = 60) -> None:
        """Events of many debtors, so that every lane has some."""
        for number in range(debtors):
            await self.say(*range(1, many // debtors + 1), debtor_id=f"debtor-{number}")

    # -- workers -------------------------------------------------------------------------------------------------

    def store(self, side: Side) -> PostgresStore:
        """A store that does not wait long for a zombie."""
        return PostgresStore(side.dsn, side.kind.name, take_over_after="500ms")

    def worker(
        self,
        side: Side,
        name: str = "one",
        *,
        store: Store | None = None,
        broker: Broker | None = None,
        kind: ActorKind | None = None,
        limits: Limits | None = None,
        batch: int = 1000,
    ) -> Worker:
        """A worker that holds nothing yet."""
        store = store or self.store(side)
        turn = Turn(side.name, kind or side.kind, store, VAULT, limits or Limits())
        self._workers.append(Worker(name, turn, store, broker or self.log, self.clock, batch=batch))
        return self._workers[-1]

    async def holding(self, worker: Worker) -> Reading:
        """Have a worker take every actor; what it reads with."""
        await worker.take(range(SHARDS))
        self._readings.append(Reading(worker, self.log, worker.kind.inputs))
        return self._readings[-1]

    async def drain(self, worker: Worker, reading: Reading) -> None:
        """Have a worker read and apply until nothing comes."""
        while records := await reading.fetch(worker.batch, 0.0):
            await worker.turn(records, commands=100, due=100)
        await worker.turn((), commands=100, due=100)
        await worker.flush()

    @contextlib.asynccontextmanager
    async def running(
        self, worker: Worker, side: Side, *, lease: float = 10.0, broker: Broker | None = None, mark: float = 3600.0
    ) -> AsyncIterator[Loop]:
        """A worker in its live loop, stopped in good order at the end."""
        stopping = asyncio.Event()
        loop = self.loop(worker, side, lease=lease, broker=broker, mark=mark)
        task = asyncio.create_task(loop.run(stopping))
        try:
            yield loop
        finally:
            stopping.set()
            await task

    def loop(
        self, worker: Worker, side: Side, *, lease: float = 10.0, broker: Broker | None = None, mark: float = 3600.0
    ) -> Loop:
        """A live loop, not begun; unless `mark` says otherwise, it never says how far it has told."""
        leases = Leases(side.dsn, worker.kind.name, worker.name, lease)
        return Loop(
            worker, broker or self.log, leases, self.clock, Pace(wait=0.05, linger=0.01, lease=lease, mark=mark)
        )

    @contextlib.asynccontextmanager
    async def second_running(self) -> AsyncIterator[Loop]:
        """The second service at work."""
        async with self.running(self.worker(self.second, "listener"), self.second) as loop:
            yield loop

    # -- output --------------------------------------------------------------------------------------------------

    async def told(self) -> int:
        """How many facts lie on the topic between the two, each as often as it was published."""
        reader = await self.log.reader()
        await reader.assign(await self.log.earliest_offsets([Lane(OUT, number) for number in range(SHARDS)]))
        facts = 0
        while records := await reader.fetch(10_000, 0.0):
            facts += sum(position_of(record.headers) is not None for record in records)
        await reader.close()
        return facts

    async def exact(self) -> bool:
        """Whether both have applied all that was said, once and in order."""
        return await self.first.everything() == self.said and await self.second.everything() == self.said

    async def close(self) -> None:
        """Close what is open."""
        for reading in self._readings:
            await reading.close()
        for worker in self._workers:
            await worker.close()
        await self.log.close()
        await self.first.connection.close()
        await self.second.connection.close()


async def rig_of(databases: Sequence[str], log_dsn: str) -> Rig:
    """Both services on fresh databases that have the runtime's tables, and a fresh log."""
    log = await EmbeddedLog.open(log_dsn)
    sides = [
        await _side("first", replace(KIND, keeps_history=True), databases[0]),
        await _side("second", SECOND, databases[1]),
    ]
    await log.ensure_topics(topics_of([service_of(side.name, side.kind) for side in sides]))
    return Rig(sides[0], sides[1], log, log_dsn)


async def _side(name: str, kind: ActorKind, dsn: str) -> Side:
    connection = await asyncpg.connect(dsn)
    await connection.execute(toy.SCHEMA)
    return Side(name, kind, dsn, connection)
