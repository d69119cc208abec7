"""What the reader of whole topics sees: on a log that is written to as no product of ours would."""

from collections.abc import AsyncIterator

import pytest

from shared.messaging.broker import Broker, Lane, Outgoing, TopicSpec
from shared.messaging.embedded_log import EmbeddedLog
from shared.messaging.sequence import Position, position_header
from tests.chaos.topics import PERSONAL, Topics
from tests.conftest import BlankDatabase

LANE = Lane("intake.events", 3)


@pytest.fixture
async def log(blank_database: BlankDatabase) -> AsyncIterator[Broker]:
    log = await EmbeddedLog.open(blank_database())
    await log.ensure_topics([TopicSpec(LANE.topic, 4), TopicSpec("intake.events.control", 4)])
    yield log
    await log.close()


def numbered(seq: int, value: bytes = b"", source: str = "intake/lane/3") -> Outgoing:
    return Outgoing(None, value or b"fact %d" % seq, (position_header(Position(source, 1, seq)),))


async def seen(log: Broker, *records: Outgoing, lane: Lane = LANE) -> Topics:
    writer = await log.writer()
    await writer.append({lane: records})
    await writer.close()
    topics = Topics(log)
    await topics.read_on([lane])
    return topics


async def test_a_lane_that_was_told_twice_from_the_middle_is_whole(log: Broker) -> None:
    topics = await seen(log, *(numbered(seq) for seq in (1, 2, 3, 2, 3, 4)))
    assert (topics.numbered, topics.duplicates) == (6, 2)
    assert topics.told() == {("intake/lane/3", LANE): 4}
    assert (topics.holes, topics.conflicts, topics.leaks, topics.lost) == ([], [], [], [])


async def test_a_number_that_comes_before_the_one_below_it_is_a_hole(log: Broker) -> None:
    topics = await seen(log, numbered(1), numbered(3), numbered(2))
    assert len(topics.holes) == 2


async def test_sources_are_counted_apart(log: Broker) -> None:
    topics = await seen(log, numbered(1), numbered(1, source="intake/ingress/0"), numbered(2))
    assert topics.holes == []
    assert topics.duplicates == 0


async def test_one_number_with_two_payloads_is_a_conflict(log: Broker) -> None:
    topics = await seen(log, numbered(1), numbered(1, b"something else"))
    assert len(topics.conflicts) == 1


async def test_a_record_without_a_number_is_a_hole_except_for_requests(log: Broker) -> None:
    plain = Outgoing(None, b"who am I?", ())
    assert len((await seen(log, plain)).holes) == 1
    assert (await seen(log, plain, lane=Lane("intake.events.control", 0))).holes == []


@pytest.mark.parametrize(
    "personal", ["+8610012345678", "000000195801012311", "P-0000008@example.com", "上海市样例路12号", "冯小雨"]
)
async def test_personal_data_is_a_leak(log: Broker, personal: str) -> None:
    topics = await seen(log, numbered(1, f'{{"name":"{personal}"}}'.encode()))
    assert len(topics.leaks) == 1


def test_the_name_of_a_segment_of_the_write_ahead_log_is_no_identity_number() -> None:
    assert PERSONAL.search(b"invalid magic number in WAL segment 000000010000000000000004") is None


async def test_reading_on_begins_where_the_last_look_ended(log: Broker) -> None:
    topics = await seen(log, numbered(1), numbered(2))
    writer = await log.writer()
    await writer.append({LANE: [numbered(3)]})
    await writer.close()
    await topics.read_on([LANE])
    assert topics.numbered == 3
    assert topics.told() == {("intake/lane/3", LANE): 3}
