"""The live loop of one worker: leases, turns, publishing and watermarks, until it is told to stop.

Nothing here loses anything when the database or the broker is away: state stays where it was committed, the loop backs
off and says so, readiness is false, and the truth is read again when they are back.
"""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from shared.clock import Clock
from shared.messaging.broker import Broker, BrokerUnavailableError, Record
from shared.messaging.leases import Lessor
from shared.messaging.lookout import ASK_EVERY, Lookout
from shared.messaging.reading import Reading
from shared.messaging.store import StaleStandingError, StoreUnavailableError, UnsavableError
from shared.messaging.turn import Turned
from shared.messaging.worker import Worker
from shared.postgres.failures import DRIVER_ERRORS
from shared.service import SHARDS, ActorKind, TryLater

log = structlog.get_logger(__name__)

AWAY = (
    BrokerUnavailableError,
    StoreUnavailableError,
    StaleStandingError,
    UnsavableError,
    *DRIVER_ERRORS,
)
"""What is waited for, never dead-lettered."""

ERRAND_SECONDS = 3.0
"""How long the end waits for what was begun outside."""

LONGEST_PAUSE = 10.0
PATIENCE = 10
"""How many times as long a patient kind waits while more comes: a turn costs a commit, however little is applied."""

MOST_UNACKNOWLEDGED = 50_000
"""Facts beyond which a worker waits for the broker before it commits more."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How a worker cuts its work: records per batch; seconds to wait for records, for company, and to hold a lease.

    mark: seconds after which it says again how far it has told.
    """

    batch: int = 2000
    wait: float = 0.1
    linger: float = 0.075
    lease: float = 10.0
    mark: float = 5.0

    def company(self, since: float, *, patient: bool) -> float:
        """How long at most who is not behind waits for company, so many seconds after its last turn."""
        return max(self.linger, self.linger * PATIENCE - since) if patient else self.linger


