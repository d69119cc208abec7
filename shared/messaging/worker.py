"""A worker: all the actors of one kind of one service that this process holds, driven turn by turn.

One fetch, one transaction with arrays over the actors, one publisher. Whatever fails is sorted here: actors that are no
longer ours are dropped and the batch is done again without them; anything else that leaves an outcome unknown drops all
standings, and the truth is read again from the store. Who holds what is decided elsewhere: by leases or stepped mode.
"""

import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from operator import attrgetter

import structlog

from shared.clock import Clock
from shared.frozen import replace
from shared.messaging.broker import Broker, BrokerUnavailableError, Lane, OffsetGoneError, Record
from shared.messaging.control import ReemitRequest, control_lane, control_topic, reemit_record, reemit_request
from shared.messaging.errands import Errands, calls_of
from shared.messaging.freshness import Freshness
from shared.messaging.meter import Meter
from shared.messaging.notices import Notices
from shared.messaging.publisher import Publisher
from shared.messaging.store import (
    CursorMove,
    Out,
    Outlook,
    Source,
    StaleStandingError,
    Standing,
    Store,
    StoreUnavailableError,
)
from shared.messaging.turn import Batch, FencedError, Turn, Turned
from shared.service import TryLater
from shared.tracing.applied import AppliedSpans

log = structlog.get_logger(__name__)

ASK_AGAIN_AFTER = 5.0
"""Seconds after which an unanswered request to tell again is repeated."""

UNREPAIRED_AFTER = 60.0
"""Seconds after which an open gap counts as unrepaired."""

LOST_TRACK = (StaleStandingError, StoreUnavailableError)


