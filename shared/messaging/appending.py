"""Appending to one topic from outside the event path: each call returns when all is acknowledged."""

from collections.abc import Sequence
from contextlib import suppress
from itertools import count

from shared.messaging.broker import Broker, Outgoing, Writer
from shared.messaging.partitioner import spread


class Topic:
    """Appends to one topic through a writer that is replaced after any error; records of one key keep their order."""

    def __init__(self, broker: Broker, name: str) -> None:
        self.name = name
        self._broker = broker
        self._writer: Writer | None = None
        self._partitions = 0
        self._unkeyed = count()

    async def append(self, records: Sequence[Outgoing]) -> None:
        """Append in order. Raises BrokerUnavailableError: then some may be there all the same."""
        if not records:
            return
        try:
            if self._writer is None:
                self._partitions = await self._broker.partitions(self.name)
                self._writer = await self._broker.writer()
            await self._writer.append(spread(records, self.name, self._partitions, self._unkeyed))
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Let go of the writer."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with suppress(Exception):  # it may be broken: what matters is that it is gone
                await writer.close()
