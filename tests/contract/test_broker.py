"""What the broker port promises of order, offsets, positions and topics, against each adapter on its real server."""

import asyncio
import os
import random
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from shared.messaging.broker import (
    Broker,
    BrokerUnavailableError,
    Lane,
    OffsetGoneError,
    Outgoing,
    PartitionMismatchError,
    Record,
    TopicSpec,
)
from tests.contract.broker_cases import (
    PATIENCE,
    START,
    Site,
    append,
    append_all,
    new_lanes,
    new_topic,
    numbered,
    opened,
    read,
    reading,
    take,
    texts,
    values,
)

# Order, content, offsets


async def test_records_of_a_lane_keep_their_order_and_dense_offsets(broker: Broker) -> None:
    [lane] = await new_lanes(broker)
    writer = await broker.writer()
    for batch in (["a", "b", "c"], ["d"], ["e", "f"]):
        await writer.append({lane: texts(*batch)})
    await writer.close()
    records = await read(broker, lane, 6)
    assert values(records) == ["a", "b", "c", "d", "e", "f"]
    assert [record.offset for record in records] == [0, 1, 2, 3, 4, 5]
    assert {record.lane for record in records} == {lane}


async def test_one_append_fills_many_lanes_of_many_topics(broker: Broker) -> None:
    lanes = [*await new_lanes(broker, 5), *await new_lanes(broker, 3)]
    batches = {lane: numbered(number + 1, f"{lane}:") for number, lane in enumerate(lanes)}
    await append_all(broker, dict(random.Random(7).sample(list(batches.items()), len(lanes))))
    async with reading(broker, *lanes) as reader:
        records = await take(reader, sum(map(len, batches.values())))
    for lane, batch in batches.items():
        mine = [record for record in records if record.lane == lane]
        assert values(mine) == [outgoing.value.decode() for outgoing in batch]
        assert [record.offset for record in mine] == list(range(len(batch)))


async def test_a_fetch_gives_lane_after_lane_in_the_order_assigned(broker: Broker) -> None:
    lanes = await new_lanes(broker, 4)
    await append_all(broker, dict.fromkeys(lanes, numbered(3)))
    order = [lanes[2], lanes[0], lanes[3], lanes[1]]
    async with reading(broker, *order) as reader:
        fetched = [record.lane for record in await take(reader, 12)]
    assert fetched == [lane for lane in order for _ in range(3)]


async def test_keys_values_and_headers_survive_byte_for_byte(broker: Broker) -> None:
    [lane] = await new_lanes(broker)
    sent = [
        Outgoing(None, b"no key"),
        Outgoing(b"", b""),
        Outgoing(bytes(range(256)), bytes(range(255, -1, -1)), (("type", b"x"), ("ключ", b"\x00\xff"), ("type", b"y"))),
        Outgoing(b"large", os.urandom(300_000)),
    ]
    await append(broker, lane, sent)
    records = await read(broker, lane, len(sent))
    assert [(record.key, record.value, record.headers) for record in records] == [
        (outgoing.key, outgoing.value, outgoing.headers) for outgoing in sent
    ]


async def test_a_batch_larger_than_any_envelope_is_cut_and_keeps_its_order(broker: Broker) -> None:
    lanes = await new_lanes(broker, 2)
    sent = [Outgoing(b"key", os.urandom(1000) + str(number).encode()) for number in range(2500)]
    await append_all(broker, dict.fromkeys(lanes, sent))
    for lane in lanes:
        records = await read(broker, lane, len(sent))
        assert [record.offset for record in records] == list(range(len(sent)))
        assert [record.value for record in records] == [outgoing.value for outgoing in sent]


async def test_records_carry_the_instant_of_the_given_clock(site: Site) -> None:
    async with opened(site, clock=lambda: START) as broker:
        [lane] = await new_lanes(broker)
        await append(broker, lane, texts("a"))
        [record] = await read(broker, lane, 1)
    assert record.timestamp == START


async def test_without_a_clock_records_carry_the_present_instant(broker: Broker) -> None:
    [lane] = await new_lanes(broker)
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    await append(broker, lane, texts("a"))
    [record] = await read(broker, lane, 1)
    assert before <= record.timestamp <= datetime.now(UTC)


async def test_appending_nothing_is_no_deed(broker: Broker) -> None:
    lanes = await new_lanes(broker, 2)
    await append_all(broker, {})
    await append_all(broker, {lanes[0]: [], lanes[1]: texts("a")})
    assert await broker.end_offsets(lanes) == {lanes[0]: 0, lanes[1]: 1}


