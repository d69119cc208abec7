"""Appending to the public topic, for routes that take in the bank's events: an answer only after acknowledgement."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import msgspec
from fastapi import Depends, Request

from shared.contracts import core_banking
from shared.http.problems import unavailable
from shared.http.tracing import current_trace
from shared.messaging.appending import Topic
from shared.messaging.broker import Broker, BrokerUnavailableError, Outgoing

APPEND_SECONDS = 15.0


class TopicWriter:
    """Appends to one topic on behalf of requests, one after the other."""

    def __init__(self, broker: Broker | None, topic: str) -> None:
        self._topic = Topic(broker, topic) if broker is not None else None
        self._turn = asyncio.Lock()

    async def append(self, records: Sequence[Outgoing]) -> None:
        """Append and return when all are acknowledged; one key keeps its order. Raises Problem 503.

        After a 503 some of the records may be in the topic all the same: the caller sends them again.
        """
        if self._topic is None:
            raise unavailable("broker")
        async with self._turn:
            try:
                async with asyncio.timeout(APPEND_SECONDS):
                    await self._topic.append([_traced(record) for record in records])
            except (BrokerUnavailableError, TimeoutError) as error:
                raise unavailable("broker") from error

    async def close(self) -> None:
        """Close the writer, once nobody appends."""
        if self._topic is not None:
            async with self._turn:
                await self._topic.close()


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
