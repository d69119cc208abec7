"""Reads some of a worker's topics from where its actors stand, and follows when they change."""

import asyncio
from collections.abc import Collection, Sequence
from operator import attrgetter

from shared.messaging.broker import Broker, BrokerUnavailableError, Lane, OffsetGoneError, Reader, Record
from shared.messaging.worker import Worker


class Reading:
    """One reader on behalf of one worker."""

    def __init__(self, worker: Worker, broker: Broker, topics: Collection[str], partition: int | None = None) -> None:
        """Open nothing yet; with a partition, only that of each topic is read."""
        self._worker, self._broker, self._topics, self._partition = worker, broker, tuple(topics), partition
        self._reader: Reader | None = None
        self._revision = -1
        self._lanes: tuple[Lane, ...] = ()

    async def lanes(self) -> Sequence[Lane]:
        """What is read now, after following the worker. Raises BrokerUnavailableError."""
        if self._reader is None:
            self._reader = await self._broker.reader()
            self._revision = -1
        if self._revision != self._worker.revision:
            revision = self._worker.revision
            positions = await self._worker.positions(self._topics)
            if self._partition is not None:
                positions = {lane: at for lane, at in positions.items() if lane.partition == self._partition}
            await self._reader.assign(positions)
            self._lanes, self._revision = tuple(sorted(positions)), revision
        return self._lanes

    async def fetch(self, limit: int, wait: float) -> Sequence[Record]:
        """Read on, lane by lane in order. Raises BrokerUnavailableError; then the reader is opened anew."""
        try:
            if not await self.lanes() or self._reader is None:
                await asyncio.sleep(wait)  # who holds nothing waits too: others of the process need their turn
                return ()
            records = await self._reader.fetch(limit, wait)
        except OffsetGoneError as error:
            await self._worker.jump(error)
            return ()
        except BrokerUnavailableError:
            await self.close()
            raise
        return sorted(records, key=attrgetter("lane"))

    def heard(self) -> int:
        """A number that grows as the reader hears of new records."""
        return self._reader.heard() if self._reader is not None else 0

    async def close(self) -> None:
        """Close the reader."""
        reader, self._reader = self._reader, None
        if reader is not None:
            await reader.close()
