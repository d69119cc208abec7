"""One design at the one job: started on fresh topics and an empty table, warmed up, loaded, and held to account."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

import asyncpg
import msgspec

from benchmarks.children import Child, ChildError
from benchmarks.contenders import OURS, Contender
from benchmarks.installation import AT_ONCE
from benchmarks.job_load import Bank, Change, Judged, Load, change_of, judged
from benchmarks.machine import Cost, cost
from benchmarks.peers import job
from benchmarks.servers import Servers
from shared.messaging.broker import (
    Broker,
    BrokerUnavailableError,
    Lane,
    Outgoing,
    Reader,
    Record,
    TopicSpec,
    Writer,
)
from shared.messaging.control import control_topic
from shared.postgres import databases, migrate
from shared.service import SHARDS

ROOT: Final = Path(__file__).parents[1]
LOOK_EVERY: Final = 0.02
TRIES: Final = 5
DATABASE: Final = "job"
_numbers = count(1)


@dataclass
class Bout:
    """A running design."""

    contender: Contender
    servers: Servers
    broker: Broker
    writer: Writer
    reader: Reader
    config: job.Config
    bank: Bank
    connection: Any
    child: Child | None = None
    loads: list[Load] = field(default_factory=list)
    told: Counter[Change] = field(default_factory=Counter)
    marks: int = 0

    async def start(self) -> None:
        """Start its process. Raises NotInstalledError."""
        command = await asyncio.to_thread(self.contender.command, msgspec.json.encode(self.config).decode())
        self.child = await Child.start(self.config.group, command, self.servers.folder, ROOT, quiet=True)

    async def kill(self) -> None:
        """End its process as a crash would."""
        if self.child is not None:
            await self.child.kill()

    def load(self, events: int, names: str) -> Load:
        """Prepare events; from now on they count."""
        self.loads.append(self.bank.load(events, names))
        return self.loads[-1]

    async def send(self, records: Sequence[tuple[Lane, Outgoing]]) -> None:
        """Write records, and return when they are acknowledged."""
        for first in range(0, len(records), AT_ONCE):
            lanes: dict[Lane, list[Outgoing]] = {}
            for lane, record in records[first : first + AT_ONCE]:
                lanes.setdefault(lane, []).append(record)
            await self.writer.append(lanes)

    @property
    def expected(self) -> int:
        """How many changes have to be told of all that was loaded."""
        return sum(len(load.changes) for load in self.loads)

    async def until_told(self, changes: int, within: float) -> float:
        """Wait until so many were told; the moment of the last one. Raises ChildError."""
        deadline = time.perf_counter() + within
        while True:
            await self._until_as_many(changes, deadline)
            seen = time.perf_counter()
            await self.read()
            if self.told.total() >= changes:
                return seen

    async def until_about(self, changes: int, quiet: float) -> None:
        """Wait until about so many were told, or nothing more is."""
        last, since = -1, time.perf_counter()
        while (ends := await self._ends()) < changes and time.perf_counter() - since < quiet:
            last, since = (ends, time.perf_counter()) if ends != last else (last, since)
            await asyncio.sleep(LOOK_EVERY)

    async def until_kept(self, within: float, quiet: float) -> None:
        """Wait until every row is as it should be, and then until nothing more is told. Raises ChildError."""
        deadline = time.perf_counter() + within
        expected = {name: row for load in self.loads for name, row in load.rows.items()}
        while {name: row[2:] for name, row in (await self.rows()).items()} != {
            name: row[2:] for name, row in expected.items()
        }:
            self._check(deadline)
            await asyncio.sleep(10 * LOOK_EVERY)
        await self.until_about(self.expected + 1_000_000, quiet)

    async def _until_as_many(self, changes: int, deadline: float) -> None:
        """Wait for records, some of which may be no changes: these are read when there may be enough."""
        while await self._ends() - self.marks < changes:
            self._check(deadline)
            await asyncio.sleep(LOOK_EVERY)
        self._check(deadline)

    async def _ends(self) -> int:
        ends = await self.broker.end_offsets([Lane(self.config.output, number) for number in range(SHARDS)])
        return sum(ends.values())

    def _check(self, deadline: float) -> None:
        if self.child is not None and self.child.process.returncode is not None:
            raise ChildError(f"{self.contender.name} has ended: {self.child.last_words()}")
        if time.perf_counter() > deadline:
            raise ChildError(f"{self.contender.name} has told {self.told.total()} of {self.expected} in its time")

    async def read(self) -> None:
        """Read what was told since."""
        while records := await self._fetched():
            changes = [change for record in records if (change := change_of(record))]
            self.told.update(changes)
            self.marks += len(records) - len(changes)

    async def _fetched(self) -> Sequence[Record]:
        """What comes next; a broker that is slow to answer is asked again."""
        for _ in range(TRIES):
            try:
                return await self.reader.fetch(10_000, 0.1)
            except BrokerUnavailableError:
                continue
        return await self.reader.fetch(10_000, 0.1)

    async def rows(self) -> dict[str, job.Row]:
        """What it keeps."""
        return {row["debtor_id"]: tuple(row) for row in await self.connection.fetch("SELECT * FROM job_loan")}

    async def judged(self) -> Judged:
        """Whether it did its job."""
        await self.read()
        return judged(self.loads, await self.rows(), self.told)

    def cost(self) -> Cost:
        """What was used so far."""
        ours = {self.contender.name: self.child.process.pid} if self.child is not None else {}
        return cost(self.servers.groups(ours))


@asynccontextmanager
async def bout(contender: Contender, servers: Servers, broker: Broker) -> AsyncIterator[Bout]:
    """A design on fresh topics and an empty table, not started yet."""
    number = next(_numbers)
    source, output = f"job{number}.in", f"job{number}.out"
    topics = [source, output, *([control_topic(output)] if contender.name == OURS else [])]
    await broker.ensure_topics([TopicSpec(topic, SHARDS) for topic in topics])
    dsn = await _database(servers, contender)
    folder = servers.folder / f"job{number}"
    await asyncio.to_thread(folder.mkdir)
    config = job.Config(servers.bootstrap, dsn, source, output, f"job{number}", SHARDS, str(folder))
    reader, connection = await broker.reader(), await asyncpg.connect(dsn)
    await reader.assign({Lane(output, lane): 0 for lane in range(SHARDS)})
    made = Bout(contender, servers, broker, await broker.writer(), reader, config, Bank(source, SHARDS), connection)
    try:
        yield made
    finally:
        await made.kill()
        await made.reader.close()
        await made.writer.close()
        await connection.close()


async def _database(servers: Servers, contender: Contender) -> str:
    await databases.drop(servers.postgres, [DATABASE])
    dsn = (await databases.provide(servers.postgres, [DATABASE]))[DATABASE]
    if contender.name == OURS:
        await migrate.upgrade(dsn, DATABASE)
    connection: Any = await asyncpg.connect(dsn)
    await connection.execute(job.TABLE)
    await connection.close()
    return dsn
