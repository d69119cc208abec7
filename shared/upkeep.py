"""The housekeeping of one service, in the process that runs its workers, at its pace, for as long as they run."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import structlog

from shared.messaging import lag
from shared.messaging.broker import Broker, BrokerUnavailableError
from shared.messaging.embedded_log import EmbeddedLog
from shared.messaging.housekeeping import Counts, Housekeeping
from shared.messaging.worker import Worker
from shared.postgres.failures import DRIVER_ERRORS

log = structlog.get_logger(__name__)

TEND_EVERY: Final = 600.0
"""Seconds between two looks at partitions and old rows."""

COUNT_EVERY: Final = 15.0
LAG_SECONDS: Final = 3.0
LOG_HOURS: Final = 72
"""How long the embedded log keeps what was read; a Kafka has its own retention."""

_AWAY = (*DRIVER_ERRORS, BrokerUnavailableError, TimeoutError)


@dataclass(slots=True)
class Upkeep:
    """One service's upkeep."""

    service: str
    dsn: str
    workers: Sequence[Worker]
    broker: Broker
    outbox_hours: int = 72
    _house: Housekeeping = field(init=False)
    _tended_at: float = field(default=float("-inf"), init=False)

    def __post_init__(self) -> None:
        """Open nothing yet."""
        self._house = Housekeeping(self.service, self.dsn, outbox_hours=self.outbox_hours)

    async def begin(self) -> None:
        """Have today's partition before anything is told, and every series of the metrics."""
        for worker in self.workers:
            worker.meter.begin()
        await self._once()

    async def keep(self, stopping: asyncio.Event) -> None:
        """Tend and count until stopped."""
        try:
            while not stopping.is_set():
                await self._once()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), COUNT_EVERY)
        finally:
            await self._house.close()

    async def _once(self) -> None:
        try:
            if time.monotonic() - self._tended_at >= TEND_EVERY:
                await self._tend()
                self._tended_at = time.monotonic()
            await self._count()
        except _AWAY as error:
            log.warning("housekeeping_waits", service=self.service, reason=type(error).__name__)

    async def _tend(self) -> None:
        await self._house.tend()
        if isinstance(self.broker, EmbeddedLog):
            older_than = await self._house.now() - timedelta(hours=LOG_HOURS)
            await self.broker.prune(older_than, lag.read_up_to(self.workers))

    async def _count(self) -> None:
        waiting = await self._house.waiting()
        for worker in self.workers:
            worker.meter.waiting(_held(waiting.quarantined, worker), _held(waiting.parked, worker))
        async with asyncio.timeout(LAG_SECONDS):  # a broker that is away must not hold up an end in order
            for worker in self.workers:
                behind = await lag.behind([worker], self.broker)
                worker.meter.behind(sum(behind.values()))


def _held(counts: Counts, worker: Worker) -> int:
    return sum(
        many for (kind, number), many in counts.items() if kind == worker.kind.name and number in worker.standings
    )
