"""The broker port in memory, under the same contract suite as Kafka: the log that the simulator runs on.

A `MemoryLog` is what survives its clients: records by lane, each lane with the offset at which it begins. Nothing here
fails by itself; whoever wants faults puts them between this log and its clients.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shared.messaging.broker import BrokerUnavailableError, Lane, OffsetGoneError, Outgoing, Record, TopicSpec
from shared.messaging.topics import refuse_mismatch


@dataclass(slots=True)
class _Kept:
    """The records of one lane that the log still holds, the first of them at offset `start`."""

    start: int = 0
    records: list[Record] = field(default_factory=list)

    @property
    def end(self) -> int:
        return self.start + len(self.records)


class MemoryLog:
    """The broker and all that it holds."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        """Hold nothing yet; `clock` gives the records' timestamps."""
        self._clock = clock
        self._partitions: dict[str, int] = {}
        self._lanes: dict[Lane, _Kept] = {}
        self._waiting: dict[Lane, dict[asyncio.Event, None]] = {}  # woken in the order in which they came

    async def ensure_topics(self, topics: Sequence[TopicSpec]) -> None:
        """Create what is missing and check the rest. Raises PartitionMismatchError."""
        self.create(topics)

    def create(self, topics: Sequence[TopicSpec]) -> None:
        """Create what is missing and check the rest. Raises PartitionMismatchError."""
        refuse_mismatch(topics, self._partitions)
        for spec in topics:
            if spec.name not in self._partitions:
                self._partitions[spec.name] = spec.partitions or spec.default_partitions

    async def partitions(self, topic: str) -> int:
        """How many partitions the topic has. Raises BrokerUnavailableError where there is no such topic."""
        if topic not in self._partitions:
            raise BrokerUnavailableError(f"there is no topic {topic}")
        return self._partitions[topic]

    async def end_offsets(self, lanes: Sequence[Lane]) -> Mapping[Lane, int]:
        """The offset that the next record of each lane will get."""
        return {lane: self._kept(lane).end for lane in lanes}

    async def earliest_offsets(self, lanes: Sequence[Lane]) -> Mapping[Lane, int]:
        """The first offset still held, per lane."""
        return {lane: self._kept(lane).start for lane in lanes}

    async def reader(self) -> "MemoryReader":
        """A reader that reads nothing yet."""
        return MemoryReader(self)

    async def writer(self) -> "MemoryWriter":
        """A writer."""
        return MemoryWriter(self)

    async def close(self) -> None:
        """Nothing is held."""

    # -- what is in it -------------------------------------------------------------------------------------------

    def append(self, lane: Lane, records: Sequence[Outgoing]) -> None:
        """Put records at the end of a lane, and wake whoever waits."""
        kept, at = self._kept(lane), self._clock()
        for offset, each in enumerate(records, start=kept.end):
            kept.records.append(Record(lane, offset, each.key, each.value, each.headers, at))
        for waiting in self._waiting.get(lane, ()):
            waiting.set()

    def held(self, lane: Lane) -> Sequence[Record]:
        """Everything that is still there of a lane."""
        return self._kept(lane).records

    def lanes(self) -> Iterable[Lane]:
        """The lanes to which something was ever appended."""
        return self._lanes

    def forget(self, lane: Lane, before: int) -> int:
        """Remove what lies before an offset, as retention does; returns how many records."""
        kept = self._kept(lane)
        gone = min(max(before - kept.start, 0), len(kept.records))
        del kept.records[:gone]
        kept.start += gone
        return gone

    def lose(self, lane: Lane, after: int) -> int:
        """Remove what lies at an offset and beyond, as a broker that loses its disk does; returns how many records."""
        kept = self._kept(lane)
        lost = max(kept.end - max(after, kept.start), 0)
        if lost:
            del kept.records[-lost:]
        return lost

    def read(self, lane: Lane, offset: int, limit: int) -> Sequence[Record]:
        """Up to `limit` records of a lane from an offset on. Raises OffsetGoneError."""
        kept = self._kept(lane)
        if not kept.start <= offset <= kept.end:
            raise OffsetGoneError(lane, offset, kept.start, kept.end)
        first = offset - kept.start
        return kept.records[first : first + limit]

    def end(self, lane: Lane) -> int:
        """The offset that the next record of a lane will get."""
        return self._kept(lane).end

    def has(self, lane: Lane, offset: int) -> bool:
        """Whether a reader at this offset has something to hear: a record, or that the offset is gone."""
        kept = self._kept(lane)
        return offset != kept.end

    async def wait(self, lanes: Collection[Lane], seconds: float) -> None:
        """Wait until something is appended to one of these lanes, but not for longer than that."""
        waiting = asyncio.Event()
        for lane in lanes:
            self._waiting.setdefault(lane, {})[waiting] = None
        alarm = asyncio.get_running_loop().call_later(seconds, waiting.set)
        try:
            await waiting.wait()
        finally:
            alarm.cancel()
            for lane in lanes:
                del self._waiting[lane][waiting]

    def _kept(self, lane: Lane) -> _Kept:
        kept = self._lanes.get(lane)
        if kept is not None:
            return kept
        if not 0 <= lane.partition < self._partitions.get(lane.topic, 0):
            raise BrokerUnavailableError(f"there is no lane {lane.topic}/{lane.partition}")
        return self._lanes.setdefault(lane, _Kept())


class MemoryReader:
    """Reads lanes of a memory log."""

    def __init__(self, log: MemoryLog) -> None:
        """Read nothing yet."""
        self._log = log
        self.positions: dict[Lane, int] = {}

    async def assign(self, positions: Mapping[Lane, int]) -> None:
        """Read exactly these lanes from these offsets on."""
        self.positions = dict(positions)

    async def fetch(self, limit: int, wait: float) -> Sequence[Record]:
        """Return up to `limit` records; wait for the first one. Raises OffsetGoneError."""
        records = self.take(limit)
        if not records and wait:
            await self._log.wait(tuple(self.positions), wait)
            records = self.take(limit)
        return records

    def take(self, limit: int) -> list[Record]:
        """Read on, lane by lane in the order assigned, each with its share of the limit."""
        taken: list[Record] = []
        share = max(limit // max(len(self.positions), 1), 1)
        for lane, offset in self.positions.items():
            records = self._log.read(lane, offset, min(share, limit - len(taken)))
            taken += records
        for record in taken:
            self.positions[record.lane] = record.offset + 1
        return taken

    def heard(self) -> int:
        """Where all lanes end."""
        return sum(map(self._log.end, self.positions))

    async def close(self) -> None:
        """Nothing is held."""


class MemoryWriter:
    """Appends to a memory log."""

    def __init__(self, log: MemoryLog) -> None:
        """Append nothing yet."""
        self._log = log

    async def append(self, batches: Mapping[Lane, Sequence[Outgoing]]) -> None:
        """Append each lane's records in order."""
        for lane, records in batches.items():
            self._log.append(lane, records)

    async def close(self) -> None:
        """Nothing is held."""
