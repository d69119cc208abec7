"""The broker port on Apache Kafka 4.x through aiokafka: own positions, own deadlines, no consumer group.

aiokafka is loosely typed; its objects are `Any` here and in `kafka_clients`, and nowhere else.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import lru_cache
from itertools import zip_longest
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import OffsetOutOfRangeError, TopicAlreadyExistsError, for_code

from shared.contracts.reading import LAST_YEAR
from shared.messaging.broker import (
    BrokerUnavailableError,
    Headers,
    Lane,
    OffsetGoneError,
    Outgoing,
    Record,
    TopicSpec,
)
from shared.messaging.kafka_clients import (
    CONSUMER,
    PRODUCER,
    KafkaOptions,
    abandon,
    answering,
    end,
    start,
    warn_if_slow,
)
from shared.messaging.topics import refuse_mismatch

_POLL_SECONDS: Final = 0.05
_LISTEN_SECONDS: Final = 1.0
_SILENT_SECONDS: Final = 5.0
"""A lane that the broker has not answered for so long is asked about; live ones are answered every 0.25 s."""

_LAST_INSTANT: Final = int(datetime(LAST_YEAR, 12, 31, tzinfo=UTC).timestamp() * 1000)


class KafkaBroker:
    """The broker. Open it with `await KafkaBroker.open(["host:9092"])`."""

    def __init__(self, servers: Sequence[str], options: KafkaOptions) -> None:
        """Connect to nobody yet; `open` also sees whether somebody answers."""
        warn_if_slow()
        self._options, self._client = options, options.client(servers)
        self._lookup: Any = None
        self._turn = asyncio.Lock()

    @classmethod
    async def open(cls, servers: Sequence[str], options: KafkaOptions | None = None) -> "KafkaBroker":
        """Connect to the first of `servers` (host:port) that answers. Raises BrokerUnavailableError."""
        broker = cls(servers, options or KafkaOptions())
        async with broker._asking():
            pass
        return broker

    async def ensure_topics(self, topics: Sequence[TopicSpec]) -> None:
        """Create what is missing, check the rest, and wait until every partition has a leader.

        Raises PartitionMismatchError, BrokerUnavailableError.
        """
        async with self._administering() as admin:
            found = await _topics(admin)
            refuse_mismatch(topics, {name: len(partitions) for name, partitions in found.items()})
            await self._create(admin, [spec for spec in topics if spec.name not in found])
            while not _all_led(topics, found := await _topics(admin)):  # noqa: ASYNC110  # nobody tells us of elections
                await asyncio.sleep(_POLL_SECONDS)
            refuse_mismatch(topics, {name: len(partitions) for name, partitions in found.items()})

    async def partitions(self, topic: str) -> int:
        """How many partitions the topic has. Raises BrokerUnavailableError where there is no such topic."""
        async with self._administering() as admin:
            found = await _topics(admin)
        if topic not in found:
            raise BrokerUnavailableError(f"Kafka: there is no topic {topic}")
        return len(found[topic])

    async def end_offsets(self, lanes: Sequence[Lane]) -> Mapping[Lane, int]:
        """The offset that the next record of each lane will get. Raises BrokerUnavailableError."""
        async with self._asking() as consumer:
            return _by_lane(await consumer.end_offsets(_partitions_of(lanes)))

    async def earliest_offsets(self, lanes: Sequence[Lane]) -> Mapping[Lane, int]:
        """The first offset still held, per lane. Raises BrokerUnavailableError."""
        async with self._asking() as consumer:
            return _by_lane(await consumer.beginning_offsets(_partitions_of(lanes)))

    async def reader(self) -> "KafkaReader":
        """A reader; it connects when lanes are assigned and fetched."""
        return KafkaReader(self._client, self._options.deadline_seconds)

    async def writer(self) -> "KafkaWriter":
        """A writer that is connected and has its producer id. Raises BrokerUnavailableError."""
        producer: Any = AIOKafkaProducer(**self._client, **PRODUCER)
        await start(producer, self._options.deadline_seconds)
        return KafkaWriter(producer, self._options)

    async def close(self) -> None:
        """Let go of the broker's own connection; readers and writers have theirs."""
        lookup, self._lookup = self._lookup, None
        if lookup is not None:
            await end(lookup)

    async def _create(self, admin: Any, topics: Sequence[TopicSpec]) -> None:
        if not topics:
            return
        made = [
            NewTopic(
                name=spec.name,
                num_partitions=spec.partitions or spec.default_partitions,
                replication_factor=self._options.replication_factor,
                topic_configs=self._options.topic(),
            )
            for spec in topics
        ]
        for topic, code, message in (await admin.create_topics(made)).topic_errors:
            problem = for_code(code)
            if code and problem is not TopicAlreadyExistsError:  # another worker was quicker
                raise BrokerUnavailableError(f"Kafka: cannot create topic {topic}: {problem.__name__} {message or ''}")

    @asynccontextmanager
    async def _administering(self) -> AsyncIterator[Any]:
        admin: Any = AIOKafkaAdminClient(**self._client)
        try:
            async with answering(self._options.deadline_seconds):
                await admin.start()
                yield admin
        finally:
            await end(admin)

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[Any]:
        """The one consumer that asks for offsets, in turn; after trouble it is replaced."""
        async with self._turn:
            try:
                if self._lookup is None:
                    lookup: Any = AIOKafkaConsumer(**self._client, **CONSUMER)
                    await start(lookup, self._options.deadline_seconds)
                    self._lookup = lookup
                async with answering(self._options.deadline_seconds):
                    yield self._lookup
            except BaseException:
                await self.close()
                raise


