"""How far behind actors are, and what of the embedded log may go: only what was read."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest

from shared.clock import SystemClock
from shared.messaging import lag
from shared.messaging.broker import Lane, OffsetGoneError, Outgoing, TopicSpec
from shared.messaging.embedded_log import EmbeddedLog
from shared.messaging.memory_database import MemoryDatabase
from shared.messaging.memory_store import MemoryStore
from shared.messaging.store import Standing
from shared.messaging.turn import Turn
from shared.messaging.worker import Worker
from tests.unit.messaging.toy import IN, KIND, VAULT

LATER = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture
async def log(blank_database: Callable[[], str]) -> AsyncIterator[EmbeddedLog]:
    log = await EmbeddedLog.open(blank_database())
    topics = [*KIND.inputs, f"{KIND.output}.control"]
    await log.ensure_topics([TopicSpec(topic, 32) for topic in topics])
    yield log
    await log.close()


async def append(log: EmbeddedLog, lane: Lane, many: int) -> None:
    writer = await log.writer()
    for number in range(many):
        await writer.append({lane: [Outgoing(None, str(number).encode())]})
    await writer.close()


def worker(log: EmbeddedLog, cursors: dict[int, dict[Lane, int]]) -> Worker:
    """A worker that holds some actors that have read so far."""
    store = MemoryStore(MemoryDatabase(), KIND.name)
    found = Worker("one", Turn("toy", KIND, store, VAULT), store, log, SystemClock(), batch=10)
    found.standings = {number: Standing(number, 1, cursors=dict(read)) for number, read in cursors.items()}
    found.revision += 1
    return found


async def test_it_is_what_lies_beyond_the_cursors_of_each_actor_held(log: EmbeddedLog) -> None:
    await append(log, Lane(IN, 3), 5)
    await append(log, Lane(IN, 4), 2)
    await append(log, Lane(IN, 5), 9)
    held = worker(log, {3: {Lane(IN, 3): 4}, 4: {}})
    assert await lag.behind([held], log) == {("lane", 3): 1, ("lane", 4): 2}


async def test_who_holds_nothing_is_behind_in_nothing(log: EmbeddedLog) -> None:
    assert await lag.behind([worker(log, {})], log) == {}


async def test_the_log_keeps_what_was_not_read_however_old_it_is(log: EmbeddedLog) -> None:
    read, unread, unknown = Lane(IN, 3), Lane(IN, 4), Lane(IN, 5)
    for lane in (read, unread, unknown):
        await append(log, lane, 5)
    one, two = worker(log, {3: {read: 5}, 4: {unread: 0}}), worker(log, {3: {read: 2}})
    await log.prune(LATER, lag.read_up_to([one, two]))
    firsts = await log.earliest_offsets([read, unread, unknown])
    assert firsts == {read: 2, unread: 0, unknown: 0}
    reader = await log.reader()
    await reader.assign({read: 2})
    assert [record.value for record in await reader.fetch(10, 0)] == [b"2", b"3", b"4"]
    await reader.assign({read: 1})
    with pytest.raises(OffsetGoneError):
        await reader.fetch(10, 0)
    await reader.close()


async def test_the_log_keeps_what_is_young_though_it_was_read(log: EmbeddedLog) -> None:
    lane = Lane(IN, 3)
    await append(log, lane, 5)
    await log.prune(datetime.now(UTC) - timedelta(hours=72), lag.read_up_to([worker(log, {3: {lane: 5}})]))
    assert await log.earliest_offsets([lane]) == {lane: 0}
