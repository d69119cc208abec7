"""Errands: what is done outside after a commit, and how its answer comes back."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import pytest

from shared.clock import Clock, VirtualClock
from shared.contracts.envelope import Event, Moment
from shared.contracts.outreach import HoldReleased
from shared.messaging.errands import AT_ONCE
from shared.messaging.memory_database import MemoryDatabase
from shared.messaging.memory_log import MemoryLog
from shared.messaging.memory_store import MemoryStore
from shared.messaging.turn import Turn
from shared.messaging.worker import Worker
from shared.service import Decision, TryLater
from tests.unit.messaging import toy
from tests.unit.messaging.toy import KIND, NOW, VAULT, Counter, Total


class Reply(msgspec.Struct, frozen=True):
    """What the world outside says."""

    amount: int


@dataclass
class World:
    """Answers each errand with its amount times ten, when it is let."""

    asked: list[str] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    broken: bool = False

    async def errand(self, event: Event[HoldReleased], _clock: Clock) -> Reply | None:
        self.asked.append(event.data.reason)
        await self.open.wait()
        if self.broken:
            raise OSError("no answer")
        return Reply(int(event.data.reason) * 10) if event.data.reason != "7" else None


def on_reply(state: Counter, event: Event[Reply], now: Moment) -> Decision:
    if event.data.amount == 50:
        raise TryLater("not now")
    if event.data.amount == 60:
        raise ValueError("cannot be")
    assert now.instant == NOW
    total = state.total or Total(0, 0)
    return replace(state, total=Total(total.amount + event.data.amount, total.times)), ()


class Bench:
    """One worker with one actor, in memory."""

    def __init__(self, world: World, **more: Any) -> None:
        kind = replace(KIND, handlers={**KIND.handlers, Reply: on_reply}, errands={HoldReleased: world.errand}, **more)
        self.bench = toy.Bench(kind)
        self.database: MemoryDatabase = self.bench.database
        store = MemoryStore(self.database, kind.name)
        clock = VirtualClock(NOW)
        turn = Turn("toy", kind, store, VAULT)
        self.worker = Worker("w", turn, store, MemoryLog(clock.now), clock, batch=100)

    async def play(self, *amounts: int, debtor_id: str = "d1") -> None:
        await self.worker.turn(self.bench.added(*amounts, debtor_id=debtor_id))

    async def heard(self) -> None:
        await self.worker.errands.settle()
        await self.worker.turn(())


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def bench(world: World) -> Bench:
    bench = Bench(world)
    await bench.worker.take([3])
    return bench


async def test_the_answer_is_applied_by_a_later_turn_once(bench: Bench, world: World) -> None:
    await bench.play(1, 2)
    assert bench.worker.errands.waiting
    world.open.set()
    await bench.heard()
    await bench.heard()
    assert bench.bench.total() == (33, 2)
    assert not bench.worker.errands.waiting


async def test_nothing_is_done_outside_for_a_turn_that_was_not_committed(bench: Bench, world: World) -> None:
    with pytest.raises(TryLater):
        await bench.play(1, toy.LATER)
    await asyncio.wait({asyncio.create_task(bench.worker.errands.settle())})
    assert world.asked == []


async def test_an_errand_that_fails_is_as_if_nobody_had_answered(bench: Bench, world: World) -> None:
    world.broken = True
    world.open.set()
    await bench.play(1)
    await bench.heard()
    assert (bench.bench.total(), bench.worker.errands.waiting) == ((1, 1), False)


async def test_an_errand_may_have_nothing_to_say(bench: Bench, world: World) -> None:
    world.open.set()
    await bench.play(7)
    await bench.heard()
    assert (world.asked, bench.bench.total()) == (["7"], (7, 1))


async def test_an_answer_for_an_actor_that_was_lost_is_dropped(bench: Bench, world: World) -> None:
    await bench.play(1)
    bench.worker.lose([3])
    await bench.worker.take([4])
    world.open.set()
    await bench.heard()
    assert (bench.bench.total(), bench.worker.errands.waiting) == ((1, 1), False)


async def test_an_answer_is_kept_for_another_turn_where_its_turn_is_not_committed(bench: Bench, world: World) -> None:
    world.open.set()
    await bench.play(1, 5)
    await bench.worker.errands.settle()
    for _ in range(2):
        with pytest.raises(TryLater):
            await bench.worker.turn(())
    assert bench.worker.errands.waiting
    assert bench.bench.total() == (6, 2)


async def test_an_answer_that_cannot_be_applied_costs_no_other(bench: Bench, world: World) -> None:
    world.open.set()
    await bench.play(6, 1)
    await bench.heard()
    assert (bench.bench.total(), bench.bench.letters()) == ((17, 2), [])


async def test_an_answer_for_a_debtor_in_quarantine_is_dropped(bench: Bench, world: World) -> None:
    await bench.play(1)
    await bench.play(toy.BROKEN)
    world.open.set()
    await bench.heard()
    assert bench.bench.in_quarantine() == {"d1"}
    assert bench.bench.total() == (1, 1)


async def test_a_stop_leaves_what_still_runs_to_whoever_comes_next(bench: Bench, world: World) -> None:
    await bench.play(1)
    await bench.worker.errands.settle(0)
    await bench.worker.close()
    assert (world.asked, bench.worker.errands.waiting) == (["1"], False)


@pytest.mark.parametrize("heeds", [True, False])
async def test_who_heeds_how_fresh_a_lane_is_hears_it_without_an_errand(heeds: bool) -> None:  # noqa: FBT001
    heard = []

    def on_added(state: Counter, _event: Event[toy.Added], now: Moment) -> Decision:
        heard.append(now.heard)
        return state, ()

    kind = replace(KIND, handlers={**KIND.handlers, toy.Added: on_added}, heeds_freshness=heeds)
    bench = toy.Bench(kind)
    store, clock = MemoryStore(bench.database, kind.name), VirtualClock(NOW)
    worker = Worker("w", Turn("toy", kind, store, VAULT), store, MemoryLog(clock.now), clock, batch=100)
    worker.in_step = True
    await worker.take([3])
    await worker.turn(bench.added(1))
    assert heard == [NOW if heeds else None]


async def test_errands_of_one_room_wait_for_each_other_and_not_for_those_of_another(world: World) -> None:
    bench = Bench(world, room_of=lambda event: event.data.reason)
    await bench.worker.take([3])
    await bench.play(*[1] * (AT_ONCE + 2), 2)
    await bench.worker.errands.settle(0)
    assert (world.asked.count("1"), world.asked.count("2")) == (AT_ONCE, 1)
    world.open.set()
    await bench.worker.errands.settle()
    assert (world.asked.count("1"), world.asked.count("2")) == (AT_ONCE + 2, 1)


async def test_due_work_waits_while_enough_is_in_hand_and_records_do_not(bench: Bench, world: World) -> None:
    bench.worker.errands.most = 2
    await bench.play(1, 2000)
    turned = await bench.worker.turn(bench.bench.added(2), due=5)
    assert turned is not None
    assert (turned.took_due, bench.bench.total()) == (0, (2000 + 3, 3))
    world.open.set()
    await bench.worker.errands.settle()
    turned = await bench.worker.turn((), due=5)
    assert turned is not None
    assert turned.took_due == 1