class Worker:
    """The actors of one kind that this process holds."""

    def __init__(self, name: str, turn: Turn, store: Store, broker: Broker, clock: Clock, *, batch: int) -> None:
        """Hold no actor yet; `name` is written beside every actor that is taken.

        `revision` counts what makes a reader's positions wrong: actors taken or lost, records to be read again.
        `in_step` says that whatever was told has been applied before each turn, as in stepped mode.
        """
        self.name, self.kind, self.batch = name, turn.kind, batch
        self.standings: dict[int, Standing] = {}
        self.publisher = Publisher(broker, turn.source)
        self.freshness = Freshness(turn.kind)
        self.errands = Errands(turn.kind, clock)
        self.in_step = False
        self.meter = Meter(turn.service, turn.kind.name)
        self.notices = Notices(turn.service, turn.kind)
        self.spans: AppliedSpans | None = None
        self._turn, self._store, self._broker, self._clock = turn, store, broker, clock
        self.revision = 0
        self._mapped_at, self._map = -1, dict[Lane, list[int]]()
        self._asked: dict[tuple[int, Lane, Source], tuple[float, float]] = {}

    # -- holding actors ------------------------------------------------------------------------------------------

    async def take(self, numbers: Iterable[int], between: Callable[[], Awaitable[None]] | None = None) -> None:
        """Acquire actors, publish what their predecessor could not, and read on from where they stand.

        `between` is called after each: many actors may take longer than a lease is good for.
        """
        taken: dict[int, int] = {}
        try:
            for number in numbers:
                taken[number] = await self._take(number)
                if between is not None:
                    await between()
        finally:
            self.meter.taken(len(taken))
            self.notices.taken(taken)

    async def _take(self, number: int) -> int:
        standing = await self._acquired(number)
        if standing.restored:
            await self._renewed(standing)
            standing = await self._acquired(number)
        self.standings[number] = standing
        self.revision += 1
        return standing.epoch

    async def _renewed(self, standing: Standing) -> None:
        try:
            await self._turn.renew(standing, self.name, self._clock.now())
        except FencedError as error:
            raise StoreUnavailableError("somebody else has taken the actor meanwhile") from error

    async def _acquired(self, number: int) -> Standing:
        standing = await self._store.acquire(number, self.name)
        self.publisher.drop([number])
        self.publisher.submit(await self._store.unacknowledged(number))
        await self.publisher.flush()
        return standing

    async def give_up(self, numbers: Collection[int]) -> None:
        """Let go of actors, for others to take."""
        held = {number: self.standings[number].epoch for number in numbers if number in self.standings}
        self.lose(held)
        if held:
            await self._store.release(held)

    def lose(self, numbers: Collection[int]) -> None:
        """Forget actors that somebody else holds."""
        for number in numbers:
            self.standings.pop(number, None)
        self.publisher.drop(numbers)
        self._asked = {place: at for place, at in self._asked.items() if place[0] not in set(numbers)}
        self.revision += 1

    def forget(self) -> list[int]:
        """Drop every standing, since an outcome is unknown; what was held is to be acquired again."""
        numbers = list(self.standings)
        self.lose(numbers)
        return numbers

    @property
    def topics(self) -> list[str]:
        """What it reads: its inputs, and last what others ask of it."""
        control = [control_topic(self.kind.output)] if self.kind.output else []
        return [*self.kind.inputs, *control]

    def lanes(self, number: int) -> list[Lane]:
        """What one actor reads, in the order in which stepped mode drains it."""
        inputs = [Lane(topic, each) for topic in self.kind.inputs for each in self.kind.partitions(number)]
        return [*inputs, control_lane(self.kind.output, number)] if self.kind.output else inputs

    def readers(self, lane: Lane) -> list[int]:
        """Which held actors read a lane."""
        if self._mapped_at != self.revision:
            self._mapped_at, self._map = self.revision, {}
            for number in self.standings:
                for read in self.lanes(number):
                    self._map.setdefault(read, []).append(number)
        return self._map.get(lane, [])

    async def positions(self, topics: Collection[str]) -> dict[Lane, int]:
        """Where to read on in these topics: each lane from the first record that one of its readers has not seen."""
        wanted: dict[Lane, int | None] = {}
        for number, standing in self.standings.items():
            for lane in () if standing.stopped else self.lanes(number):
                if lane.topic in topics:
                    at = standing.cursors.get(lane)
                    wanted[lane] = at if lane not in wanted else _earlier(wanted[lane], at)
        fresh = [lane for lane, at in wanted.items() if at is None]
        starts = await self._broker.earliest_offsets(fresh) if fresh else {}
        return {lane: starts[lane] if at is None else at for lane, at in wanted.items()}

    # -- one turn ------------------------------------------------------------------------------------------------

    async def jump(self, gone: OffsetGoneError) -> None:
        """Go on with what the log still has; a source's missing numbers will show as a gap, and be told again."""
        log.error("records_gone", lane=f"{gone.lane.topic}/{gone.lane.partition}", reason=str(gone))
        moves = [
            CursorMove(number, gone.lane, self.standings[number].cursors.get(gone.lane), gone.earliest)
            for number in self.readers(gone.lane)
        ]
        self.revision += 1
        await self._run(Batch({}, jumps=moves), self._clock.now())

    def grouped(self, records: Iterable[Record]) -> dict[int, list[Record]]:
        """The records of each held actor, in the order given, without those that it has already passed."""
        grouped: dict[int, list[Record]] = {}
        for lane, some in groupby(records, attrgetter("lane")):
            of_lane = list(some)
            for number in self.readers(lane):
                passed = self.standings[number].cursors.get(lane, -1)
                if ahead := [record for record in of_lane if record.offset >= passed]:
                    grouped.setdefault(number, []).extend(ahead)
        return grouped

    async def turn(
        self, records: Sequence[Record], *, commands: int = 0, due: int = 0, settle: bool = False
    ) -> Turned | None:
        """Apply a batch: None where there was nothing to do, or where every actor of it is lost.

        `settle` writes down what was acknowledged even if there is nothing else to write. Due work waits while enough
        errands are in hand: what it asks for would lapse before its turn came.

        Raises StoreUnavailableError, StaleStandingError (after which all standings are dropped) and TryLater (after
        which the same records will be read again).
        """
        apart = self.in_step and (records or commands or due)
        answers = [] if apart else self.errands.take(self.standings)
        due = due if self.in_step or not self.errands.enough else 0
        busy = bool(records or commands or due or answers)
        acknowledged = self._acknowledged() if busy or settle else {}
        if not (busy or acknowledged) or not self.standings:
            return None
        batch = Batch(self.grouped(records), commands, due, acknowledged, answers=answers, heard=self._heard())
        try:
            if answers and not records:  # no cursor will show a database that has gone back in time: it is asked
                await self.has_work()
            turned = await self._run(batch, self._clock.now())
        except TryLater:
            self.revision += 1
            self.errands.give_back(answers)
            raise
        except LOST_TRACK:
            self.errands.give_back(answers)
            raise
        if turned is not None:
            await self._follow_up(turned, records)
        return turned

    async def has_work(self) -> bool:
        """Whether a command or a due row waits for the held actors. Raises StoreUnavailableError."""
        return bool(self.standings) and await self._store.has_work(
            self.kind.layout, list(self.standings), self._clock.now()
        )

    async def look_out(self) -> Outlook:
        """What waits for the held actors, and when the next row of theirs falls due. Raises StoreUnavailableError."""
        if not self.standings:
            return Outlook(waits=False, next_due=None)
        return await self._store.look_out(self.kind.layout, list(self.standings), self._clock.now())

    async def _run(self, batch: Batch, now: datetime) -> Turned | None:
        started = time.perf_counter()
        while self.standings:
            ours = {number: each for number, each in batch.records.items() if number in self.standings}
            acks = {place: out for place, out in batch.acknowledged.items() if place[0] in self.standings}
            jumps = [move for move in batch.jumps if move.number in self.standings]
            answers = [each for each in batch.answers if each.number in self.standings]
            mine = replace(batch, records=ours, acknowledged=acks, jumps=jumps, answers=answers)
            try:
                turned = await self._turn.run(self.standings, mine, now)
            except FencedError as error:
                self.meter.fenced(len(error.lost))
                self.notices.fenced(error.lost)
                self.lose(error.lost)
                continue
            seconds = time.perf_counter() - started
            self.meter.turned(turned, seconds)
            if self.spans is not None:
                self.spans.applied(turned.applied, self._clock.now(), seconds)
            oldest = min((record.timestamp for each in ours.values() for record in each), default=None)
            self.meter.late(oldest, turned.due_since, self._clock.now())
            self.meter.gaps(*self.notices.gaps(self.standings, turned.standings))
            self.standings = dict(turned.standings)
            return turned
        return None

    async def _follow_up(self, turned: Turned, records: Sequence[Record]) -> None:
        """What follows a commit: publish, answer those who miss something, ask for what we miss."""
        self.publisher.submit(turned.facts)
        self.errands.start(turned.calls)
        self.notices.turned(turned, records)
        self.freshness.read(records)
        self.freshness.heard(turned.words, self.standings)
        control = control_topic(self.kind.output)
        for record in records:
            if record.lane.topic == control:
                await self._tell_again(reemit_request(record))
        self.ask_for_gaps()
        if turned.stopped:
            self.revision += 1

    def _acknowledged(self) -> dict[tuple[int, Lane], Out]:
        """Counters whose acknowledgement has moved since it was last kept; the standings are brought up to date."""
        moved: dict[tuple[int, Lane], Out] = {}
        for (number, lane), (incarnation, seq) in self.publisher.acknowledged.items():
            standing = self.standings.get(number)
            out = standing.outs.get(lane) if standing and standing.incarnation == incarnation else None
            if standing is not None and out is not None and seq > out.acked:
                standing.outs[lane] = moved[number, lane] = out._replace(acked=seq)
        return moved

    # -- gaps ----------------------------------------------------------------------------------------------------

    def ask_for_gaps(self) -> int:
        """Ask each source that we miss something of, again after a while; the number of gaps that are open."""
        now = self._clock.elapsed()
        open_gaps = {
            (number, lane, source): gap
            for number, standing in self.standings.items()
            for (lane, source), gap in standing.gaps.items()
        }
        for (number, lane, source), gap in open_gaps.items():
            first, last = self._asked.get((number, lane, source), (now, float("-inf")))
            if now - last >= ASK_AGAIN_AFTER:
                request = ReemitRequest(source, lane.topic, lane.partition, gap.incarnation, gap.from_seq)
                self.publisher.notice(*reemit_record(request))
                self._asked[number, lane, source] = (first, now)
                self.notices.asked(number, lane, source, gap.from_seq)
        self._asked = {place: at for place, at in self._asked.items() if place in open_gaps}
        self.meter.unrepaired(sum(now - first > UNREPAIRED_AFTER for first, _ in self._asked.values()))
        return len(open_gaps)

    async def _tell_again(self, request: ReemitRequest | None) -> None:
        """Put what a consumer misses, up to the head, behind what is already queued."""
        if request is None or not request.source.startswith(f"{self._turn.source}/"):
            return
        number = int(request.source.rsplit("/", 1)[1])
        if number not in self.standings:
            return
        lane = Lane(request.topic, request.partition)
        told = await self._store.told_since(number, lane, request.incarnation, request.from_seq)
        if not told or told[0].seq_from > (request.from_seq if told[0].incarnation == request.incarnation else 1):
            log.error("cannot_tell_again", source=request.source, wanted=request.from_seq, kept=len(told))
        self.publisher.submit(told)
        self.meter.reemitted()

    async def ask_again(self) -> None:
        """Begin every errand that the outbox still has: what came of those of a run that was killed is not known."""
        for number, standing in self.standings.items() if self.kind.errands else ():
            for lane in standing.outs:
                told = await self._store.told_since(number, lane, 0, 0)
                self.errands.start(calls_of(self.kind, number, told))

    # -- watermarks ----------------------------------------------------------------------------------------------

    async def send_watermarks(self) -> None:
        """Say on every output lane how far the bank's events are told, where this kind of actor says so."""
        ends: Mapping[Lane, int] = {}
        read_at = self._clock.now()
        if self.kind.is_edge:
            ends = await self._broker.end_offsets([Lane(self.kind.inputs[0], number) for number in self.standings])
        sources = await self._broker.partitions(self.kind.inputs[0]) if self.kind.is_edge else 1
        for lane, record in self.freshness.watermarks(self._turn.source, self.standings, ends, read_at, sources):
            self.publisher.notice(lane, record)
        age = self.freshness.age(self.standings, self._clock.now())
        if age is not None:
            self.meter.watermark_age(age)

    def _heard(self) -> Mapping[int, datetime]:
        """How fresh each lane is, where this kind has anything done outside, which must not rest on what has passed."""
        if not (self.kind.errands or self.kind.heeds_freshness):
            return {}
        if self.in_step:
            return dict.fromkeys(self.standings, self._clock.now())
        heard = {number: self.freshness.of_lane(number) for number in self.standings}
        return {number: at for number, at in heard.items() if at is not None}

    async def flush(self) -> None:
        """Publish all that is queued. Raises BrokerUnavailableError."""
        try:
            await self.publisher.flush()
        except BrokerUnavailableError:
            self.meter.publish_failed()
            raise

    async def close(self) -> None:
        """Give everything up and close what is open."""
        await self.errands.close()
        try:
            await self.give_up(list(self.standings))
        except (StoreUnavailableError, BrokerUnavailableError) as error:
            log.warning("gave_up_unheard", service=self._turn.service, kind=self.kind.name, reason=str(error))
        await self.publisher.close()
        await self._store.close()


def _earlier(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else min(one, other)