async def test_concurrent_writers_leave_dense_offsets_and_each_its_own_order(broker: Broker) -> None:
    lanes = await new_lanes(broker, 4)

    async def write(name: str) -> None:
        shuffle = random.Random(name).sample
        writer = await broker.writer()
        for number in range(25):
            await writer.append({lane: texts(f"{name} {number:03}") for lane in shuffle(lanes, len(lanes))})
        await writer.close()

    await asyncio.gather(*(write(name) for name in "ABCD"))
    for lane in lanes:
        records = await read(broker, lane, 100)
        assert [record.offset for record in records] == list(range(100))
        for name in "ABCD":
            assert [v for v in values(records) if v.startswith(name)] == [f"{name} {n:03}" for n in range(25)]


# Reading


async def test_an_idle_fetch_returns_empty_when_its_time_is_over(broker: Broker) -> None:
    [lane] = await new_lanes(broker)
    async with reading(broker, lane) as reader:
        assert list(await reader.fetch(10, 0.0)) == []
        assert list(await reader.fetch(10, 0.3)) == []


async def test_a_reader_without_lanes_has_nothing_to_give(broker: Broker) -> None:
    async with reading(broker) as reader:
        assert list(await reader.fetch(10, 0.1)) == []


async def test_a_waiting_fetch_wakes_when_a_record_comes(broker: Broker) -> None:
    lanes = await new_lanes(broker, 3)
    async with reading(broker, *lanes) as reader:
        await reader.fetch(10, 0.0)
        for number, lane in enumerate(lanes):
            waiting = asyncio.create_task(reader.fetch(10, 10 * PATIENCE))
            await append(broker, lane, texts(str(number)))
            assert values(await asyncio.wait_for(waiting, PATIENCE)) == [str(number)]


async def test_a_fetch_that_is_given_up_skips_nothing(broker: Broker) -> None:
    [lane] = await new_lanes(broker)
    taken: list[Record] = []
    async with reading(broker, lane) as reader:
        for number in range(20):
            waiting = asyncio.create_task(reader.fetch(10, 0.5))
            await append(broker, lane, numbered(5, f"{number}."))
            if not waiting.cancel():
                taken += waiting.result()
            else:
                await asyncio.wait([waiting])
        taken += await take(reader, 100 - len(taken))
    assert [record.offset for record in taken] == list(range(100))


async def test_a_reader_hears_of_records_before_it_fetches_them(broker: Broker) -> None:
    one, other = await new_lanes(broker, 2)
    async with reading(broker, one, other) as reader:
        await append(broker, one, texts("first"))
        assert values(await take(reader, 1)) == ["first"]
        before = reader.heard()
        await append(broker, other, texts("second"))
        async with asyncio.timeout(PATIENCE):
            while reader.heard() == before:  # noqa: ASYNC110  # nobody tells of it
                await asyncio.sleep(0.01)
        before = reader.heard()
        assert values(await take(reader, 1)) == ["second"]
        assert list(await reader.fetch(10, 1.0)) == []
        assert reader.heard() == before


async def test_small_fetches_get_everything_in_order(broker: Broker) -> None:
    lanes = await new_lanes(broker, 3)
    await append_all(broker, dict.fromkeys(lanes, numbered(50)))
    async with reading(broker, *lanes) as reader:
        records = await take(reader, 150, limit=7)
    for lane in lanes:
        assert [record.offset for record in records if record.lane == lane] == list(range(50))


async def test_a_lane_far_behind_does_not_starve_another(broker: Broker) -> None:
    far, near = await new_lanes(broker, 2)
    await append(broker, far, [Outgoing(b"key", os.urandom(2000)) for _ in range(4000)])
    await append(broker, near, texts("x"))
    async with reading(broker, far, near) as reader:
        records: list[Record] = []
        while near not in {record.lane for record in records}:
            records += await reader.fetch(200, PATIENCE)
    assert len(records) < 4000


async def test_lanes_can_be_moved_added_and_taken_away(broker: Broker) -> None:
    first, second = await new_lanes(broker, 2)
    await append_all(broker, {first: numbered(10, "first "), second: numbered(10, "second ")})
    async with reading(broker, first) as reader:
        await take(reader, 10)
        await reader.assign({first: 8, second: 9})
        assert values(await take(reader, 3)) == ["first 8", "first 9", "second 9"]
        await reader.assign({second: 10})
        await append_all(broker, {first: texts("unseen"), second: texts("seen")})
        assert values(await take(reader, 1)) == ["seen"]
        assert list(await reader.fetch(10, 0.5)) == []
        await reader.assign({first: 10})
        assert values(await take(reader, 1)) == ["unseen"]


