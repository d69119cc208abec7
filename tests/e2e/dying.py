"""A stepped run that dies at an effect of a test's choosing, as by `kill -9`, and goes on from what is durable."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import asyncpg
import msgspec

from services.installed import declared
from services.local import Local
from services.stepping import Run
from shared.assembly import topics_of, worker_of
from shared.clock import VirtualClock
from shared.contracts.envelope import derived_id
from shared.messaging.broker import Broker, Lane, Outgoing, Writer
from shared.messaging.embedded_log import EmbeddedLog
from shared.messaging.worker import Worker
from shared.settings import Settings, WorkerTuning
from shared.stepped import Stepper
from shared.ticks import Ticks
from tests.e2e.busy_bank import Tick
from tests.integration.runtime.cutting import CountingStore
from tests.integration.runtime.faults import FlakyBroker

_ASK = """
INSERT INTO command (id, client, key, kind, number, name, owner, lender_id, actor, body, body_hash, created_at)
VALUES ($1, 'test', $2, $3, 0, $4, $5, '', $6, $7::jsonb, '', $8) ON CONFLICT DO NOTHING
"""


class Killed(Exception):  # noqa: N818  # what has happened, not what is wrong
    """The process is dead: whatever is tried from here on does nothing."""


@dataclass
class Fate:
    """Counts effects (statements, appends, ticks kept) and kills at the next of `deaths`, counted from the last."""

    deaths: list[int] = field(default_factory=list)
    effects: int = 0
    dead: bool = False
    _since: int = 0

    def next(self) -> None:
        """One effect more. Raises Killed."""
        self.effects += 1
        self._since += 1
        if self.deaths and self._since >= self.deaths[0]:
            self.dead, self._since = True, 0
            self.deaths.pop(0)
        if self.dead:
            raise Killed

    async def of_store(self, store: CountingStore) -> None:
        """The same for a statement; the connection dies with the process."""
        try:
            self.next()
        except Killed:
            store.cut()
            raise


class MortalTicks(Ticks):
    """Ticks whose keeping is an effect."""

    fate: Fate

    async def _keep(self, *, finished: bool = False) -> None:
        self.fate.next()
        await super()._keep(finished=finished)
        self.fate.next()


class MortalBroker(FlakyBroker):
    """The log, whose appends are effects: one may be done and its answer lost."""

    def __init__(self, broker: Broker, fate: Fate) -> None:
        super().__init__(broker)
        self._fate = fate

    async def writer(self) -> Writer:
        return _MortalWriter(await super().writer(), self._fate)


class _MortalWriter:
    def __init__(self, writer: Writer, fate: Fate) -> None:
        self._writer, self._fate = writer, fate
        self.close = writer.close

    async def append(self, batches: Mapping[Lane, Sequence[Outgoing]]) -> None:
        self._fate.next()
        await self._writer.append(batches)
        self._fate.next()


@dataclass
class Installation:
    """Databases and a log that outlive the processes that work on them."""

    local: Local
    log: EmbeddedLog
    clock: VirtualClock
    beside: str
    batch: int
    fate: Fate
    deaths: int = 0

    async def play(self, ticks: Sequence[Tick]) -> None:
        """Let everything happen, in as many lives as it takes."""
        while True:
            self.fate.dead = False
            run, workers = await self._process()
            try:
                await run.stepper.start()
                for tick in ticks:
                    await self._ask(run, tick)
                    await run.tick(tick.day, tick.slot, tick.now, tick.sent)
            except Killed:
                self.deaths += 1
                await _buried(run, workers)
            else:
                await run.ticks.finish()
                await _closed(run)
                return

    async def _ask(self, run: Run, tick: Tick) -> None:
        """Leave commands, once, when the run first comes to their tick; only an actor without a debtor is asked."""
        if (tick.day, tick.slot) < (run.ticks.day, run.ticks.slot):
            return
        for place, asked in enumerate(tick.asked):
            connection = await asyncpg.connect(self.local.urls[asked.service])
            body = msgspec.json.encode(asked.body).decode()
            at = tick.now + timedelta(microseconds=place)
            whose = (asked.key, asked.kind, asked.name, asked.owner, asked.actor)
            await connection.execute(_ASK, derived_id(asked.key, 0), *whose, body, at)
            await connection.close()

    async def _process(self) -> tuple[Run, Sequence[Worker]]:
        ticks = await MortalTicks.open(self.beside)
        assert isinstance(ticks, MortalTicks)
        ticks.fate = Fate()
        resumed = await ticks.unfinished({"of": "a test"})
        if not resumed:
            await ticks.begin({"of": "a test"})
        ticks.fate = self.fate
        broker = MortalBroker(self.log, self.fate)
        tuned = replace(Settings.demo({}), dispatch=True, worker=WorkerTuning(batch_size=self.batch))
        settings = self.local.settings(tuned)
        services = declared(settings)
        await broker.ensure_topics(topics_of(services))
        workers = [
            worker_of(service, kind, settings, broker, self.clock, "mortal", self._store(service.name, kind.name))
            for service in services
            for kind in service.actors
        ]
        stepper = Stepper(workers, broker, ticks)
        return Run(self.local, broker, self.clock, ticks, stepper, "busy-bank", resumed), workers

    def _store(self, service: str, kind: str) -> CountingStore:
        store = CountingStore(self.local.urls[service], kind, take_over_after="2s")
        store.interruption = self.fate.of_store
        return store


async def _closed(run: Run) -> None:
    """In good order; the log stays open."""
    await run.stepper.close()
    await _closed_beside(run)


async def _closed_beside(run: Run) -> None:
    await run.ticks.close()
    if run._writer is not None:
        await run._writer.close()


async def _buried(run: Run, workers: Sequence[Worker]) -> None:
    """Nothing is given up or settled: connections end, and memory is forgotten."""
    flush: asyncio.Task[Any] | None = run.stepper._flush
    if flush is not None:
        with suppress(Killed):
            await flush
    for worker in workers:
        assert isinstance(worker._store, CountingStore)
        worker._store.cut()
        await worker.publisher.close()
        await worker.errands.close()
    for driven in run.stepper._driven:
        for reading in driven.readings:
            await reading.close()
    await _closed_beside(run)
