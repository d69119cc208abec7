"""Appending to the public topic, for routes that take in the bank's events: an answer only after acknowledgement."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from typing import Annotated

import msgspec
from fastapi import Depends, Request

from shared.contracts import core_banking
from shared.http.problems import unavailable
from shared.http.tracing import current_trace
from shared.messaging.broker import Broker, BrokerUnavailableError, Outgoing, Writer
from shared.messaging.partitioner import spread

APPEND_SECONDS = 15.0


class TopicWriter:
    """Appends to one topic through a writer that is replaced after any error."""

    def __init__(self, broker: Broker | None, topic: str) -> None:
        self._broker, self._topic = broker, topic
        self._writer: Writer | None = None
        self._partitions = 0
        self._turn = asyncio.Lock()
        self._unkeyed = count()

    async def append(self, records: Sequence[Outgoing]) -> None:
        """Append and return when all are acknowledged; one key keeps its order. Raises Problem 503.

        After a 503 some of the records may be in the topic all the same: the caller sends them again.
        """
        traced = [_traced(record) for record in records]
        async with self._turn:
            try:
                async with asyncio.timeout(APPEND_SECONDS):
                    await self._append(traced)
            except (BrokerUnavailableError, TimeoutError) as error:
                await self._discard()
                raise unavailable("broker") from error
            except BaseException:
                await self._discard()
                raise

    async def close(self) -> None:
        """Close the writer, once nobody appends."""
        async with self._turn:
            await self._discard()

    async def _append(self, records: Sequence[Outgoing]) -> None:
        if self._broker is None:
            raise BrokerUnavailableError
        if self._writer is None:
            self._partitions = await self._broker.partitions(self._topic)
            self._writer = await self._broker.writer()
        await self._writer.append(spread(records, self._topic, self._partitions, self._unkeyed))

    async def _discard(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            with suppress(Exception):  # it is broken already; what matters is that it is not used again
                await writer.close()


def _traced(record: Outgoing) -> Outgoing:
    trace = current_trace()
    if not trace or any(name == "traceparent" for name, _ in record.headers):
        return record
    return msgspec.structs.replace(record, headers=(*record.headers, ("traceparent", trace.encode())))


def public_topic(request: Request) -> TopicWriter:
    """The application's writer on the public topic."""
    writer: TopicWriter = request.app.state.public_topic
    return writer


def writer_on_public_topic(broker: Broker | None) -> TopicWriter:
    """A writer on the topic that the bank's events come in on."""
    return TopicWriter(broker, core_banking.TOPIC)


PublicTopic = Annotated[TopicWriter, Depends(public_topic)]
"""Where a route appends events of the bank."""