async def test_offsets_say_where_a_lane_begins_and_ends(site: Site) -> None:
    instants = (START + timedelta(minutes=number) for number in count())
    async with opened(site, clock=lambda: next(instants)) as broker:
        full, empty = await new_lanes(broker, 2)
        for number in range(4):
            await append(broker, full, numbered(2, f"{number}."))
        records = await read(broker, full, 8)
        await site.forget(broker, full, before=records[4])
        assert await broker.end_offsets([full, empty]) == {full: 8, empty: 0}
        assert await broker.earliest_offsets([full, empty]) == {full: 4, empty: 0}


async def test_a_position_that_retention_has_passed_is_refused(site: Site) -> None:
    instants = (START + timedelta(minutes=number) for number in count())
    async with opened(site, clock=lambda: next(instants)) as broker:
        [lane] = await new_lanes(broker)
        for number in range(4):
            await append(broker, lane, numbered(2, f"{number}."))
        records = await read(broker, lane, 8)
        await site.forget(broker, lane, before=records[4])
        async with reading(broker, lane, start=1) as reader:
            with pytest.raises(OffsetGoneError) as refused:
                await take(reader, 1)
            assert (refused.value.lane, refused.value.wanted) == (lane, 1)
            assert (refused.value.earliest, refused.value.end) == (4, 8)
            await reader.assign({lane: 4})
            assert values(await take(reader, 4)) == ["2.0", "2.1", "3.0", "3.1"]


async def test_a_position_beyond_the_end_is_refused(broker: Broker) -> None:
    [lane] = await new_lanes(broker)
    await append(broker, lane, numbered(3))
    async with reading(broker, lane, start=4) as reader:
        with pytest.raises(OffsetGoneError) as refused:
            await take(reader, 1)
    assert (refused.value.wanted, refused.value.earliest, refused.value.end) == (4, 0, 3)


async def test_a_refused_position_of_a_lane_that_is_read_no_longer_troubles_nobody(broker: Broker) -> None:
    lanes = await new_lanes(broker, 2)
    for lane in lanes:
        await append(broker, lane, numbered(3))
    reader = await broker.reader()
    try:
        await reader.assign(dict.fromkeys(lanes, 4))
        with pytest.raises(OffsetGoneError) as refused:
            await take(reader, 1)
        await reader.assign({refused.value.lane: 0})
        assert values(await take(reader, 3)) == ["0", "1", "2"]
    finally:
        await reader.close()


# Topics


async def test_a_topic_of_any_size_is_left_as_it_is(broker: Broker) -> None:
    [lane] = await new_lanes(broker)
    await broker.ensure_topics([TopicSpec(lane.topic, None)])
    assert await broker.partitions(lane.topic) == 1


async def test_a_topic_of_any_size_is_made_with_its_default(broker: Broker) -> None:
    topic = new_topic()
    spec = TopicSpec(topic, None, default_partitions=5)
    await asyncio.gather(*(broker.ensure_topics([spec]) for _ in range(3)))
    assert await broker.partitions(topic) == 5
    await append(broker, Lane(topic, 4), texts("in the last one"))
    assert values(await read(broker, Lane(topic, 4), 1)) == ["in the last one"]


async def test_another_number_of_partitions_is_refused(broker: Broker) -> None:
    [lane] = await new_lanes(broker)
    with pytest.raises(PartitionMismatchError, match=f"topic {lane.topic} has 1 partitions and must have 32"):
        await broker.ensure_topics([TopicSpec(lane.topic, 32), TopicSpec(f"{lane.topic}.other", 3)])


async def test_a_lane_that_does_not_exist_is_refused(site: Site) -> None:
    async with opened(site, deadline=3.0) as broker:
        [lane] = await new_lanes(broker)
        for unknown in (Lane(lane.topic, 1), Lane("nowhere", 0)):
            with pytest.raises(BrokerUnavailableError):
                await append(broker, unknown, texts("lost?"))
        async with reading(broker, Lane("nowhere", 0)) as reader:
            with pytest.raises(BrokerUnavailableError):
                await reader.fetch(10, PATIENCE)
        with pytest.raises(BrokerUnavailableError):
            await broker.end_offsets([lane, Lane("nowhere", 0)])
        with pytest.raises(BrokerUnavailableError):
            await broker.partitions("nowhere")