class KafkaReader:
    """Reads lanes from positions of its own; after an error it connects anew and goes on where it was."""

    def __init__(self, client: Mapping[str, Any], deadline_seconds: float) -> None:
        """Nothing is connected before the first fetch."""
        self._client, self._deadline_seconds = client, deadline_seconds
        self._positions: dict[Lane, int] = {}
        self._consumer: Any = None
        self._moved = False
        self._asked_at = 0.0

    async def assign(self, positions: Mapping[Lane, int]) -> None:
        """Read exactly these lanes from these offsets on."""
        self._positions, self._moved = dict(positions), True

    async def fetch(self, limit: int, wait: float) -> Sequence[Record]:
        """Up to `limit` records, lane by lane as assigned. Raises BrokerUnavailableError, OffsetGoneError."""
        if not self._positions:
            await asyncio.sleep(wait)
            return ()
        try:
            return await self._fetch(limit, wait)
        except OffsetGoneError:
            raise
        except BaseException:
            await self.close()
            raise

    def heard(self) -> int:
        """Where the lanes end, as far as the answers to fetches have told."""
        if self._consumer is None or self._moved:
            return 0
        return sum(self._consumer.highwater(TopicPartition(*lane)) or 0 for lane in self._positions)

    async def close(self) -> None:
        """Let go of the connection."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await end(consumer)

    async def _fetch(self, limit: int, wait: float) -> Sequence[Record]:
        consumer = await self._placed()
        try:
            async with answering(wait + self._deadline_seconds):
                return self._take(await self._await_records(consumer, limit, wait))
        except BrokerUnavailableError as error:
            if not isinstance(error.__cause__, OffsetOutOfRangeError):
                raise
            read = [one for one in error.__cause__.args[0] if Lane(*one) in self._positions]
            await self._explain_gap(consumer, read)  # aiokafka may still tell of one that is not read any more
            return ()

    async def _await_records(self, consumer: Any, limit: int, wait: float) -> Mapping[Any, Sequence[Any]]:
        deadline = _now() + wait
        while True:
            patience = max(0.0, min(deadline - _now(), _LISTEN_SECONDS))
            fetched: Mapping[Any, Sequence[Any]] = await consumer.getmany(
                timeout_ms=int(patience * 1000), max_records=limit
            )
            if fetched:
                return fetched
            await self._check_silence(consumer)
            if _now() >= deadline:
                return fetched

    async def _placed(self) -> Any:
        """The consumer, standing at our positions."""
        if self._consumer is None:
            consumer: Any = AIOKafkaConsumer(**self._client, **CONSUMER)
            await start(consumer, self._deadline_seconds)
            self._consumer, self._moved = consumer, True
        if self._moved:
            self._consumer.assign(_partitions_of(list(self._positions)))
            for lane, position in self._positions.items():
                self._consumer.seek(TopicPartition(*lane), position)
            self._moved, self._asked_at = False, _now()
        return self._consumer

    async def _check_silence(self, consumer: Any) -> None:
        """Ask about lanes that have been silent too long, since aiokafka hides that nobody answers for them."""
        if _now() - self._asked_at < _SILENT_SECONDS:
            return
        self._asked_at = _now()
        heard_after = datetime.now(UTC).timestamp() - _SILENT_SECONDS
        partitions = map(TopicPartition._make, self._positions)
        silent = [one for one in partitions if (consumer.last_poll_timestamp(one) or 0) / 1000 < heard_after]
        if not silent:
            return
        async with answering(_SILENT_SECONDS):
            ends = await consumer.end_offsets(silent)
        stuck = [one for one in silent if ends[one] > self._positions[Lane(*one)]]
        if stuck:
            raise BrokerUnavailableError(f"Kafka: records of {stuck[0].topic}/{stuck[0].partition} do not arrive")

    async def _explain_gap(self, consumer: Any, partitions: Sequence[Any]) -> None:
        async with answering(self._deadline_seconds):
            firsts = await consumer.beginning_offsets(partitions)
            ends = await consumer.end_offsets(partitions)
        for one in partitions:
            lane = Lane(*one)
            if not firsts[one] <= self._positions[lane] <= ends[one]:
                raise OffsetGoneError(lane, self._positions[lane], firsts[one], ends[one])
        self._moved = True  # it was so for a moment only, while leaders changed

    def _take(self, fetched: Mapping[Any, Sequence[Any]]) -> Sequence[Record]:
        records: list[Record] = []
        for lane in self._positions if len(fetched) > 1 else map(Lane._make, fetched):
            messages = fetched.get(lane, ())
            if messages:
                records += _records_of(lane, messages)
                self._positions[lane] = messages[-1].offset + 1
        return records


class KafkaWriter:
    """Appends through one idempotent producer; after any error it refuses, and another one takes its place."""

    def __init__(self, producer: Any, options: KafkaOptions) -> None:
        """`producer` is started."""
        self._producer, self._options, self._broken = producer, options, False

    async def append(self, batches: Mapping[Lane, Sequence[Outgoing]]) -> None:
        """Append each lane's records in order, and return when all are acknowledged. Raises BrokerUnavailableError."""
        if self._broken:
            raise BrokerUnavailableError("Kafka: this writer failed before and must be replaced")
        sent: list[asyncio.Future[Any]] = []
        try:
            async with answering(self._options.deadline_seconds):
                await self._check_lanes(batches)
                await self._send(batches, sent)
                await asyncio.gather(*sent)
        except BaseException:
            self._broken = True
            _forget(sent)
            raise

    async def close(self) -> None:
        """Let go of the connection; a producer that failed is not waited for, since it would retry for ever."""
        if self._broken:
            await abandon(self._producer)
        else:
            await end(self._producer)

    async def _check_lanes(self, batches: Mapping[Lane, Sequence[Outgoing]]) -> None:
        for topic in {lane.topic for lane in batches}:
            known = await self._producer.partitions_for(topic)
            wrong = [lane for lane in batches if lane.topic == topic and lane.partition not in known]
            if wrong:
                raise BrokerUnavailableError(f"Kafka: there is no lane {topic}/{wrong[0].partition}")

    async def _send(self, batches: Mapping[Lane, Sequence[Outgoing]], sent: list[asyncio.Future[Any]]) -> None:
        """Lane by lane the first Kafka batch, then the second: aiokafka queues one per lane and waits for it."""
        at = None if self._options.clock is None else int(self._options.clock().timestamp() * 1000)
        lanes = [[(lane, one) for one in self._cut(batch, at)] for lane, batch in batches.items()]
        for turn in zip_longest(*lanes):
            for lane, one in filter(None, turn):
                sent.append(await self._producer.send_batch(one, lane.topic, partition=lane.partition))

    def _cut(self, batch: Sequence[Outgoing], at: int | None) -> Iterator[Any]:
        """Kafka batches that hold the records in order; a record alone is never too large for one."""
        building: Any = None
        for record in batch:
            headers = list(record.headers)
            if building is None or not _taken(building, at, record, headers):
                if building is not None:
                    building.close()
                    yield building
                building = self._producer.create_batch()
                _taken(building, at, record, headers)
        if building is not None:
            building.close()
            yield building


