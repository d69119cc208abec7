"""What the broker port promises, held against each adapter on its real server."""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol, TypeVar

import asyncpg
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from shared.embedded.kafka_server import KafkaServer, missing
from shared.messaging.broker import (
    Broker,
    BrokerUnavailableError,
    Lane,
    OffsetGoneError,
    Outgoing,
    PartitionMismatchError,
    Reader,
    Record,
    TopicSpec,
)
from shared.messaging.broker_from_url import open_broker
from shared.messaging.embedded_log import EmbeddedLog
from shared.messaging.kafka_clients import KafkaOptions
from shared.postgres.server import PostgresServer

PATIENCE = 60.0
START = datetime(2031, 3, 1, 9, 0, tzinfo=UTC)
Answer = TypeVar("Answer")
_numbers = count(1)


class Site(Protocol):
    """A real server that can be killed, and how to open the adapter under test on it."""

    url: str

    def kill(self) -> None: ...

    def start(self) -> None:
        """Start it again; nothing happens while it runs."""

    def stop(self) -> None: ...

    async def forget(self, broker: Broker, lane: Lane, before: Record) -> None:
        """Let retention take what was appended before a record."""


class EmbeddedSite:
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


class KafkaSite:
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


SITES = [
    pytest.param(EmbeddedSite, id="embedded"),
    pytest.param(KafkaSite, id="kafka", marks=pytest.mark.kafka),
]


@pytest.fixture(scope="module", params=SITES)
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    with TemporaryDirectory(prefix="fairdue-") as folder:
        site: Site = request.param(Path(folder))
        yield site
        site.stop()


@pytest.fixture
def mortal(site: Site) -> Iterator[Site]:
    """The site for tests that kill it; the next test finds it alive."""
    yield site
    site.start()


@asynccontextmanager
async def opened(
    site: Site, *, clock: Callable[[], datetime] | None = None, deadline: float = 20.0
) -> AsyncIterator[Broker]:
    broker = await open_broker(site.url, clock=clock, kafka=KafkaOptions(deadline_seconds=deadline))
    try:
        yield broker
    finally:
        await broker.close()


@pytest.fixture
async def broker(site: Site) -> AsyncIterator[Broker]:
    async with opened(site) as broker:
        yield broker


async def new_lanes(broker: Broker, partitions: int = 1) -> list[Lane]:
    topic = f"contract-{os.getpid()}-{next(_numbers)}.v1"
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


# Order, content, offsets


async def test_records_of_a_lane_keep_their_order_and_dense_offsets(broker: Broker) -> None:
    [lane] = await new_lanes(broker)
    writer = await broker.writer()
    for batch in (["a", "b", "c"], ["d"], ["e", "f"]):
        await writer.append({lane: texts(*batch)})
    await writer.close()
    records = await read(broker, lane, 6)
    assert values(records) == ["a", "b", "c", "d", "e", "f"]
    assert [record.offset for record in records] == [0, 1, 2, 3, 4, 5]
    assert {record.lane for record in records} == {lane}


async def test_one_append_fills_many_lanes_of_many_topics(broker: Broker) -> None:
    lanes = [*await new_lanes(broker, 5), *await new_lanes(broker, 3)]
    batches = {lane: numbered(number + 1, f"{lane}:") for number, lane in enumerate(lanes)}
    await append_all(broker, dict(random.Random(7).sample(list(batches.items()), len(lanes))))
    async with reading(broker, *lanes) as reader:
        records = await take(reader, sum(map(len, batches.values())))
    for lane, batch in batches.items():
        mine = [record for record in records if record.lane == lane]
        assert values(mine) == [outgoing.value.decode() for outgoing in batch]
        assert [record.offset for record in mine] == list(range(len(batch)))


async def test_a_fetch_gives_lane_after_lane_in_the_order_assigned(broker: Broker) -> None:
    lanes = await new_lanes(broker, 4)
    await append_all(broker, dict.fromkeys(lanes, numbered(3)))
    order = [lanes[2], lanes[0], lanes[3], lanes[1]]
    async with reading(broker, *order) as reader:
        fetched = [record.lane for record in await take(reader, 12)]
    assert fetched == [lane for lane in order for _ in range(3)]


