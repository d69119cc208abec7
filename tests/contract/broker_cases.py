"""The log in memory and the two real servers that the broker port is held against, and how its tests write and read."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Protocol, TypeVar

import asyncpg
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from shared.clock import SystemClock
from shared.embedded.kafka_server import KafkaServer, missing
from shared.messaging.broker import Broker, BrokerUnavailableError, Lane, Outgoing, Reader, Record, TopicSpec
from shared.messaging.broker_from_url import open_broker
from shared.messaging.embedded_log import EmbeddedLog
from shared.messaging.kafka_clients import KafkaOptions
from shared.messaging.memory_log import MemoryLog
from shared.postgres.server import PostgresServer

PATIENCE = 60.0
START = datetime(2031, 3, 1, 9, 0, tzinfo=UTC)
Answer = TypeVar("Answer")
_numbers = count(1)


class Site(Protocol):
    """Where a log lies, and how to open the adapter under test on it."""

    async def open(self, clock: Callable[[], datetime] | None, deadline: float) -> Broker: ...

    def stop(self) -> None: ...

    async def forget(self, broker: Broker, lane: Lane, before: Record) -> None:
        """Let retention take what was appended before a record."""


class Server(Site, Protocol):
    """A real server, which can be killed."""

    url: str

    def kill(self) -> None: ...

    def start(self) -> None:
        """Start it again; nothing happens while it runs."""


class MemorySite:
    """The log that all clients of the site share lies in this process, and ends with it."""

    def __init__(self, _folder: Path) -> None:
        self._clock: Callable[[], datetime] = SystemClock().now
        self._log = MemoryLog(self._now)

    def _now(self) -> datetime:
        return self._clock()

    async def open(self, clock: Callable[[], datetime] | None, deadline: float) -> Broker:
        self._clock = clock or SystemClock().now
        return self._log

    def stop(self) -> None: ...

    async def forget(self, broker: Broker, lane: Lane, before: Record) -> None:
        assert self._log.forget(lane, before.offset) > 0


class _ByUrl:
    url: str

    async def open(self, clock: Callable[[], datetime] | None, deadline: float) -> Broker:
        return await open_broker(self.url, clock=clock, kafka=KafkaOptions(deadline_seconds=deadline))


class EmbeddedSite(_ByUrl):
    def __init__(self, folder: Path) -> None:
        self._server = PostgresServer(folder, fast=True)
        self.kill, self.stop = self._server.kill, self._server.stop
        self._server.start()
        asyncio.run(self._create_database())
        self.url = self._server.dsn("log")

    def start(self) -> None:
        self._server.start()

    async def forget(self, broker: Broker, lane: Lane, before: Record) -> None:
        assert isinstance(broker, EmbeddedLog)
        assert await broker.prune(before.timestamp) > 0

    async def _create_database(self) -> None:
        connection = await asyncpg.connect(self._server.dsn("postgres"))
        await connection.execute("CREATE DATABASE log")
        await connection.close()


class KafkaSite(_ByUrl):
    def __init__(self, folder: Path) -> None:
        if reason := missing():
            pytest.skip(f"no Kafka: {reason}")
        self._server = KafkaServer(folder)
        self.kill, self.stop = self._server.kill, self._server.stop
        self._server.start()
        self.url = f"kafka://{self._server.bootstrap}"

    def start(self) -> None:
        if not self._server.is_running():
            self._server.start()

    async def forget(self, broker: Broker, lane: Lane, before: Record) -> None:
        admin: Any = AIOKafkaAdminClient(bootstrap_servers=self._server.bootstrap)
        await admin.start()
        try:
            await admin.delete_records({TopicPartition(*lane): RecordsToDelete(before_offset=before.offset)})
        finally:
            await admin.close()


SERVERS = [
    pytest.param(EmbeddedSite, id="embedded"),
    pytest.param(KafkaSite, id="kafka", marks=pytest.mark.kafka),
]
SITES = [pytest.param(MemorySite, id="memory"), *SERVERS]


@asynccontextmanager
async def opened(
    site: Site, *, clock: Callable[[], datetime] | None = None, deadline: float = 20.0
) -> AsyncIterator[Broker]:
    broker = await site.open(clock, deadline)
    try:
        yield broker
    finally:
        await broker.close()


def new_topic() -> str:
    return f"contract-{os.getpid()}-{next(_numbers)}.v1"


async def new_lanes(broker: Broker, partitions: int = 1) -> list[Lane]:
    topic = new_topic()
    await broker.ensure_topics([TopicSpec(topic, partitions)])
    return [Lane(topic, partition) for partition in range(partitions)]


def texts(*values: str) -> list[Outgoing]:
    return [Outgoing(b"key", value.encode()) for value in values]


def numbered(many: int, prefix: str = "") -> list[Outgoing]:
    return texts(*(f"{prefix}{number}" for number in range(many)))


def values(records: Sequence[Record]) -> list[str]:
    return [record.value.decode() for record in records]


async def append(broker: Broker, lane: Lane, records: Sequence[Outgoing]) -> None:
    await append_all(broker, {lane: records})


async def append_all(broker: Broker, batches: dict[Lane, Sequence[Outgoing]]) -> None:
    writer = await broker.writer()
    try:
        await writer.append(batches)
    finally:
        await writer.close()


@asynccontextmanager
async def reading(broker: Broker, *lanes: Lane, start: int = 0) -> AsyncIterator[Reader]:
    reader = await broker.reader()
    try:
        await reader.assign(dict.fromkeys(lanes, start))
        yield reader
    finally:
        await reader.close()


async def take(reader: Reader, many: int, limit: int = 1000) -> list[Record]:
    """Fetch until `many` records are there."""
    records: list[Record] = []
    async with asyncio.timeout(PATIENCE):
        while len(records) < many:
            records += await reader.fetch(limit, 1.0)
    return records


async def read(broker: Broker, lane: Lane, many: int) -> list[Record]:
    async with reading(broker, lane) as reader:
        return await take(reader, many)


async def eventually(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """Ask again while the broker is unavailable, as the runtime does."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await ask()
            except BrokerUnavailableError:
                await asyncio.sleep(0.1)