def _taken(building: Any, at: int | None, record: Outgoing, headers: list[tuple[str, bytes]]) -> bool:
    """Whether there was room for a record in a Kafka batch."""
    return building.append(timestamp=at, key=record.key, value=record.value, headers=headers) is not None


def _forget(sent: Sequence[asyncio.Future[Any]]) -> None:
    """Nobody will ask for these outcomes any more."""
    for future in sent:
        if not future.cancel() and not future.cancelled():
            future.exception()


async def _topics(admin: Any) -> dict[str, list[dict[str, Any]]]:
    """All topics with their partitions. Asking for one by name would create it where the cluster allows that."""
    return {topic["topic"]: topic["partitions"] for topic in await admin.describe_topics() if not topic["error_code"]}


def _all_led(topics: Sequence[TopicSpec], found: Mapping[str, Sequence[Mapping[str, Any]]]) -> bool:
    return all(
        found.get(spec.name) and all(one["leader"] >= 0 and not one["error_code"] for one in found[spec.name])
        for spec in topics
    )


def _records_of(lane: Lane, messages: Sequence[Any]) -> Iterator[Record]:
    for each in messages:
        yield Record(lane, each.offset, each.key, each.value or b"", _filled(each.headers), _instant(each.timestamp))


def _filled(headers: Sequence[tuple[str, bytes | None]]) -> Headers:
    """Headers as they are, but that one without a value, which only others than us write, has an empty one."""
    for _, value in headers:
        if value is None:
            return tuple([(name, value or b"") for name, value in headers])
    return headers  # type: ignore[return-value]  # just seen: a tuple, as aiokafka makes it


@lru_cache(maxsize=1024)  # what was written together has one instant
def _instant(milliseconds: int) -> datetime:
    """The instant of a record; whoever writes one sets it as they like, so what no calendar holds is moved into it."""
    return datetime.fromtimestamp(min(max(milliseconds, 0), _LAST_INSTANT) / 1000, UTC)


def _partitions_of(lanes: Sequence[Lane]) -> list[Any]:
    return [TopicPartition(*lane) for lane in lanes]


def _by_lane(offsets: Mapping[Any, int]) -> dict[Lane, int]:
    return {Lane(*partition): offset for partition, offset in offsets.items()}


def _now() -> float:
    return asyncio.get_running_loop().time()