async def test_keys_values_and_headers_survive_byte_for_byte(broker: Broker) -> None:
    [lane] = await new_lanes(broker)
    sent = [
        Outgoing(None, b"no key"),
        Outgoing(b"", b""),
        Outgoing(bytes(range(256)), bytes(range(255, -1, -1)), (("type", b"x"), ("ключ", b"\x00\xff"), ("type", b"y"))),
        Outgoing(b"large", os.urandom(300_000)),
    ]
    await append(broker, lane, sent)
    records = await read(broker, lane, len(sent))
    assert [(record.key, record.value, record.headers) for record in records] == [
        (outgoing.key, outgoing.value, outgoing.headers) for outgoing in sent
    ]


async def test_a_batch_larger_than_any_envelope_is_cut_and_keeps_its_order(broker: Broker) -> None:
    lanes = await new_lanes(broker, 2)
    sent = [Outgoing(b"key", os.urandom(1000) + str(number).encode()) for number in range(2500)]
    await append_all(broker, dict.fromkeys(lanes, sent))
    for lane in lanes:
        records = await read(broker, lane, len(sent))
        assert [record.offset for record in records] == list(range(len(sent)))
        assert [record.value for record in records] == [outgoing.value for outgoing in sent]


async def test_records_carry_the_instant_of_the_given_clock(site: Site) -> None:
    async with opened(site, clock=lambda: START) as broker:
        [lane] = await new_lanes(broker)
        await append(broker, lane, texts("a"))
        [record] = await read(broker, lane, 1)
    assert record.timestamp == START


async def test_without_a_clock_records_carry_the_present_instant(broker: Broker) -> None:
    [lane] = await new_lanes(broker)
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    await append(broker, lane, texts("a"))
    [record] = await read(broker, lane, 1)
    assert before <= record.timestamp <= datetime.now(UTC)


async def test_appending_nothing_is_no_deed(broker: Broker) -> None:
    lanes = await new_lanes(broker, 2)
    await append_all(broker, {})
    await append_all(broker, {lanes[0]: [], lanes[1]: texts("a")})
    assert await broker.end_offsets(lanes) == {lanes[0]: 0, lanes[1]: 1}


async def test_concurrent_writers_leave_dense_offsets_and_each_its_own_order(broker: Broker) -> None:
    lanes = await new_lanes(broker, 4)

    async def write(name: str) -> None:
        shuffle = random.Random(name).sample
        writer = await broker.writer()
        for number in range(25):
            await writer.append({lane: texts(f"{name} {number:03}") for lane in shuffle(lanes, len(lanes))})
        await writer.close()

    await asyncio.gather(*(write(name) for name in "ABCD"))
    for lane in lanes:
        records = await read(broker, lane, 100)
        assert [record.offset for record in records] == list(range(100))
        for name in "ABCD":
            assert [v for v in values(records) if v.startswith(name)] == [f"{name} {n:03}" for n in range(25)]


# Reading


async def test_an_idle_fetch_returns_empty_when_its_time_is_over(broker: Broker) -> None:
    [lane] = await new_lanes(broker)
    async with reading(broker, lane) as reader:
        assert list(await reader.fetch(10, 0.0)) == []
        assert list(await reader.fetch(10, 0.3)) == []


async def test_a_reader_without_lanes_has_nothing_to_give(broker: Broker) -> None:
    async with reading(broker) as reader:
        assert list(await reader.fetch(10, 0.1)) == []


async def test_a_waiting_fetch_wakes_when_a_record_comes(broker: Broker) -> None:
    lanes = await new_lanes(broker, 3)
    async with reading(broker, *lanes) as reader:
        await reader.fetch(10, 0.0)
        for number, lane in enumerate(lanes):
            waiting = asyncio.create_task(reader.fetch(10, 10 * PATIENCE))
            await append(broker, lane, texts(str(number)))
            assert values(await asyncio.wait_for(waiting, PATIENCE)) == [str(number)]


async def test_a_fetch_that_is_given_up_skips_nothing(broker: Broker) -> None:
    [lane] = await new_lanes(broker)
    taken: list[Record] = []
    async with reading(broker, lane) as reader:
        for number in range(20):
            waiting = asyncio.create_task(reader.fetch(10, 0.5))
            await append(broker, lane, numbered(5, f"{number}."))
            if not waiting.cancel():
                taken += waiting.result()
            else:
                await asyncio.wait([waiting])
        taken += await take(reader, 100 - len(taken))
    assert [record.offset for record in taken] == list(range(100))


