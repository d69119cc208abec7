"""The broker as a port: an ordered, partitioned, durable log. `embedded_log` and `kafka` are its adapters.

What every adapter promises: records of one partition keep the order in which they were acknowledged; a record that was
acknowledged is there for every later reader until retention removes it; a fetch never skips. It promises neither that
a record is there only once nor that a failed append is absent: sequences in the headers answer for that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

import msgspec


class Lane(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int


Headers = tuple[tuple[str, bytes], ...]


def header_value(headers: Headers, name: str) -> bytes | None:
    """What the first header of a name holds, None where there is none; a bank may send one without a value."""
    for key, value in headers:
        if key == name:
            return value or b""
    return None


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """A record to append."""

    key: bytes | None
    value: bytes
    headers: Headers = ()


class Record(msgspec.Struct, frozen=True, gc=False):
    """A record as read back. `offset` is dense within its lane but for what retention or the broker removed."""

    lane: Lane
    offset: int
    key: bytes | None
    value: bytes
    headers: Headers
    timestamp: datetime


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic that must exist. `partitions=None`: whatever is there is right, and `default_partitions` is created."""

    name: str
    partitions: int | None
    default_partitions: int = 7


class BrokerUnavailableError(Exception):
    """The broker did not answer: nothing is known of the outcome, try again later."""


class OffsetGoneError(Exception):
    """The next record wanted is no longer (or not yet) in the log: retention, truncation or a new log."""

    def __init__(self, lane: Lane, wanted: int, earliest: int, end: int) -> None:
        super().__init__(f"{lane.topic}/{lane.partition}: wanted offset {wanted}, the log holds {earliest} to {end}")
        self.lane, self.wanted, self.earliest, self.end = lane, wanted, earliest, end


class PartitionMismatchError(Exception):
    """A topic exists with another number of partitions than the product is built on; nothing may start on it."""


class Reader(Protocol):
    """Reads lanes from positions that its owner keeps."""

    async def assign(self, positions: Mapping[Lane, int]) -> None:
        """Read exactly these lanes from these offsets on; lanes that were already assigned are moved as told."""

    async def fetch(self, limit: int, wait: float) -> Sequence[Record]:
        """Return up to about `limit` records, in lane order; wait at most `wait` seconds for the first one.

        Raises BrokerUnavailableError, OffsetGoneError.
        """

    def heard(self) -> int:
        """A number that grows as it hears of new records in its lanes; nobody is asked, and nothing is fetched."""

    async def close(self) -> None: ...


class Writer(Protocol):
    """Appends in order. After any error it must be closed and replaced: the outcome of the rest is unknown."""

    async def append(self, batches: Mapping[Lane, Sequence[Outgoing]]) -> None:
        """Append each lane's records in order, and return when all are acknowledged. Raises BrokerUnavailableError."""

    async def close(self) -> None: ...


class Broker(Protocol):
    """One log, reachable by many readers and writers."""

    async def ensure_topics(self, topics: Sequence[TopicSpec]) -> None:
        """Create what is missing and check the rest. Raises PartitionMismatchError, BrokerUnavailableError."""

    async def partitions(self, topic: str) -> int:
        """How many partitions the topic has."""

    async def end_offsets(self, lanes: Sequence[Lane]) -> Mapping[Lane, int]:
        """The offset that the next record of each lane will get."""

    async def earliest_offsets(self, lanes: Sequence[Lane]) -> Mapping[Lane, int]:
        """The first offset still held, per lane."""

    async def reader(self) -> Reader: ...

    async def writer(self) -> Writer: ...

    async def close(self) -> None: ...
