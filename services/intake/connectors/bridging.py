"""A bridge reads a topic of the core's own and writes ours, at least once and under the same names each time.

Its position moves when the events are acknowledged. A record of which a part was refused goes, as it came, to a topic
of its own with the reason in its headers: once the reason is gone, a bridge from there sends what is missing.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal, NamedTuple

import msgspec
import structlog

from services.intake.connectors.cloud_events import outgoing
from services.intake.connectors.positions import PositionFile
from services.intake.connectors.sending import Ignored, Outcome, Refused, Sent, key_of
from shared.contracts import core_banking
from shared.messaging.appending import Topic
from shared.messaging.broker import Broker, BrokerUnavailableError, Lane, Outgoing, Reader, Record, TopicSpec

log = structlog.get_logger(__name__)

AT_ONCE: Final = 500
WAIT_SECONDS: Final = 0.5
AGAIN_SECONDS: Final = 1.0
LOOK_SECONDS: Final = 60.0
"""How long a partition that the core's topic was given anew may go unnoticed."""


class Source(NamedTuple):
    """What a bridge reads: a topic, by whom its events are told, and what comes of each record."""

    topic: str
    name: str
    read: Callable[[Record], Sequence[Outcome]]

    @property
    def refused(self) -> str:
        """The topic of what could not be read."""
        return f"{self.topic}.refused"


class Position(msgspec.Struct, frozen=True):
    """The next offset to read of each partition of a topic."""

    topic: str
    offsets: dict[int, int]


class WrongPositionError(ValueError):
    """The position is of another topic."""


class Bridge:
    """One bridge; two of them on the same topic do no harm, and no good."""

    def __init__(self, broker: Broker, source: Source, kept: PositionFile[Position]) -> None:
        self._broker, self._source, self._kept = broker, source, kept
        self._public, self._refused = Topic(broker, core_banking.TOPIC), Topic(broker, source.refused)
        self.counts: dict[Literal["sent", "refused", "ignored"], int] = {"sent": 0, "refused": 0, "ignored": 0}

    async def run(self, stopping: asyncio.Event) -> None:
        """Carry over until told to stop; a broker that is away is waited for.

        Raises OffsetGoneError, PositionError, WrongPositionError.
        """
        while not stopping.is_set():
            try:
                await self._carry_over(stopping)
            except BrokerUnavailableError as error:
                log.warning("the broker does not answer", topic=self._source.topic, error=str(error))
                await _pause(stopping)

    async def _carry_over(self, stopping: asyncio.Event) -> None:
        """Read on from the position, until told to stop or to look for new partitions."""
        await self._broker.ensure_topics([TopicSpec(self._public.name, None), TopicSpec(self._refused.name, None)])
        loop = asyncio.get_running_loop()
        reader = await self._broker.reader()
        try:
            while not stopping.is_set():
                offsets = await self._assigned(reader)
                until = loop.time() + LOOK_SECONDS
                while not stopping.is_set() and loop.time() < until:
                    offsets = await self._batch(await reader.fetch(AT_ONCE, WAIT_SECONDS), offsets)
        finally:
            await reader.close()
            await self._public.close()
            await self._refused.close()

    async def _assigned(self, reader: Reader) -> Mapping[int, int]:
        """Have the reader read every partition that there is, new ones from their beginning."""
        topic = self._source.topic
        known = self._kept.read() or Position(topic, {})
        if known.topic != topic:
            raise WrongPositionError(f"the position is of topic {known.topic}, not of {topic}")
        lanes = [Lane(topic, partition) for partition in range(await self._broker.partitions(topic))]
        earliest = await self._broker.earliest_offsets(lanes)
        offsets = {lane.partition: known.offsets.get(lane.partition, earliest[lane]) for lane in lanes}
        await reader.assign({Lane(topic, partition): offset for partition, offset in offsets.items()})
        return offsets

    async def _batch(self, records: Sequence[Record], offsets: Mapping[int, int]) -> Mapping[int, int]:
        """Tell what comes of some records, then move the position beyond them."""
        if not records:
            return offsets
        told: list[Outgoing] = []
        refused: list[Outgoing] = []
        for record in records:
            outcomes = self._source.read(record)
            told += [self._event(each) for each in outcomes if isinstance(each, Sent)]
            refusals = [each for each in outcomes if isinstance(each, Refused)]
            refused += [_kept_aside(record, refusals[0])] if refusals else []
            self.counts["ignored"] += sum(isinstance(each, Ignored) for each in outcomes)
        await self._public.append(told)
        await self._refused.append(refused)
        moved = {**offsets, **{record.lane.partition: record.offset + 1 for record in records}}
        self._kept.keep(Position(self._source.topic, moved))
        self.counts["sent"] += len(told)
        self.counts["refused"] += len(refused)
        return moved

    def _event(self, sent: Sent) -> Outgoing:
        key = key_of(sent.fact)
        return outgoing(sent.fact, source=self._source.name, event_id=sent.event_id, time=sent.time, key=key)


def _kept_aside(record: Record, refusal: Refused) -> Outgoing:
    """The record as it came, with the first reason why it was refused, and where it stood."""
    stood = f"{record.lane.topic}/{record.lane.partition}/{record.offset}"
    log.warning("refused", record=stood, place=refusal.place, field=refusal.field, reason=refusal.reason)
    told = {"from": stood, "place": refusal.place, "field": refusal.field, "reason": refusal.reason}
    without = tuple(header for header in record.headers if not header[0].startswith("refused_"))
    return Outgoing(
        record.key, record.value, (*without, *((f"refused_{name}", text.encode()) for name, text in told.items()))
    )


async def _pause(stopping: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(AGAIN_SECONDS):
            await stopping.wait()
    except TimeoutError:
        return
