"""Stepped mode: the same actors under a virtual clock, one after the other, until nothing is left to do.

A tick is (business date, slot, place in the flow) and is kept in the database, so that a killed run goes on where it
stood. Within a tick the workers take their turns in the order of the flow: each drains its topics one after the other
(an edge even partition by partition, since those meet in the lanes of its debtors), then its commands and its due work,
and publishes; rounds follow until a whole round has moved nothing. So the same input gives the same state, however
batches are cut and however often the run is killed. Nobody else writes meanwhile and no time passes, so a worker that
has been drained is idle for the rest of the tick, unasked, until something is told on a topic that it reads.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from shared.messaging.broker import Broker, Lane, Record
from shared.messaging.loop import AWAY, actors_of
from shared.messaging.reading import Reading
from shared.messaging.turn import Turned
from shared.messaging.worker import Worker
from shared.service import TryLater
from shared.ticks import Ticks

log = structlog.get_logger(__name__)

PATIENCE = 120.0
"""Seconds for which a lane may stand still, or a part may be away, before a run gives up."""

FETCH_WAIT = 0.5


class StuckError(Exception):
    """A stepped run cannot go on by itself; the same command resumes it once the cause is mended."""


@dataclass(slots=True)
class _Driven:
    """A worker with a reading for each of what is drained one after the other.

    drained_at: how much had been told on what it reads when it was last drained; None until this tick has drained it.
    """

    worker: Worker
    readings: Sequence[Reading] = field(default=())
    drained_at: int | None = None


class Stepper:
    """Drives the workers of one process through ticks."""

    def __init__(self, workers: Sequence[Worker], broker: Broker, ticks: Ticks) -> None:
        """`workers` are in the order of the flow."""
        self._broker, self._ticks = broker, ticks
        self._driven = [_Driven(worker) for worker in workers]
        self.applied = 0
        self._gaps = 0
        self._asked_again = False
        self._flush: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take every actor; what a killed run had told but not published is published now."""
        for driven in self._driven:
            actors = range(await actors_of(driven.worker.kind, self._broker))
            driven.worker.in_step = True
            driven.readings = _readings(driven.worker, self._broker, actors)
            await driven.worker.take(actors)

    async def settle(self) -> None:
        """Run rounds from the kept place in the flow until a whole round moves nothing. Raises StuckError."""
        await self._ask_again()
        for driven in self._driven:
            driven.drained_at = None
        first = self._ticks.place
        moved_at = time.monotonic()
        while (moved := await self._round(first)) or self._gaps or first:
            first = 0
            moved_at = time.monotonic() if moved else moved_at
            if time.monotonic() - moved_at > PATIENCE:
                raise StuckError(f"{self._gaps} gaps that no source has closed")

    async def _ask_again(self) -> None:
        """Once, at the tick on which a run was killed: time has stood still since, so what is permitted still is."""
        if not self._asked_again:
            self._asked_again = True
            for driven in self._driven:
                await driven.worker.ask_again()

    async def _round(self, first: int) -> int:
        moved = self._gaps = 0
        for place, driven in enumerate(self._driven[first:], start=first):
            moved += await self._patiently(place, driven)
        return moved

    async def _patiently(self, place: int, driven: _Driven) -> int:
        """Drain one worker; where a part is away, wait for it, read the truth again, and go on."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return await self._drain(place, driven)
            except (*AWAY, TryLater) as error:
                log.warning("waiting", worker=driven.worker.name, reason=f"{type(error).__name__}: {error}")
                if time.monotonic() > deadline:
                    raise StuckError(f"{driven.worker.name}: {error}") from error
                await self._retake(driven, deadline)

    async def _retake(self, driven: _Driven, deadline: float) -> None:
        numbers = driven.worker.forget() or range(await actors_of(driven.worker.kind, self._broker))
        while True:
            try:
                await driven.worker.take(numbers)
            except AWAY as error:
                if time.monotonic() > deadline:
                    raise StuckError(f"{driven.worker.name}: {error}") from error
                await asyncio.sleep(0.2)  # the part that is away says nothing when it comes back
            else:
                return

    async def _drain(self, place: int, driven: _Driven) -> int:
        told = self._told_on(driven.worker.topics)
        if told == driven.drained_at:
            return 0
        gaps = self._gaps
        moved = await self._drain_all(place, driven)
        driven.drained_at = told if self._gaps == gaps else None
        return moved

    def _told_on(self, topics: Sequence[str]) -> int:
        return sum(each.worker.publisher.appended[topic] for each in self._driven for topic in topics)

    async def _drain_all(self, place: int, driven: _Driven) -> int:
        worker = driven.worker
        topics = [(reading, await reading.lanes()) for reading in driven.readings]
        every = [lane for _, lanes in topics for lane in lanes]
        ends = await self._broker.end_offsets(every) if every else {}
        idle = not _behind(worker, every, ends) and not await worker.has_work() and not worker.errands.waiting
        if idle and not worker.ask_for_gaps():
            return 0
        await self._ticks.at(place)
        moved = 0
        for reading, lanes in topics:
            moved += await self._drain_topic(worker, reading, lanes, ends)
        moved += await self._drain_tables(worker)
        self._gaps += worker.ask_for_gaps()
        await self._publishing()
        await worker.flush()
        return moved

    async def _drain_topic(
        self, worker: Worker, reading: Reading, lanes: Sequence[Lane], ends: Mapping[Lane, int]
    ) -> int:
        moved = 0
        heard = time.monotonic()
        while _behind(worker, lanes, ends):
            records = await reading.fetch(worker.batch, FETCH_WAIT)
            if records:
                moved += len(records)
                heard = time.monotonic()
                await self._turn(worker, records)
            elif time.monotonic() - heard > PATIENCE:
                raise StuckError(f"{worker.name}: the log says that there is more, and gives nothing")
        return moved

    async def _turn(self, worker: Worker, records: Sequence[Record]) -> None:
        turned = await worker.turn(records)
        self._count(turned)
        await self._publish(worker)

    def _count(self, turned: Turned | None) -> int:
        if turned is None:
            return 0
        self.applied += turned.counts["applied"]
        return turned.took_commands + turned.took_due + turned.took_answers

    async def _publish(self, worker: Worker) -> None:
        """Publish beside the next turn, but not more than one turn behind: memory stays flat."""
        await self._publishing()
        self._flush = asyncio.create_task(worker.flush())

    async def _publishing(self) -> None:
        flush, self._flush = self._flush, None
        if flush is not None:
            await flush

    async def _drain_tables(self, worker: Worker) -> int:
        """Commands and due work to the last, then what came of errands, again until nothing is left.

        In that order, the facts of a debtor do not depend on how batches are cut, or on which errand ends first.
        """
        moved = 0
        while True:
            took = 0
            while await worker.has_work():
                some = self._count(await worker.turn((), commands=worker.batch, due=worker.batch))
                await self._publish(worker)
                took += some
                if not some:
                    break
            await worker.errands.settle()
            if worker.errands.waiting:
                took += self._count(await worker.turn(()))
                await self._publish(worker)
            if not took:
                return moved
            moved += took

    async def close(self) -> None:
        """Keep what was acknowledged, and give everything up."""
        for driven in self._driven:
            try:
                await driven.worker.turn((), settle=True)
            except AWAY as error:
                log.warning("closed_unsettled", worker=driven.worker.name, reason=str(error))
            for reading in driven.readings:
                await reading.close()
            await driven.worker.close()


def _readings(worker: Worker, broker: Broker, actors: Sequence[int]) -> list[Reading]:
    divided = worker.kind.inputs if worker.kind.is_edge else ()
    return [
        Reading(worker, broker, [topic], each)
        for topic in worker.topics
        for each in (actors if topic in divided else (None,))
    ]


def _behind(worker: Worker, lanes: Sequence[Lane], ends: Mapping[Lane, int]) -> bool:
    """Whether some held actor has not read one of these lanes to its end."""
    for lane in lanes:
        end = ends[lane]
        for number in worker.readers(lane):
            standing = worker.standings[number]
            if not standing.stopped and standing.cursors.get(lane, 0) < end:
                return True
    return False
