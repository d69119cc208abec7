"""What the log loses, repeats or keeps to itself is repaired from the databases."""

from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from shared.messaging.broker import BrokerUnavailableError, Lane, PartitionMismatchError, TopicSpec
from shared.messaging.control import control_topic
from shared.messaging.embedded_log import EmbeddedLog
from shared.messaging.sharding import shard_of
from shared.runtime import Role, Runtime
from shared.service import SHARDS
from shared.settings import Settings
from tests.integration.runtime.faults import FlakyBroker
from tests.integration.runtime.rig import Rig, eventually, service_of
from tests.unit.messaging.toy import IN, KIND, OUT

LANE = shard_of("d1")


async def in_the_middle(log: asyncpg.Connection) -> None:
    """The broker forgets one batch that it had acknowledged."""
    status = await log.execute("DELETE FROM batch WHERE topic = $1 AND partition = $2 AND last_offset = 2", OUT, LANE)
    assert status == "DELETE 1"


async def from_the_beginning(log: asyncpg.Connection) -> None:
    """Retention takes what nobody has read yet."""
    await log.execute("UPDATE head SET first_offset = 3 WHERE topic = $1 AND partition = $2", OUT, LANE)
    status = await log.execute("DELETE FROM batch WHERE topic = $1 AND partition = $2 AND last_offset < 3", OUT, LANE)
    assert int(status.removeprefix("DELETE ")) >= 2  # a word of how far was told may lie among the facts


@pytest.mark.parametrize("lose", [in_the_middle, from_the_beginning])
async def test_gap_is_reported_and_told_again(rig: Rig, lose: Callable[[asyncpg.Connection], Awaitable[None]]) -> None:
    first = rig.worker(rig.first)
    async with rig.running(first, rig.first):
        for amount in (1, 2, 3, 4):
            await rig.say(amount)
            await eventually(lambda: told(rig, len(rig.said["d1"])))
        log = await asyncpg.connect(rig.log_dsn)
        await lose(log)
        await log.close()
        async with rig.second_running():
            await eventually(rig.exact)
            await rig.say(5)
            await eventually(rig.exact)
    asked = await rig.log.end_offsets([Lane(control_topic(OUT), LANE)])
    assert list(asked.values()) == [1]
    assert await rig.second.rows("SELECT * FROM gap") == []
    assert await rig.second.rows("SELECT source, last_seq FROM source_mark") == [(f"first/lane/{LANE}", 5)]


async def test_the_lost_end_of_a_lane_is_told_again_though_nothing_follows(rig: Rig) -> None:
    async with rig.running(rig.worker(rig.first), rig.first):
        for amount in (1, 2, 3):
            await rig.say(amount)
            await eventually(lambda: told(rig, len(rig.said["d1"])))
    log = await asyncpg.connect(rig.log_dsn)
    await in_the_middle(log)
    await log.close()
    async with rig.running(rig.worker(rig.first, "later"), rig.first, mark=0.1), rig.second_running():
        await eventually(rig.exact)


async def told(rig: Rig, many: int) -> bool:
    return await rig.told() == many


async def test_broker_away_at_start_and_later_loses_nothing(rig: Rig) -> None:
    line = FlakyBroker(rig.log)
    line.away = True
    worker = rig.worker(rig.first, broker=line)
    await rig.say(1, 2, 3)
    async with rig.running(worker, rig.first, broker=line) as loop, rig.second_running():
        await eventually(lambda: says(lambda: "BrokerUnavailableError" in loop.trouble))
        assert await rig.first.everything() == {}
        line.away = False
        await eventually(rig.exact)
        await eventually(lambda: says(lambda: not loop.trouble and not loop.unpublished))
        line.away = True
        await rig.say(4, 5)
        await eventually(lambda: says(lambda: bool(loop.trouble)))
        line.away = False
        await eventually(rig.exact)
        await eventually(lambda: says(lambda: not loop.trouble and not loop.unpublished))


async def test_a_broker_that_takes_and_does_not_answer_is_told_again(rig: Rig) -> None:
    line = FlakyBroker(rig.log)
    worker = rig.worker(rig.first, broker=line)
    reading = await rig.holding(worker)
    await rig.say(1, 2, 3)
    await worker.turn(await reading.fetch(10, 5.0))
    line.away = True
    with pytest.raises(BrokerUnavailableError):  # no writer can be had
        await worker.flush()
    line.away = False
    worker.publisher._writer = await line.writer()
    line.away = True
    with pytest.raises(BrokerUnavailableError):  # it appends, and the answer is lost
        await worker.flush()
    line.away = False
    await worker.flush()
    assert await rig.told() == 6
    async with rig.second_running():
        await eventually(rig.exact)


async def says(ask: Callable[[], bool]) -> bool:
    return ask()


@pytest.mark.parametrize("topic", [IN, OUT, control_topic(OUT)])
async def test_partition_count_mismatch_is_refused(rig: Rig, blank_database: Callable[[], str], topic: str) -> None:
    other = await EmbeddedLog.open(blank_database())
    await other.ensure_topics([TopicSpec(topic, SHARDS - 1)])
    settings = Settings.demo().with_databases({"legal": rig.first.dsn})
    runtime = Runtime([service_of("legal", KIND)], [Role.WORKER], settings, other)
    with pytest.raises((PartitionMismatchError, BaseExceptionGroup)) as refused:
        await runtime.run()
    assert _mismatches(refused.value) == [f"topic {topic} has 31 partitions and must have 32: nothing starts on it"]
    assert await rig.first.rows("SELECT * FROM actor") == []
    await other.close()


def _mismatches(error: BaseException) -> list[str]:
    if isinstance(error, BaseExceptionGroup):
        return [text for each in error.exceptions for text in _mismatches(each)]
    return [str(error)] if isinstance(error, PartitionMismatchError) else [repr(error)]