async def test_small_fetches_get_everything_in_order(broker: Broker) -> None:
    lanes = await new_lanes(broker, 3)
    await append_all(broker, dict.fromkeys(lanes, numbered(50)))
    async with reading(broker, *lanes) as reader:
        records = await take(reader, 150, limit=7)
    for lane in lanes:
        assert [record.offset for record in records if record.lane == lane] == list(range(50))


async def test_a_lane_far_behind_does_not_starve_another(broker: Broker) -> None:
    far, near = await new_lanes(broker, 2)
    await append(broker, far, [Outgoing(b"key", os.urandom(2000)) for _ in range(4000)])
    await append(broker, near, texts("x"))
    async with reading(broker, far, near) as reader:
        records: list[Record] = []
        while near not in {record.lane for record in records}:
            records += await reader.fetch(200, PATIENCE)
    assert len(records) < 4000


async def test_lanes_can_be_moved_added_and_taken_away(broker: Broker) -> None:
    first, second = await new_lanes(broker, 2)
    await append_all(broker, {first: numbered(10, "first "), second: numbered(10, "second ")})
    async with reading(broker, first) as reader:
        await take(reader, 10)
        await reader.assign({first: 8, second: 9})
        assert values(await take(reader, 3)) == ["first 8", "first 9", "second 9"]
        await reader.assign({second: 10})
        await append_all(broker, {first: texts("unseen"), second: texts("seen")})
        assert values(await take(reader, 1)) == ["seen"]
        assert list(await reader.fetch(10, 0.5)) == []
        await reader.assign({first: 10})
        assert values(await take(reader, 1)) == ["unseen"]


async def test_offsets_say_where_a_lane_begins_and_ends(site: Site) -> None:
    instants = (START + timedelta(minutes=number) for number in count())
    async with opened(site, clock=lambda: next(instants)) as broker:
        full, empty = await new_lanes(broker, 2)
        for number in range(4):
            await append(broker, full, numbered(2, f"{number}."))
        records = await read(broker, full, 8)
        await site.forget(broker, full, before=records[4])
        assert await broker.end_offsets([full, empty]) == {full: 8, empty: 0}
        assert await broker.earliest_offsets([full, empty]) == {full: 4, empty: 0}


async def test_a_position_that_retention_has_passed_is_refused(site: Site) -> None:
    instants = (START + timedelta(minutes=number) for number in count())
    async with opened(site, clock=lambda: next(instants)) as broker:
        [lane] = await new_lanes(broker)
        for number in range(4):
            await append(broker, lane, numbered(2, f"{number}."))
        records = await read(broker, lane, 8)
        await site.forget(broker, lane, before=records[4])
        async with reading(broker, lane, start=1) as reader:
            with pytest.raises(OffsetGoneError) as refused:
                await take(reader, 1)
            assert (refused.value.lane, refused.value.wanted) == (lane, 1)
            assert (refused.value.earliest, refused.value.end) == (4, 8)
            await reader.assign({lane: 4})
            assert values(await take(reader, 4)) == ["2.0", "2.1", "3.0", "3.1"]


async def test_a_position_beyond_the_end_is_refused(broker: Broker) -> None:
    [lane] = await new_lanes(broker)
    await append(broker, lane, numbered(3))
    async with reading(broker, lane, start=4) as reader:
        with pytest.raises(OffsetGoneError) as refused:
            await take(reader, 1)
    assert (refused.value.wanted, refused.value.earliest, refused.value.end) == (4, 0, 3)


# Topics


async def test_another_number_of_partitions_is_refused(broker: Broker) -> None:
    [lane] = await new_lanes(broker)
    with pytest.raises(PartitionMismatchError, match=f"topic {lane.topic} has 1 partitions and must have 32"):
        await broker.ensure_topics([TopicSpec(lane.topic, 32), TopicSpec(f"{lane.topic}.other", 3)])