@dataclass(slots=True)
class Loop:
    """Drives one worker."""

    worker: Worker
    broker: Broker
    leases: Lessor
    clock: Clock
    pace: Pace = field(default_factory=Pace)
    trouble: str = "starting"
    unpublished: str = ""
    ended: bool = False
    moved_at: float = field(default_factory=time.monotonic)
    _tended_at: float = float("-inf")
    _beat_at: float = float("-inf")
    _marked_at: float = float("-inf")
    _turned_at: float = float("-inf")
    _failures: int = 0
    _lookout: Lookout = field(default_factory=Lookout)
    _winding_up: bool = False
    _to_publish: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until `stopping` is set; then finish the batch, publish it and give every actor up."""
        reading = Reading(self.worker, self.broker, self.worker.topics)
        publishing = asyncio.create_task(self._publish(stopping))
        try:
            while not stopping.is_set() and not publishing.done():
                await self._once(reading, stopping)
                self.moved_at = time.monotonic()
        finally:
            await self._wind_up(reading, publishing)

    async def _once(self, reading: Reading, stopping: asyncio.Event) -> None:
        try:
            await self._tend()
            await self._turn(reading)
            self._recovered()
        except TryLater as error:
            await self._back_off(f"an event asks to be tried later: {error}", stopping)
        except AWAY as error:
            self.worker.forget()
            self._tended_at = float("-inf")
            await self._back_off(f"{type(error).__name__}: {error}", stopping)

    def _recovered(self) -> None:
        if self.trouble:
            log.info("working", worker=self.worker.name, actors=len(self.worker.standings))
            self.trouble = ""
        self._failures = 0

    async def _back_off(self, reason: str, stopping: asyncio.Event) -> None:
        pause = min(LONGEST_PAUSE, 0.1 * 2**self._failures)
        self._failures = min(self._failures + 1, 10)
        if self.trouble != reason:
            log.warning("waiting", worker=self.worker.name, reason=reason)
            self.trouble = reason
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), pause)

    # -- leases --------------------------------------------------------------------------------------------------

    async def _tend(self) -> None:
        now = self.clock.elapsed()
        if now - self._tended_at < self.pace.lease / 4:
            return
        await self._beat()
        wanted = await self.leases.wanted(await self._actors(), list(self.worker.standings))
        if wanted.give_up:
            await self._hear_of_errands()
            await self.worker.flush()
            await self.worker.give_up(wanted.give_up)
        if wanted.take:
            await self.worker.take(wanted.take, self._keep_the_lease)
        self._tended_at = now

    async def _hear_of_errands(self) -> None:
        """Apply what comes of errands in hand: whoever takes an actor over would have to find it out for itself."""
        await self.worker.errands.settle(ERRAND_SECONDS)
        if self.worker.errands.waiting:
            await self.worker.turn(())

    async def _beat(self) -> None:
        await self.leases.beat()
        self._beat_at = self.clock.elapsed()

    async def _keep_the_lease(self) -> None:
        """Beat on while actors are taken: who seems dead by then loses them to others, and they to it, for ever."""
        if self.clock.elapsed() - self._beat_at >= self.pace.lease / 4:
            await self._beat()

    async def _actors(self) -> int:
        return await actors_of(self.worker.kind, self.broker)

    # -- turns ---------------------------------------------------------------------------------------------------

    async def _turn(self, reading: Reading) -> None:
        records = await self._fetch(reading)
        now = self.clock.elapsed()
        asking = self._lookout.is_time_to_ask(now) or self.leases.called()
        more = self.pace.batch if await self._anything_waits(now, asking=asking) else 0
        turned = await self.worker.turn(records, commands=more, due=more, settle=asking)
        if turned is not None:
            self._turned_at = self.clock.elapsed()
            self._look_out_for(turned)
        await self._mark(now)
        if self.worker.publisher.pending > MOST_UNACKNOWLEDGED:
            await self.worker.flush()
        self._to_publish.set()

    async def _anything_waits(self, now: float, *, asking: bool) -> bool:
        if not asking and not self._lookout.has_come(now, self.clock.now()):
            return False
        outlook = await self.worker.look_out()  # for what has come too: it also sees a database gone back in time
        self._lookout.looked(now, outlook.next_due, in_turn=asking)
        return outlook.waits

    def _look_out_for(self, turned: Turned) -> None:
        self._lookout.expect(turned.next_due)
        if turned.effects.clocks:  # what falls due by day does so now
            self._lookout.expect(self.clock.now())
        if turned.took_due >= self.pace.batch or turned.took_commands >= self.pace.batch:
            self._lookout.again()

    async def _fetch(self, reading: Reading) -> Sequence[Record]:
        """Read on; a worker that is not behind waits a moment for company, so that small nights cost few commits."""
        records = await reading.fetch(self.pace.batch, self.pace.wait)
        if 0 < len(records) < self.pace.batch // 2 and self.pace.linger:
            await self._wait_for_company(reading)
            records = [*records, *await reading.fetch(self.pace.batch - len(records), 0)]
        return records

    async def _wait_for_company(self, reading: Reading) -> None:
        """Wait a moment; who is patient waits on for as long as more comes, and so not once the others are done."""
        since = self.clock.elapsed() - self._turned_at
        left, before = self.pace.company(since, patient=self.worker.kind.patient), -1
        while left > 0 and (heard := reading.heard()) != before:
            before = heard
            await asyncio.sleep(min(left, self.pace.linger))
            left -= self.pace.linger

    async def _mark(self, now: float) -> None:
        if now - self._marked_at >= self.pace.mark and self.worker.standings:
            self._marked_at = now
            await self.worker.send_watermarks()
            standings = self.worker.standings.values()
            stopped = sum(bool(standing.stopped) for standing in standings)
            self.worker.meter.standing(len(standings), stopped, self.worker.publisher.pending)

    # -- publishing ----------------------------------------------------------------------------------------------

    async def _publish(self, stopping: asyncio.Event) -> None:
        while not self._winding_up:
            await self._to_publish.wait()
            self._to_publish.clear()
            try:
                await self.worker.flush()
                self.unpublished = ""
            except BrokerUnavailableError as error:
                self.unpublished = f"not published: {error}"
                log.warning("waiting", worker=self.worker.name, reason=self.unpublished)
                self._to_publish.set()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), ASK_EVERY)

    async def _wind_up(self, reading: Reading, publishing: "asyncio.Task[None]") -> None:
        self._winding_up = True
        self._to_publish.set()
        await publishing
        try:
            await self._hear_of_errands()
            await self.worker.turn((), settle=True)
            await self.worker.flush()
            await self.worker.turn((), settle=True)
        except (*AWAY, TryLater) as error:
            log.warning("stopped_unpublished", worker=self.worker.name, reason=str(error))
        await self.worker.close()
        await reading.close()
        await self.leases.leave()
        self.ended = True


async def actors_of(kind: ActorKind, broker: Broker) -> int:
    """How many actors of a kind there are: one per lane, one per partition of the public topic, or one."""
    if kind.is_edge:
        return await broker.partitions(kind.inputs[0])
    return 1 if kind.is_alone else SHARDS
