"""What a lane is told to go by: kept by name, seen by every handler from there on, and only in that lane."""

from dataclasses import replace
from typing import Any

import pytest

from shared.contracts.envelope import Event, Moment, Told
from shared.contracts.outreach import HoldReleased
from shared.messaging.loop import actors_of
from shared.messaging.memory_database import MemoryDatabase
from shared.messaging.store import StoreUnavailableError
from shared.service import ActorKind, Decision, Reach
from tests.unit.messaging.toy import KIND, Added, Bench, Counter, Greeted


def say(state: Counter, event: Event[Added], now: Moment) -> Decision:
    """Tell by which greetings the debtor's amount was added."""
    by = ", ".join(f"{name}: {getattr(fact, 'name', '')}" for name, fact in sorted(now.directives.items()))
    return state, (Told(HoldReleased(hold_id=event.id, reason=f"{event.data.amount} by {by or 'nothing'}")),)


def initial(greeting: Greeted) -> str:
    return greeting.name[0]


DIRECTED: ActorKind = replace(KIND, handlers={Added: say}, on_lane={}, directives={Greeted: initial})


@pytest.fixture
async def bench() -> Bench:
    return await Bench(DIRECTED).ready()


def greeted(bench: Bench, name: str) -> Any:
    return bench.record(Greeted(name=name), "")


async def test_every_handler_goes_by_it_from_there_on_within_a_turn_and_in_later_ones(bench: Bench) -> None:
    await bench.play(*bench.added(1), greeted(bench, "hello"), *bench.added(2), *bench.added(3, debtor_id="d2"))
    await bench.play(*bench.added(4))
    assert bench.facts() == [
        ("d1", "1 by nothing"), ("d1", "2 by h: hello"), ("d2", "3 by h: hello"), ("d1", "4 by h: hello"),
    ]  # fmt: skip


async def test_one_of_the_same_name_takes_its_place_and_one_of_another_stands_beside_it(bench: Bench) -> None:
    await bench.play(greeted(bench, "hello"), greeted(bench, "good day"))
    await bench.play(greeted(bench, "hi"), *bench.added(1))
    assert bench.facts() == [("d1", "1 by g: good day, h: hi")]


async def test_who_takes_the_lane_over_goes_by_it_too(bench: Bench) -> None:
    await bench.play(greeted(bench, "hello"))
    heir = await Bench(DIRECTED, database=bench.database).ready()
    await heir.play(*heir.added(1, debtor_id="d9"))
    assert heir.facts() == [("d9", "1 by h: hello")]


async def test_a_turn_that_is_not_committed_leaves_what_the_lane_goes_by_as_it_was(bench: Bench) -> None:
    await bench.play(greeted(bench, "hello"))

    async def lost() -> None:
        raise StoreUnavailableError

    begin = bench.store.begin

    async def failing() -> Any:
        transaction = await begin()
        transaction.commit = lost  # type: ignore[method-assign]
        return transaction

    bench.store.begin = failing  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailableError):
        await bench.play(greeted(bench, "hi"))
    bench.store.begin = begin  # type: ignore[method-assign]
    await bench.play(*bench.added(1))
    assert bench.facts() == [("d1", "1 by h: hello")]


async def test_a_name_that_cannot_be_found_buries_the_fact_and_not_the_lane(bench: Bench) -> None:
    await bench.play(greeted(bench, ""), *bench.added(1))
    assert (bench.facts(), [each[0] for each in bench.letters()]) == (
        [("d1", "1 by nothing")],
        ["IndexError in initial"],
    )


async def test_a_backup_keeps_what_the_lane_went_by_then(bench: Bench) -> None:
    await bench.play(greeted(bench, "hello"))
    copy: MemoryDatabase = bench.database.copy()
    await bench.play(greeted(bench, "hi"))
    heir = await Bench(DIRECTED, database=copy).ready()
    await heir.play(*heir.added(1))
    assert heir.facts()[-1] == ("d1", "1 by h: hello")


@pytest.mark.parametrize(("reach", "count"), [(Reach.OWN_LANE, 32), (Reach.EVERY_LANE, 1), (Reach.FIRST_LANE, 1)])
async def test_who_reads_more_or_less_than_a_lane_of_its_own_is_alone(reach: Reach, count: int) -> None:
    kind = replace(KIND, reach=reach)
    broker: Any = None  # nobody is asked: only an edge has as many actors as a topic has partitions
    assert await actors_of(kind, broker) == count
