"""What the demo and a replay share: an embedded installation, driven tick by tick, that survives being killed."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from zlib import crc32

import asyncpg

from services import local
from services.installed import declared
from services.intake.connectors import cloud_events
from services.intake.connectors.sending import Sent
from services.local import Local
from shared.assembly import topics_of, workers_of
from shared.clock import VirtualClock
from shared.contracts import core_banking
from shared.embedded.kafka_server import KafkaServer
from shared.frozen import replace
from shared.messaging.broker import Broker, Lane, Outgoing, Writer
from shared.messaging.broker_from_url import open_broker
from shared.messaging.embedded_log import EmbeddedLog
from shared.postgres.databases import STEPPER
from shared.settings import SERVICES, Settings
from shared.stepped import Stepper
from shared.ticks import Ticks

AT_ONCE = 5_000
"""Events of the bank that are sent in one append; a month of a large book never lies in memory whole."""


@dataclass(slots=True)
class Run:
    """A stepped run: the bank's side, the five services, and where it stands."""

    local: Local
    broker: Broker
    clock: VirtualClock
    ticks: Ticks
    stepper: Stepper
    source: str
    resumed: bool
    sent: int = 0
    _writer: Writer | None = None
    _partitions: int = 0

    async def tick(self, day: int, slot: int, now: datetime, events: Iterable[Sent]) -> None:
        """Send what the bank says in a slot, and let everything happen that follows from it."""
        if (day, slot) < (self.ticks.day, self.ticks.slot):
            return
        if (day, slot) > (self.ticks.day, self.ticks.slot):
            await self.ticks.advance(day, slot)
        self.clock.set(now)
        if self.ticks.place == 0:
            await self.send(events)
        await self.stepper.settle()

    async def send(self, events: Iterable[Sent]) -> None:
        """Put the bank's events on the public topic, spread over its partitions by their ids."""
        if self._writer is None:
            self._writer = await self.broker.writer()
            self._partitions = await self.broker.partitions(core_banking.TOPIC)
        remaining = iter(events)
        while chunk := list(islice(remaining, AT_ONCE)):
            batches: dict[Lane, list[Outgoing]] = {}
            for each in chunk:
                lane = Lane(core_banking.TOPIC, crc32(each.event_id.encode()) % self._partitions)
                batches.setdefault(lane, []).append(self._record(each))
            await self._writer.append(batches)
            self.sent += len(chunk)

    def _record(self, sent: Sent) -> Outgoing:
        key = sent.event_id.encode()
        return cloud_events.outgoing(sent.fact, source=self.source, event_id=sent.event_id, time=sent.time, key=key)

    async def tidy(self) -> None:
        """Drop what everybody has read: when a tick has settled, neither the log nor an outbox is needed any more."""
        if isinstance(self.broker, EmbeddedLog):
            await self.broker.prune(self.clock.now())
        for name in SERVICES:
            connection = await asyncpg.connect(self.local.urls[name])
            try:
                await connection.execute("TRUNCATE outbox")
            finally:
                await connection.close()

    async def close(self) -> None:
        """Close everything but the database server."""
        await self.stepper.close()
        if self._writer is not None:
            await self._writer.close()
        await self.ticks.close()
        await self.broker.close()


@asynccontextmanager
async def opened(
    settings: Settings,
    folder: Path,
    source: str,
    parameters: Mapping[str, object],
    start: datetime,
    *,
    own_kafka: bool = False,
    fast: bool = False,
) -> AsyncIterator[Run]:
    """Resume an unfinished run with the same parameters, or begin afresh; servers are stopped at the end.

    own_kafka: run on a real broker of our own below the folder, instead of the one that the settings name.
    fast: give up durability; for tests only.
    """
    settings = settings.with_key_file(folder / "data-keys")
    declared(replace(settings, dispatch=False))  # before anything is made: wrong data is to be heard of at once
    installed = await local.start(folder / "postgres", fast=fast)
    try:
        ticks = await Ticks.open(installed.urls[STEPPER])
        resumed = await ticks.unfinished(parameters)
        if not resumed:
            await ticks.close()
            installed = await local.afresh(installed)
            ticks = await Ticks.open(installed.urls[STEPPER])
        kafka = KafkaServer(folder / "kafka") if own_kafka else None
        async with _broker(settings, installed, kafka, start, resumed=resumed) as (broker, clock):
            run = await _assembled(settings, installed, broker, clock, ticks, source, resumed=resumed)
            if not resumed:
                await ticks.begin(parameters)
            await run.stepper.start()
            try:
                yield run
            finally:
                await run.close()
    finally:
        await installed.stop()


async def _assembled(
    settings: Settings,
    installed: Local,
    broker: Broker,
    clock: VirtualClock,
    ticks: Ticks,
    source: str,
    *,
    resumed: bool,
) -> Run:
    ready = installed.settings(settings)
    services = declared(ready)
    await local.migrated(installed, services)
    await broker.ensure_topics(topics_of(services))
    stepper = Stepper(workers_of(services, ready, broker, clock, "stepped"), broker, ticks)
    return Run(installed, broker, clock, ticks, stepper, source, resumed)


@asynccontextmanager
async def _broker(
    settings: Settings, installed: Local, kafka: KafkaServer | None, start: datetime, *, resumed: bool
) -> AsyncIterator[tuple[Broker, VirtualClock]]:
    clock = VirtualClock(start)
    if kafka is None:
        yield await open_broker(installed.broker_url(settings), clock=clock.now), clock
        return
    if not resumed:
        await asyncio.to_thread(kafka.erase)
    await asyncio.to_thread(kafka.start)
    try:
        yield await open_broker(f"kafka://{kafka.bootstrap}", clock=clock.now), clock
    finally:
        await asyncio.to_thread(kafka.stop)
