"""A live loop on parts in memory, whose own second never passes unless a test lets it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.clock import VirtualClock
from shared.contracts.envelope import Fact
from shared.messaging.broker import Lane, TopicSpec
from shared.messaging.control import control_topic
from shared.messaging.leases import Wanted
from shared.messaging.lookout import ASK_EVERY
from shared.messaging.loop import Loop, Pace
from shared.messaging.memory_database import MemoryDatabase
from shared.messaging.memory_log import MemoryLog
from shared.messaging.memory_store import MemoryStore
from shared.messaging.turn import Turn
from shared.messaging.worker import Worker
from shared.service import SHARDS, ActorKind
from tests.unit.messaging.toy import IN, KIND, NOW, OUT, VAULT, Added, outgoing

DEBTOR = "d1"
IN_A_MINUTE = NOW + timedelta(minutes=1)


class StillClock(VirtualClock):
    """Both of its hands stand until they are set."""

    seconds = 100.0

    def elapsed(self) -> float:
        return self.seconds


class AllOfIt:
    """One actor, and this worker has it."""

    async def beat(self) -> None: ...

    async def wanted(self, actors: int, mine: Collection[int]) -> Wanted:
        return Wanted(() if mine else (3,), ())

    def called(self) -> bool:
        return False

    async def leave(self) -> None: ...


@dataclass
class Live:
    """The loop, and what it works on."""

    clock: StillClock = field(default_factory=lambda: StillClock(NOW))
    database: MemoryDatabase = field(default_factory=MemoryDatabase)
    log: MemoryLog = field(default_factory=lambda: MemoryLog(lambda: NOW))

    async def say(self, fact: Fact, debtor_id: str = DEBTOR) -> None:
        await (await self.log.writer()).append({Lane(IN, 3): [outgoing(fact, debtor_id)]})

    async def has_a_ring_to_come(self, at: datetime = IN_A_MINUTE, debtor_id: str = DEBTOR) -> None:
        """One is written, and the clock is back where it was."""
        rings = self.rows("counter_ring")
        self.clock.set(at)
        await self.say(Added(amount=2000), debtor_id)
        await self.until_rings(rings + 1)
        self.clock.set(NOW)

    async def looks(self) -> None:
        """Its second has passed, and with what it reads then it looks."""
        self.clock.seconds += ASK_EVERY
        await self.hear_of("somebody else")

    async def hear_of(self, debtor_id: str) -> None:
        """It applies what is said of a debtor who is new to it."""
        totals = self.rows("counter_total")
        await self.say(Added(amount=1), debtor_id)
        await self.until(lambda: self.rows("counter_total") == totals + 1)

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not is_so():  # noqa: ASYNC110  # nobody tells of it
                await asyncio.sleep(0)

    async def until_rings(self, number: int) -> None:
        await self.until(lambda: self.rows("counter_ring") == number)

    def rows(self, table: str) -> int:
        return len(self.database.rows.get(table, {}))


@contextlib.asynccontextmanager
async def live(kind: ActorKind = KIND, linger: float = 0.0) -> AsyncIterator[Live]:
    it = Live()
    await it.log.ensure_topics([TopicSpec(topic, SHARDS) for topic in (IN, OUT, control_topic(OUT))])
    store = MemoryStore(it.database, kind.name)
    worker = Worker("live", Turn("toy", kind, store, VAULT), store, it.log, it.clock, batch=10)
    stopping = asyncio.Event()
    loop = Loop(worker, it.log, AllOfIt(), it.clock, Pace(batch=10, wait=0.001, linger=linger))
    running = asyncio.create_task(loop.run(stopping))
    try:
        await it.until(lambda: not loop.trouble)
        yield it
    finally:
        stopping.set()
        await running