async def test_a_topic_of_any_size_is_left_as_it_is(broker: Broker) -> None:
    [lane] = await new_lanes(broker)
    await broker.ensure_topics([TopicSpec(lane.topic, None)])
    assert await broker.partitions(lane.topic) == 1


async def test_a_topic_of_any_size_is_made_with_its_default(broker: Broker) -> None:
    topic = f"contract-{os.getpid()}-{next(_numbers)}.v1"
    spec = TopicSpec(topic, None, default_partitions=5)
    await asyncio.gather(*(broker.ensure_topics([spec]) for _ in range(3)))
    assert await broker.partitions(topic) == 5
    await append(broker, Lane(topic, 4), texts("in the last one"))
    assert values(await read(broker, Lane(topic, 4), 1)) == ["in the last one"]


async def test_a_lane_that_does_not_exist_is_refused(site: Site) -> None:
    async with opened(site, deadline=3.0) as broker:
        [lane] = await new_lanes(broker)
        for unknown in (Lane(lane.topic, 1), Lane("nowhere", 0)):
            with pytest.raises(BrokerUnavailableError):
                await append(broker, unknown, texts("lost?"))
        async with reading(broker, Lane("nowhere", 0)) as reader:
            with pytest.raises(BrokerUnavailableError):
                await reader.fetch(10, PATIENCE)
        with pytest.raises(BrokerUnavailableError):
            await broker.end_offsets([lane, Lane("nowhere", 0)])
        with pytest.raises(BrokerUnavailableError):
            await broker.partitions("nowhere")


# Outages


async def test_what_was_acknowledged_survives_a_killed_server(mortal: Site) -> None:
    acknowledged: list[str] = []

    async def write(broker: Broker, lane: Lane) -> None:
        writer = await broker.writer()
        try:
            for number in count():
                await writer.append({lane: texts(str(number))})
                acknowledged.append(str(number))
        except BrokerUnavailableError:
            return
        finally:
            await writer.close()

    async with opened(mortal, deadline=5.0) as broker:
        [lane] = await new_lanes(broker)
        writing = asyncio.create_task(write(broker, lane))
        async with reading(broker, lane) as reader:
            await take(reader, 50)  # so the kill comes in the midst of writing
            await asyncio.to_thread(mortal.kill)
            await asyncio.wait_for(writing, PATIENCE)
        await asyncio.to_thread(mortal.start)
        end = (await eventually(lambda: broker.end_offsets([lane])))[lane]
        kept = await eventually(lambda: read(broker, lane, end))
    assert len(acknowledged) >= 50
    assert values(kept)[: len(acknowledged)] == acknowledged
    assert len(kept) <= len(acknowledged) + 1
    assert [record.offset for record in kept] == list(range(len(kept)))


async def test_an_outage_is_told_to_everybody_and_ends(mortal: Site) -> None:
    async with opened(mortal, deadline=5.0) as broker:
        [lane] = await new_lanes(broker)
        writer = await broker.writer()
        await writer.append({lane: texts("before")})
        async with reading(broker, lane) as reader:
            await take(reader, 1)
            waiting = asyncio.create_task(reader.fetch(10, 10 * PATIENCE))
            await asyncio.to_thread(mortal.kill)
            with pytest.raises(BrokerUnavailableError):
                await asyncio.wait_for(waiting, PATIENCE)
            with pytest.raises(BrokerUnavailableError):
                await asyncio.wait_for(writer.append({lane: texts("lost")}), PATIENCE)
            for ask in (
                lambda: broker.end_offsets([lane]),
                lambda: broker.partitions(lane.topic),
                lambda: broker.ensure_topics([TopicSpec(lane.topic, 1)]),
                broker.writer,
                lambda: open_broker(mortal.url),
            ):
                with pytest.raises(BrokerUnavailableError):
                    await asyncio.wait_for(ask(), PATIENCE)
            await asyncio.to_thread(mortal.start)
            with pytest.raises(BrokerUnavailableError, match="must be replaced"):
                await writer.append({lane: texts("by a broken writer")})
            await asyncio.wait_for(writer.close(), PATIENCE)
            await eventually(lambda: append(broker, lane, texts("after")))
            records = await eventually(lambda: take(reader, 1))
    assert [(record.offset, record.value) for record in records] == [(1, b"after")]
