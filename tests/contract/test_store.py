"""What the store port promises of actors, cursors and transactions, held against both adapters."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from shared.contracts.outreach import HoldReleased
from shared.messaging.broker import Lane
from shared.messaging.store import (
    Answer,
    Change,
    CursorMove,
    Effects,
    Gap,
    HistoryRow,
    Mark,
    Operation,
    Out,
    OutMove,
    Quarantined,
    StaleStandingError,
    Stop,
    Store,
    StoredFacts,
    StoreUnavailableError,
)
from tests.contract.store_cases import (
    CARD,
    IN,
    LAYOUT,
    NOW,
    OUT,
    TODAY,
    Entry,
    File,
    Mood,
    Site,
    Sum,
    a_command,
    a_file,
    a_letter,
    a_parked,
    load,
    write,
)

OTHER_IN = Lane("toy.other", 3)


# Actors: epochs, cursors and what they know


async def test_an_actor_starts_with_nothing(store: Store) -> None:
    standing = await store.acquire(4, "one")
    assert (standing.number, standing.epoch, standing.stopped) == (4, 1, "")
    assert standing.restored is False
    assert not any(
        [standing.cursors, standing.marks, standing.gaps, standing.outs, standing.clocks, standing.directives]
    )


async def test_the_first_incarnation_is_named_by_the_clock_since_a_database_may_have_been_lost(store: Store) -> None:
    seconds = (datetime.now(UTC) - datetime(2026, 1, 1, tzinfo=UTC)).total_seconds()
    assert abs((await store.acquire(4, "one")).incarnation - seconds) < 600


async def test_each_acquisition_raises_the_epoch_of_that_actor_alone(stores: Site, store: Store) -> None:
    assert (await stores.store().acquire(3, "two")).epoch == 2
    assert (await store.acquire(3, "one")).epoch == 3
    assert (await store.acquire(5, "one")).epoch == 1


async def test_the_fence_leaves_out_actors_whose_epoch_is_lost(stores: Site, store: Store) -> None:
    for number in (1, 2):
        await store.acquire(number, "one")
    await stores.store().acquire(2, "two")
    transaction = await store.begin()
    assert await transaction.fence({3: 1, 2: 1, 1: 1, 9: 1}) == {1, 3}
    await transaction.rollback()


async def test_another_kind_has_actors_of_its_own(stores: Site, store: Store) -> None:
    assert (await stores.store("ingress").acquire(3, "one")).epoch == 1
    transaction = await store.begin()
    assert await transaction.fence({3: 1}) == {3}
    await transaction.rollback()


async def move(store: Store, *moves: CursorMove) -> None:
    transaction = await store.begin()
    try:
        await transaction.move_cursors(moves)
        await transaction.commit()
    finally:
        await transaction.rollback()


async def test_cursors_are_set_first_and_then_moved(store: Store) -> None:
    await move(store, CursorMove(3, IN, None, 10))
    await move(store, CursorMove(3, IN, 10, 25), CursorMove(3, OTHER_IN, None, 1))
    assert (await store.acquire(3, "one")).cursors == {IN: 25, OTHER_IN: 1}


@pytest.mark.parametrize(
    "stale",
    [
        pytest.param(CursorMove(3, IN, 9, 20), id="another position than is kept"),
        pytest.param(CursorMove(3, IN, None, 20), id="a first position where there is one"),
        pytest.param(CursorMove(3, Lane("toy.in", 4), 10, 20), id="a position that was never kept"),
    ],
)
async def test_a_stale_cursor_is_refused_with_all_that_came_with_it(store: Store, stale: CursorMove) -> None:
    await move(store, CursorMove(3, IN, None, 10), CursorMove(3, OTHER_IN, None, 1))
    with pytest.raises(StaleStandingError):
        await move(store, CursorMove(3, OTHER_IN, 1, 2), stale)
    assert (await store.acquire(3, "one")).cursors == {IN: 10, OTHER_IN: 1}


async def test_what_an_actor_knows_comes_back_when_it_is_acquired(store: Store) -> None:
    await store.acquire(4, "one")
    effects = Effects(
        marks={(3, IN, "a/lane/1"): Mark(1, 5), (4, IN, "a/lane/1"): Mark(2, 9), (3, OTHER_IN, "a/lane/1"): Mark(1, 1)},
        gaps={(3, IN, "b/lane/2"): Gap(1, 6, 8)},
        clocks={(3, "bank"): TODAY, (4, "bank"): date(2031, 1, 1)},
        outs={(3, OUT): OutMove(None, Out(12, 7, b"\x00head"))},
    )
    await write(store, effects)
    found = await store.acquire(3, "two")
    assert found.marks == {(IN, "a/lane/1"): Mark(1, 5), (OTHER_IN, "a/lane/1"): Mark(1, 1)}
    assert found.gaps == {(IN, "b/lane/2"): Gap(1, 6, 8)}
    assert (found.clocks, found.outs) == ({"bank": TODAY}, {OUT: Out(12, 7, b"\x00head")})
    assert (await store.acquire(4, "two")).clocks == {"bank": date(2031, 1, 1)}


async def test_what_an_actor_knows_is_replaced_and_gaps_are_closed(store: Store) -> None:
    first = Effects(
        marks={(3, IN, "a/lane/1"): Mark(1, 5)},
        gaps={(3, IN, "a/lane/1"): Gap(1, 6, 8), (3, IN, "b/lane/2"): Gap(1, 1, 2)},
        clocks={(3, "bank"): TODAY},
        outs={(3, OUT): OutMove(None, Out(1, 0, b"a"))},
    )
    await write(store, first)
    later = Effects(
        marks={(3, IN, "a/lane/1"): Mark(2, 1)},
        gaps={(3, IN, "a/lane/1"): None, (3, IN, "b/lane/2"): Gap(2, 3, 9)},
        clocks={(3, "bank"): date(2031, 5, 7)},
        outs={(3, OUT): OutMove(b"a", Out(4, 1, b"b"))},
    )
    await write(store, later)
    found = await store.acquire(3, "one")
    assert (found.marks, found.gaps) == ({(IN, "a/lane/1"): Mark(2, 1)}, {(IN, "b/lane/2"): Gap(2, 3, 9)})
    assert (found.clocks, found.outs) == ({"bank": date(2031, 5, 7)}, {OUT: Out(4, 1, b"b")})


async def test_a_stop_lasts_until_it_is_lifted(store: Store) -> None:
    await write(store, Effects(stops=[Stop(3, "too many", NOW)]))
    assert (await store.acquire(3, "two")).stopped == "too many"
    await write(store, Effects(stops=[Stop(3, "", NOW)]))
    assert (await store.acquire(3, "two")).stopped == ""


async def test_what_an_actor_was_told_to_go_by_is_kept_by_name_until_another_takes_its_place(store: Store) -> None:
    await store.acquire(4, "one")
    first, second, other = (HoldReleased(hold_id=name, reason="\u4e2d '\"") for name in ("first", "second", "other"))
    await write(store, Effects(directives={(3, "a"): first, (3, "b"): other, (4, "a"): other}))
    await write(store, Effects(directives={(3, "a"): second}))
    assert (await store.acquire(3, "two")).directives == {"a": second, "b": other}
    assert (await store.acquire(4, "two")).directives == {"a": other}


# What was told


def told(seq_from: int, seq_to: int, *, lane: Lane = OUT, incarnation: int = 1) -> StoredFacts:
    return StoredFacts(3, lane, incarnation, seq_from, seq_to, f"{lane.topic} {incarnation} {seq_from}".encode())


def head(seq: int) -> bytes:
    return f"head {seq}".encode()


def after(seq: int, out: Out) -> OutMove:
    return OutMove(head(seq) if seq else None, out)


async def tell(store: Store, *facts: StoredFacts, acked: int = 0) -> None:
    """Each with a head of its own, as a turn writes them."""
    outs = {(3, each.lane): after(each.seq_from - 1, Out(each.seq_to, acked, head(each.seq_to))) for each in facts}
    await write(store, Effects(facts=list(facts), outs=outs))


async def test_what_is_not_acknowledged_comes_back_lane_by_lane_in_order(store: Store) -> None:
    other = Lane("toy.another", 3)
    for facts in (told(1, 2), told(3, 3), told(1, 1, lane=other), told(4, 9)):
        await tell(store, facts)
    assert await store.unacknowledged(3) == [told(1, 1, lane=other), told(1, 2), told(3, 3), told(4, 9)]


async def test_what_is_acknowledged_stays_away_and_what_is_half_so_comes_whole(store: Store) -> None:
    for facts in (told(1, 2), told(3, 5), told(6, 6)):
        await tell(store, facts)
    await write(store, Effects(outs={(3, OUT): OutMove(b"head 6", Out(6, 4, b"head 6"))}))
    assert await store.unacknowledged(3) == [told(3, 5), told(6, 6)]
    await write(store, Effects(outs={(3, OUT): OutMove(b"head 6", Out(6, 6, b"head 6"))}))
    assert await store.unacknowledged(3) == []


async def test_a_lane_is_told_again_from_a_sequence_to_its_head(store: Store) -> None:
    for facts in (told(1, 2), told(3, 5), told(6, 6), told(1, 9, lane=Lane("toy.another", 3))):
        await tell(store, facts, acked=99)
    assert await store.told_since(3, OUT, 1, 4) == [told(3, 5), told(6, 6)]
    assert await store.told_since(3, OUT, 1, 7) == []
    assert await store.told_since(3, OUT, 2, 1) == []
    assert await store.told_since(4, OUT, 1, 1) == []


async def test_a_new_incarnation_numbers_its_facts_apart(stores: Site, store: Store) -> None:
    await tell(store, told(1, 4))
    await begin_anew(store, 7, last=4)
    found = await store.acquire(3, "one")
    assert (found.incarnation, found.restored, found.outs) == (7, False, {OUT: Out(1, 0, b"head 1")})
    assert await store.unacknowledged(3) == [told(1, 1, incarnation=7)]
    await tell(store, told(2, 2, incarnation=7))
    assert await store.told_since(3, OUT, 7, 1) == [told(1, 1, incarnation=7), told(2, 2, incarnation=7)]
    assert await store.told_since(3, OUT, 7, 2) == [told(2, 2, incarnation=7)]


async def test_what_was_told_since_goes_on_into_later_incarnations(store: Store) -> None:
    await tell(store, told(1, 4))
    await tell(store, told(5, 5))
    await begin_anew(store, 7, last=5)
    assert await store.told_since(3, OUT, 1, 5) == [told(5, 5), told(1, 1, incarnation=7)]
    assert await store.told_since(3, OUT, 1, 6) == [told(1, 1, incarnation=7)]
    assert await store.told_since(3, OUT, 7, 2) == []


async def begin_anew(store: Store, incarnation: int, last: int) -> None:
    outs = {(3, OUT): after(last, Out(1, 0, head(1)))}
    await write(store, Effects(renewed={3: incarnation}, facts=[told(1, 1, incarnation=incarnation)], outs=outs))


@pytest.mark.parametrize(
    "stale",
    [
        pytest.param(OutMove(b"another head", Out(5, 0, b"head 5")), id="as if another had been told last"),
        pytest.param(OutMove(None, Out(5, 0, b"head 5")), id="as if nothing had been told before"),
        pytest.param(OutMove(b"head 5", Out(5, 5, b"head 5")), id="more is acknowledged than was ever told"),
    ],
)
async def test_what_does_not_go_on_from_what_was_told_is_refused_with_all_that_came_with_it(
    store: Store, stale: OutMove
) -> None:
    await tell(store, told(1, 4))
    clocks = {(3, "bank"): TODAY}
    with pytest.raises(StaleStandingError):
        await write(store, Effects(facts=[told(5, 5)], outs={(3, OUT): stale}, clocks=clocks))
    found = await store.acquire(3, "two")
    assert (found.outs, found.clocks) == ({OUT: Out(4, 0, b"head 4")}, {})
    assert await store.unacknowledged(3) == [told(1, 4)]


async def test_what_goes_on_from_a_lane_on_which_nothing_was_told_is_refused(store: Store) -> None:
    with pytest.raises(StaleStandingError):
        await write(store, Effects(outs={(3, OUT): OutMove(b"head 4", Out(5, 0, b"head 5"))}))
    assert (await store.acquire(3, "two")).outs == {}


# Transactions


async def test_what_is_rolled_back_was_never_there(stores: Site, store: Store) -> None:
    await stores.submit(a_command("c1"))
    transaction = await store.begin()
    await transaction.fence({3: 1})
    await transaction.move_cursors([CursorMove(3, IN, None, 10)])
    entry = a_file("d1", card=CARD, entries=(Entry("x", 1),), sums=(Sum("2031-05", Mood.CALM, 1),))
    await transaction.save(LAYOUT, [_new(entry)])
    await transaction.write(_of_everything())
    await transaction.rollback()
    found = await store.acquire(3, "one")
    assert (found.epoch, found.stopped) == (2, "")
    assert not any([found.cursors, found.marks, found.gaps, found.outs, found.clocks])
    assert await load(store, "d1") == LAYOUT.empty("d1")
    assert (await stores.journal(), await stores.sums(), await stores.history(), await stores.operations()) == (
        [],
        {},
        [],
        [],
    )
    assert await stores.answers() == {"c1": ("pending", None)}
    assert await _dead_letters(store) == ({}, {}, {}, {})


async def test_what_is_committed_is_there_for_others(stores: Site, store: Store) -> None:
    await stores.submit(a_command("c1"))
    transaction = await store.begin()
    await transaction.fence({3: 1})
    await transaction.move_cursors([CursorMove(3, IN, None, 10)])
    await transaction.save(LAYOUT, [_new(a_file("d1", card=CARD))])
    await transaction.write(_of_everything())
    await transaction.commit()
    await store.close()
    other = stores.store()
    found = await other.acquire(3, "two")
    assert (found.cursors, found.marks, found.stopped) == ({IN: 10}, {(IN, "s/lane/1"): Mark(1, 1)}, "stop")
    assert (await load(other, "d1")).card == CARD
    assert await other.unacknowledged(3) == [told(1, 1)]
    assert (await stores.answers())["c1"] == ("done", {"ok": [1]})
    assert await stores.operations() == [(3, "operator/x", "letter replayed", "mended")]
    letters, quarantines, parked, counts = await _dead_letters(other)
    assert (letters, quarantines, counts) == ({"l1": a_letter("l1")}, {"d1": {"l1"}}, {3: 1})
    assert [each.raw for each in parked["d1"]] == [b"sealed"]


def _new(state: File) -> Any:
    return Change(3, state.debtor_id, LAYOUT.empty(state.debtor_id), state)


def _of_everything() -> Effects:
    return Effects(
        marks={(3, IN, "s/lane/1"): Mark(1, 1)},
        gaps={(3, IN, "t/lane/1"): Gap(1, 1, 2)},
        clocks={(3, "bank"): TODAY},
        outs={(3, OUT): OutMove(None, Out(1, 0, b"head"))},
        facts=[told(1, 1)],
        history=[HistoryRow(3, "d1", "e", "t", 1, "a", "c", NOW, NOW, b"{}")],
        letters=[a_letter("l1")],
        quarantined=[Quarantined(3, "d1", "l1", NOW)],
        parked=[a_parked("d1", b"sealed")],
        answers=[Answer("c1", "done", b'{"ok": [1]}', NOW)],
        stops=[Stop(3, "stop", NOW)],
        operations=[Operation(3, NOW, "operator/x", "letter replayed", "mended")],
    )


async def _dead_letters(store: Store) -> tuple[Any, ...]:
    transaction = await store.begin()
    counts = await transaction.count_letters([3], NOW - timedelta(minutes=1))
    found = await transaction.letters(["l1"]), await transaction.quarantines(["d1"]), await transaction.parked(["d1"])
    await transaction.rollback()
    return *found, counts


async def test_a_zombie_inside_a_transaction_is_ended_by_its_successor(stores: Site, store: Store) -> None:
    zombie = await store.begin()
    assert await zombie.fence({3: 1}) == {3}
    await zombie.save(LAYOUT, [_new(a_file("d1", card=CARD))])
    successor = stores.store()
    assert (await successor.acquire(3, "two")).epoch == 2
    with pytest.raises(StoreUnavailableError):
        await zombie.commit()
    await zombie.rollback()
    assert await load(successor, "d1") == LAYOUT.empty("d1")
    again = await store.begin()
    assert await again.fence({3: 1}) == set()
    await again.rollback()


async def test_a_transaction_left_open_is_forgotten_by_the_next(store: Store) -> None:
    left = await store.begin()
    await left.fence({3: 1})
    await left.save(LAYOUT, [_new(a_file("d1", card=CARD))])
    await left.rollback()
    following = await store.begin()
    assert await following.fence({3: 1}) == {3}
    await following.commit()
    assert await load(store, "d1") == LAYOUT.empty("d1")


async def test_an_actor_given_up_is_anybodys(stores: Site, store: Store) -> None:
    await store.release({3: 1})
    assert (await stores.store().acquire(3, "two")).epoch == 2
    await store.release({3: 1})
    transaction = await store.begin()
    assert await transaction.fence({3: 2}) == {3}
    await transaction.rollback()


async def test_of_two_transactions_only_one_holds_a_shared_owner(stores: Site, store: Store) -> None:
    shared = replace(LAYOUT, shared=True)
    first = await store.begin()
    await first.load(shared, {"d1": 3, "d2": 3}, {})
    other = stores.store()
    second = await other.begin()
    with pytest.raises(StoreUnavailableError):
        await second.load(shared, {"d2": 3, "d3": 3}, {})
    await second.rollback()
    await first.commit()
    assert set(await (await other.begin()).load(shared, {"d2": 3, "d3": 3}, {})) == {"d2", "d3"}
