"""Whatever dies or freezes, and wherever: another takes over, and everything is applied once."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from shared.messaging.broker import Lane
from shared.messaging.loop import Loop
from shared.messaging.postgres_store import PostgresStore
from shared.messaging.reading import Reading
from shared.messaging.store import StoreUnavailableError
from shared.messaging.worker import Worker
from shared.service import SHARDS, Reach
from tests.integration.runtime.faults import Commit, FaultyStore, Frozen, SlowStore, commit_lost, reply_lost
from tests.integration.runtime.rig import Rig, eventually
from tests.unit.messaging.toy import OUT


async def with_a_batch_in_hand(rig: Rig, frozen: Worker, reading: Reading) -> None:
    """It has fetched, and the successor applies the same records before it wakes."""
    records = await reading.fetch(1000, 5.0)
    assert len(records) == 3
    await successor_takes_over(rig)
    assert await frozen.turn(records) is None


async def inside_an_open_transaction(rig: Rig, frozen: Worker, reading: Reading) -> None:
    """It has written everything but COMMIT, and holds every lock."""
    store = frozen._store
    assert isinstance(store, FaultyStore)
    commit = Frozen()
    store.at_commit = commit
    turn = asyncio.create_task(frozen.turn(await reading.fetch(1000, 5.0)))
    await commit.reached.wait()
    await successor_takes_over(rig)
    commit.thawed.set()
    with pytest.raises(StoreUnavailableError):
        await turn
    assert frozen.standings


async def successor_takes_over(rig: Rig) -> None:
    worker = rig.worker(rig.first, "successor")
    await rig.drain(worker, await rig.holding(worker))
    assert await rig.first.applied() == [1, 2, 3]


@pytest.mark.parametrize("freezes", [with_a_batch_in_hand, inside_an_open_transaction])
async def test_take_over_from_a_frozen_worker_is_fenced(
    rig: Rig, freezes: Callable[[Rig, Worker, Reading], Awaitable[None]]
) -> None:
    frozen = rig.worker(rig.first, "frozen", store=FaultyStore(rig.first.dsn, "lane"))
    reading = await rig.holding(frozen)
    await rig.say(1, 2, 3)
    await freezes(rig, frozen, reading)
    await rig.say(4)
    late = await frozen.turn(await reading.fetch(1000, 5.0))
    assert late is None
    assert list(frozen.standings) == []
    assert await rig.first.applied() == [1, 2, 3]


async def test_late_publishes_of_a_frozen_worker_are_dropped_by_their_numbers(rig: Rig) -> None:
    frozen = rig.worker(rig.first, "frozen")
    reading = await rig.holding(frozen)
    await rig.say(1, 2, 3)
    await frozen.turn(await reading.fetch(1000, 5.0))
    assert frozen.publisher.pending == 3
    await rig.say(4, 5)
    successor = rig.worker(rig.first, "successor")
    going_on = await rig.holding(successor)
    await rig.drain(successor, going_on)
    assert await rig.told() == 5
    await frozen.flush()
    assert await rig.told() == 8
    async with rig.second_running():
        await eventually(rig.exact)
        await rig.say(6)
        await rig.drain(successor, going_on)
        await eventually(rig.exact)


@pytest.mark.parametrize("dies", [commit_lost, reply_lost])
async def test_ambiguous_commit_is_resolved_by_reading_again(
    rig: Rig, dies: Callable[[FaultyStore], Callable[[Commit], Awaitable[None]]]
) -> None:
    store = FaultyStore(rig.first.dsn, "lane")
    worker = rig.worker(rig.first, store=store)
    async with rig.running(worker, rig.first), rig.second_running():
        await rig.say(1, 2, 3)
        await eventually(rig.exact)
        store.at_commit = dies(store)
        await rig.say(4, 5)
        await rig.say(6)
        await eventually(rig.exact)
        assert store.spent()
    epochs = {epoch for (epoch,) in await rig.first.rows("SELECT epoch FROM actor")}
    assert epochs == {2}


async def test_a_worker_that_lost_its_connection_takes_its_actors_again(rig: Rig) -> None:
    store = FaultyStore(rig.first.dsn, "lane")
    async with rig.running(rig.worker(rig.first, store=store), rig.first), rig.second_running():
        await rig.say(1)
        await eventually(rig.exact)
        store.cut()
        await rig.say(2)
        await eventually(rig.exact)
        assert await rig.first.rows("SELECT DISTINCT backend_pid FROM actor") == [(store.backend,)]


async def test_crash_after_commit_before_publish_publishes_once(rig: Rig) -> None:
    store = FaultyStore(rig.first.dsn, "lane")
    dying = rig.worker(rig.first, "dying", store=store)
    reading = await rig.holding(dying)
    await rig.say(1, 2, 3)
    await rig.say(7, debtor_id="d2")
    await dying.turn(await reading.fetch(1000, 5.0))
    store.cut()
    dying.publisher.drop(range(SHARDS))  # memory dies with the process
    assert (await rig.told(), await rig.first.totals()) == (0, {"d1": 6, "d2": 7})
    successor = rig.worker(rig.first, "successor")
    await successor.take(range(SHARDS))
    assert await rig.told() == 4
    assert len(await successor._store.unacknowledged(0)) <= 1
    await successor.turn((), settle=True)
    await successor.give_up(range(SHARDS))
    third = rig.worker(rig.first, "third")
    await third.take(range(SHARDS))
    assert await rig.told() == 4
    async with rig.second_running():
        await eventually(rig.exact)


async def test_two_workers_share_the_shards_and_one_dies(rig: Rig) -> None:
    store = FaultyStore(rig.first.dsn, "lane")
    dying, survivor = rig.worker(rig.first, "dying", store=store), rig.worker(rig.first, "survivor")
    task = asyncio.create_task(rig.loop(dying, rig.first, lease=2.0).run(asyncio.Event()))
    async with rig.running(survivor, rig.first, lease=2.0), rig.second_running():
        await eventually(lambda: holders(rig, {"dying": 16, "survivor": 16}))
        await rig.say_much(300)
        await eventually(rig.exact)
        freezing = Frozen()
        store.at_commit = freezing
        await eventually(lambda: keeps_saying(rig, freezing))
        await eventually(lambda: holders(rig, {"survivor": 32}))
        await rig.say_much(300)
        await eventually(rig.exact)
        task.cancel()
        freezing.thawed.set()
        await asyncio.gather(task, return_exceptions=True)
        await rig.say_much(60)
        await eventually(rig.exact)


async def test_a_worker_that_takes_long_to_take_its_actors_keeps_its_lease(rig: Rig) -> None:
    slow, lease = rig.worker(rig.first, "slow", store=SlowStore(rig.first.dsn, "lane")), 3.0
    ages: list[float] = []

    async def all_taken() -> bool:
        ages.append(await rig.first.value("SELECT coalesce(max(extract(epoch FROM now() - beat)), 0) FROM worker"))
        return await holders(rig, {"slow": SHARDS})

    async with rig.running(slow, rig.first, lease=lease):
        await eventually(all_taken)
    assert max(ages) < lease


async def test_a_worker_beside_the_holder_of_the_only_actor_is_ready(rig: Rig) -> None:
    only = replace(rig.first.kind, name="allocator", reach=Reach.EVERY_LANE)
    holder, other = (
        rig.worker(rig.first, name, kind=only, store=PostgresStore(rig.first.dsn, only.name))
        for name in ("holder", "other")
    )
    async with rig.running(holder, rig.first) as loop:
        await eventually(lambda: ready(loop))
        assert await rig.first.holders() == {"holder": 1}
        async with rig.running(other, rig.first) as beside:
            await eventually(lambda: ready(beside))
            assert await rig.first.holders() == {"holder": 1}


async def ready(loop: Loop) -> bool:
    return not loop.trouble


async def holders(rig: Rig, expected: dict[str, int]) -> bool:
    return await rig.first.holders() == expected


async def keeps_saying(rig: Rig, freezing: Frozen) -> bool:
    """Until the one that is to die has taken something and stands still with it."""
    if not freezing.reached.is_set():
        await rig.say_much(60)
    return freezing.reached.is_set()


async def test_graceful_stop_finishes_the_batch(rig: Rig) -> None:
    store = FaultyStore(rig.first.dsn, "lane")
    worker = rig.worker(rig.first, store=store)
    freezing, stopping = Frozen(), asyncio.Event()
    loop = rig.loop(worker, rig.first)
    task = asyncio.create_task(loop.run(stopping))
    await eventually(lambda: holders(rig, {"one": SHARDS}))
    store.at_commit = freezing
    await rig.say(1, 2, 3)
    await freezing.reached.wait()
    stopping.set()
    freezing.thawed.set()
    await task
    assert loop.ended
    assert await rig.first.applied() == [1, 2, 3]
    assert await rig.told() == 3
    assert await rig.first.holders() == {"": SHARDS}
    assert await rig.first.rows("SELECT id FROM worker") == []
    outs = await rig.first.rows("SELECT out_seq, acked_seq FROM lane_out WHERE topic = $1", OUT)
    assert outs == [(3, 3)]


async def test_database_restored_begins_a_new_incarnation(rig: Rig) -> None:
    worker = rig.worker(rig.first)
    await rig.say(1, 2, 3)
    async with rig.second_running():
        await rig.drain(worker, await rig.holding(worker))
        await eventually(rig.exact)
        await worker.close()
        lane = Lane(OUT, (await rig.first.value("SELECT partition FROM lane_out")))
        await go_back_in_time(rig)
        restored = rig.worker(rig.first, "restored")
        await rig.drain(restored, await rig.holding(restored))
        incarnation = restored.standings[lane.partition].incarnation
        assert incarnation > 1
        assert restored.standings[lane.partition].outs[lane].seq == 3  # the beginning, and the two that were forgotten
        await rig.say(4)
        await rig.drain(restored, await rig.holding(restored))
        assert (await rig.first.totals(), await rig.first.applied()) == ({"d1": 10}, [1, 2, 3, 4])
        await eventually(lambda: heard(rig, {1, 2, 3, 4}))
    operations = await rig.first.rows("SELECT DISTINCT operation, actor FROM operation_log")
    assert operations == [("renewed", "restored")]
    marks = await rig.second.rows("SELECT incarnation, last_seq FROM source_mark")
    assert marks == [(incarnation, 4)]


async def test_a_connection_lost_between_two_turns_is_told_before_another_is_used(rig: Rig) -> None:
    store = FaultyStore(rig.first.dsn, rig.first.kind.name)
    worker = rig.worker(rig.first, store=store)
    reading = await rig.holding(worker)
    await rig.say(1)
    await rig.drain(worker, reading)
    store.cut()
    with pytest.raises(StoreUnavailableError):
        await worker.has_work()
    worker.forget()
    await rig.drain(worker, await rig.holding(worker))
    assert await rig.first.applied() == [1]


async def go_back_in_time(rig: Rig) -> None:
    """The first database as it was after the first event, on a server that has since been restored."""
    await rig.first.connection.execute("""
        UPDATE actor SET timeline = timeline - 1;
        UPDATE cursor_in SET next_offset = 1;
        UPDATE lane_out SET out_seq = 1, acked_seq = 1;
        UPDATE counter_total SET amount = 1, times = 1;
        DELETE FROM counter_applied WHERE amount > 1;
        DELETE FROM outbox;
        DELETE FROM history;
    """)


async def heard(rig: Rig, amounts: set[int]) -> bool:
    return set(await rig.second.applied()) == amounts
