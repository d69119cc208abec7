"""What the broker port promises when its server is killed."""

import asyncio
from itertools import count

import pytest

from shared.messaging.broker import Broker, BrokerUnavailableError, Lane, TopicSpec
from shared.messaging.broker_from_url import open_broker
from tests.contract.broker_cases import (
    PATIENCE,
    Server,
    append,
    eventually,
    new_lanes,
    opened,
    read,
    reading,
    take,
    texts,
    values,
)

# Outages


async def test_what_was_acknowledged_survives_a_killed_server(mortal: Server) -> None:
    acknowledged: list[str] = []

    async def write(broker: Broker, lane: Lane) -> None:
        writer = await broker.writer()
        try:
            for number in count():
                await writer.append({lane: texts(str(number))})
                acknowledged.append(str(number))
        except BrokerUnavailableError:
            return
        finally:
            await writer.close()

    async with opened(mortal, deadline=5.0) as broker:
        [lane] = await new_lanes(broker)
        writing = asyncio.create_task(write(broker, lane))
        async with reading(broker, lane) as reader:
            await take(reader, 50)  # so the kill comes in the midst of writing
            await asyncio.to_thread(mortal.kill)
            await asyncio.wait_for(writing, PATIENCE)
        await asyncio.to_thread(mortal.start)
        end = (await eventually(lambda: broker.end_offsets([lane])))[lane]
        kept = await eventually(lambda: read(broker, lane, end))
    assert len(acknowledged) >= 50
    assert values(kept)[: len(acknowledged)] == acknowledged
    assert len(kept) <= len(acknowledged) + 1
    assert [record.offset for record in kept] == list(range(len(kept)))


async def test_an_outage_is_told_to_everybody_and_ends(mortal: Server) -> None:
    async with opened(mortal, deadline=5.0) as broker:
        [lane] = await new_lanes(broker)
        writer = await broker.writer()
        await writer.append({lane: texts("before")})
        async with reading(broker, lane) as reader:
            await take(reader, 1)
            waiting = asyncio.create_task(reader.fetch(10, 10 * PATIENCE))
            await asyncio.to_thread(mortal.kill)
            with pytest.raises(BrokerUnavailableError):
                await asyncio.wait_for(waiting, PATIENCE)
            with pytest.raises(BrokerUnavailableError):
                await asyncio.wait_for(writer.append({lane: texts("lost")}), PATIENCE)
            for ask in (
                lambda: broker.end_offsets([lane]),
                lambda: broker.partitions(lane.topic),
                lambda: broker.ensure_topics([TopicSpec(lane.topic, 1)]),
                broker.writer,
                lambda: open_broker(mortal.url),
            ):
                with pytest.raises(BrokerUnavailableError):
                    await asyncio.wait_for(ask(), PATIENCE)
            await asyncio.to_thread(mortal.start)
            with pytest.raises(BrokerUnavailableError, match="must be replaced"):
                await writer.append({lane: texts("by a broken writer")})
            await asyncio.wait_for(writer.close(), PATIENCE)
            await eventually(lambda: append(broker, lane, texts("after")))
            records = [*await eventually(lambda: take(reader, 1))]
            while records[-1].value != b"after":  # what was not acknowledged may be there all the same
                records += await take(reader, 1)
    values = [record.value for record in records]
    assert values in ([b"after"], [b"lost", b"after"])
    assert [record.offset for record in records] == list(range(1, len(values) + 1))
