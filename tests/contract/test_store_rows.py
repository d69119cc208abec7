"""What the store port promises of state and due work, held against both adapters."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from shared.messaging.store import (
    Answer,
    Effects,
    Quarantined,
    Store,
    UnsavableError,
)
from tests.contract.store_cases import (
    CARD,
    LAYOUT,
    NOW,
    SHARED,
    TODAY,
    DayDue,
    Entry,
    InstantDue,
    Item,
    Mood,
    Part,
    Place,
    SharedFile,
    Site,
    Sum,
    Visit,
    a_command,
    a_file,
    load,
    save,
    write,
)

YESTERDAY, TOMORROW = TODAY - timedelta(days=1), TODAY + timedelta(days=1)

# State


FULL = a_file(
    "d1",
    card=CARD,
    items={"a": Item("a", 1), "b": Item("b", 2**63 - 1)},
    parts={("a", 1): Part("a", 1, ""), ("a", 2): Part("a", 2, "two"), ("ü", 1): Part("ü", 1, "'; --")},
    day=DayDue("bank", TODAY),
    instants={1: InstantDue(1, "bank", NOW)},
)


async def test_a_state_comes_back_as_it_was_saved_with_every_type_of_column(store: Store) -> None:
    await save(store, FULL)
    found = await load(store, "d1")
    assert found == FULL
    assert isinstance(found.card.mood, Mood)
    assert isinstance(found.card.visits[0], Visit)
    assert isinstance(found.card.visits[0].place, Place)


async def test_an_owner_of_whom_nothing_is_known_is_empty(store: Store) -> None:
    assert await load(store, "nobody") == LAYOUT.empty("nobody")


@pytest.mark.parametrize("odd", ["d\x1f1", "\x1f", "d1\x1f", ",", "{}", "d 1", "ü"])
async def test_owners_are_told_apart_whatever_their_names_hold(store: Store, odd: str) -> None:
    plain, named_oddly = a_file("d1", card=CARD), a_file(odd, items={"a": Item("a", 1)})
    await save(store, plain, named_oddly)
    transaction = await store.begin()
    found = await transaction.load(LAYOUT, {"d1": 3, odd: 3, "1": 3}, {})
    await transaction.rollback()
    assert found == {"d1": plain, odd: named_oddly, "1": a_file("1")}


async def test_owners_do_not_see_each_other(store: Store) -> None:
    await save(store, FULL, a_file("d2", items={"a": Item("a", 7)}))
    transaction = await store.begin()
    found = await transaction.load(LAYOUT, {"d1": 3, "d2": 3, "d3": 3}, {})
    await transaction.rollback()
    assert found == {"d1": FULL, "d2": a_file("d2", items={"a": Item("a", 7)}), "d3": LAYOUT.empty("d3")}


CHANGES = [
    pytest.param(
        {"card": replace(CARD, note="n", until=TODAY, other_mood=Mood.CALM)}, id="optional columns are filled"
    ),
    pytest.param({"card": replace(CARD, last=None, visits=(), extra={})}, id="optional columns are emptied"),
    pytest.param({"card": None}, id="the only row goes"),
    pytest.param({"items": {"a": Item("a", 5), "b": Item("b", 2**63 - 1)}}, id="one row of two is updated"),
    pytest.param({"items": {"b": Item("b", 2**63 - 1)}}, id="one row of two goes"),
    pytest.param({"items": {**FULL.items, "c": Item("c", 3)}}, id="a third row comes"),
    pytest.param({"items": {"b": Item("b", 0), "c": Item("c", 3)}}, id="one goes, one changes, one comes"),
    pytest.param({"parts": {("a", 2): Part("a", 2, "2"), ("b", 2): Part("b", 2, "new")}}, id="keys of two columns"),
    pytest.param({"day": DayDue("bank", TOMORROW), "instants": {}}, id="due work is moved and cancelled"),
    pytest.param({"card": replace(CARD, extra={"a\\u0000b": 1}, note="\\u0000")}, id="what only looks like a NUL"),
    pytest.param({}, id="nothing is different"),
]


@pytest.mark.parametrize("fields", CHANGES)
async def test_what_differs_is_written(store: Store, fields: dict[str, Any]) -> None:
    await save(store, FULL)
    after = replace(FULL, **fields)
    await save(store, after, before=FULL)
    assert await load(store, "d1") == after


async def test_the_shard_that_wrote_a_row_first_stays_with_it(store: Store) -> None:
    await save(store, FULL, shard=3)
    await save(store, replace(FULL, day=DayDue("bank", YESTERDAY)), before=FULL, shard=4)
    await write(store, Effects(clocks={(3, "bank"): TODAY}))
    transaction = await store.begin()
    due = await transaction.take_due(LAYOUT, [3], NOW - timedelta(days=1), 10)
    await transaction.rollback()
    assert [(row.shard, row.row) for row in due] == [(3, DayDue("bank", YESTERDAY))]


async def test_settled_rows_are_loaded_only_where_they_are_named(store: Store) -> None:
    state = a_file("d1", items={"a": Item("a", 1, closed=True), "b": Item("b", 2), "c": Item("c", 3, closed=True)})
    other = a_file("d2", items={"a": Item("a", 9, closed=True)})
    await save(store, state, other)
    assert (await load(store, "d1")).items == {"b": Item("b", 2)}
    named = {"items": {("d1", "a"), ("d1", "b"), ("d1", "zz")}}
    assert (await load(store, "d1", named)).items == {"a": Item("a", 1, closed=True), "b": Item("b", 2)}


async def test_a_journal_is_appended_to_and_never_loaded(stores: Site, store: Store) -> None:
    await save(
        store, a_file("d1", entries=(Entry("first", 1), Entry("second", 2))), a_file("d2", entries=(Entry("x", 9),))
    )
    await save(store, a_file("d1", entries=(Entry("first", 1),)))
    assert (await load(store, "d1")).entries == ()
    entries = [(3, "d1", "first", 1), (3, "d1", "second", 2), (3, "d2", "x", 9), (3, "d1", "first", 1)]
    assert await stores.journal() == entries


async def test_a_tally_is_summed_over_owners_and_transactions(stores: Site, store: Store) -> None:
    may, june = Sum("2031-05", Mood.CALM, 2), Sum("2031-06", Mood.CALM, 1)
    await save(store, a_file("d1", sums=(may, june)), a_file("d2", sums=(may, replace(may, mood=Mood.CROSS))))
    await save(store, a_file("d1", sums=(replace(may, amount=-5), replace(june, amount=-1))))
    await save(store, a_file("d4", sums=(may,)), shard=4)
    assert await stores.sums() == {
        (3, "2031-05", "calm"): -1,
        (3, "2031-05", "cross"): 2,
        (3, "2031-06", "calm"): 0,
        (4, "2031-05", "calm"): 2,
    }


async def test_a_state_that_actors_share_is_written_by_each_in_turn(stores: Site, store: Store) -> None:
    first = SharedFile("l1", CARD)
    await save(store, first, layout=SHARED)
    other = stores.store()
    await save(other, replace(first, card=replace(CARD, amount=5)), before=first, shard=9, layout=SHARED)
    assert (await load(store, "l1", layout=SHARED)).card.amount == 5


async def test_saving_nothing_new_is_allowed(store: Store) -> None:
    await save(store)
    await save(store, FULL, before=FULL)
    assert await load(store, "d1") == LAYOUT.empty("d1")


UNSAVABLE: list[Any] = [
    pytest.param({"card": replace(CARD, note="a\x00b")}, id="a NUL in a text"),
    pytest.param(
        {"card": replace(CARD, visits=(Visit(TODAY, Place("a\x00b"), Mood.CALM),))}, id="a NUL inside a column"
    ),
    pytest.param({"card": replace(CARD, amount=2**63)}, id="a number beyond 64 bits"),
    pytest.param({"card": replace(CARD, note="\ud800")}, id="half a character"),
    pytest.param({"card": replace(CARD, extra={"\ud800": 1})}, id="half a character inside a column"),
    pytest.param({"items": {"a": Item("x", 1), "b": Item("x", 2)}}, id="two rows of one key"),
    pytest.param({"entries": (Entry("\x00", 1),)}, id="a NUL in a journal"),
    pytest.param({"sums": (Sum("\x00", Mood.CALM, 1),)}, id="a NUL in a tally"),
]


@pytest.mark.parametrize("fields", UNSAVABLE)
async def test_content_that_cannot_be_kept_is_said_to_be_so(store: Store, fields: dict[str, Any]) -> None:
    with pytest.raises(UnsavableError):
        await save(store, a_file("d1", **fields))
    assert await load(store, "d1") == LAYOUT.empty("d1")
    await save(store, a_file("d2", card=CARD))
    assert (await load(store, "d2")).card == CARD


@pytest.mark.parametrize("fields", UNSAVABLE[:5])
async def test_content_that_cannot_be_kept_is_no_better_in_an_update(store: Store, fields: dict[str, Any]) -> None:
    before = a_file("d1", card=CARD)
    await save(store, before)
    with pytest.raises(UnsavableError):
        await save(store, replace(before, **fields), before=before)
    assert await load(store, "d1") == before


async def test_a_row_that_is_there_already_is_refused(store: Store) -> None:
    await save(store, FULL)
    with pytest.raises(UnsavableError):
        await save(store, a_file("d1", items={"a": Item("a", 100)}))
    assert await load(store, "d1") == FULL


async def test_a_row_may_take_the_key_of_one_that_goes(store: Store) -> None:
    before = a_file("d1", items={"a": Item("a", 1)})
    await save(store, before)
    await save(store, a_file("d1", items={"other": Item("a", 2)}), before=before)
    assert (await load(store, "d1")).items == {"a": Item("a", 2)}


# Due work


async def due(store: Store, numbers: list[int], now: datetime = NOW, limit: int = 100) -> list[tuple[Any, ...]]:
    transaction = await store.begin()
    found = await transaction.take_due(LAYOUT, numbers, now, limit)
    await transaction.rollback()
    return [(row.shard, row.name, row.owner, row.key) for row in found]


def at(number: int, minutes: int) -> InstantDue:
    return InstantDue(number, "bank", NOW + timedelta(minutes=minutes))


async def test_rows_fall_due_by_shard_time_owner_and_key(store: Store) -> None:
    await save(
        store, a_file("b", instants={1: at(1, -2), 2: at(2, 0), 3: at(3, 1)}), a_file("B", instants={9: at(9, -2)})
    )
    await save(store, a_file("a", instants={10: at(10, -2), 9: at(9, -2), 1: at(1, -5)}), shard=2)
    expected = [(2, "a", 1), (2, "a", 9), (2, "a", 10), (3, "B", 9), (3, "b", 1), (3, "b", 2)]
    assert await due(store, [3, 2, 5]) == [(shard, "instants", owner, key) for shard, owner, key in expected]
    assert await due(store, [2]) == [(2, "instants", "a", key) for key in (1, 9, 10)]


async def test_dates_fall_due_by_the_clock_of_the_lender_in_that_lane(store: Store) -> None:
    await store.acquire(4, "one")
    await save(store, a_file("d1", day=DayDue("bank", TODAY)), a_file("d2", day=DayDue("other", TODAY)))
    await save(store, a_file("d3", day=DayDue("bank", YESTERDAY)), a_file("d4", day=DayDue("bank", TOMORROW)))
    await save(store, a_file("d5", day=DayDue("bank", TODAY)), shard=4)
    await save(store, a_file("d6", day=DayDue("unheard", date(1999, 1, 1))))
    assert await due(store, [3, 4]) == []
    await write(store, Effects(clocks={(3, "bank"): TODAY, (3, "other"): YESTERDAY}))
    assert await due(store, [3, 4]) == [(3, "day", "d3", None), (3, "day", "d1", None)]
    await write(store, Effects(clocks={(3, "other"): TODAY}))
    assert await due(store, [3, 4]) == [(3, "day", owner, None) for owner in ("d3", "d1", "d2")]


async def test_a_row_without_an_instant_never_falls_due(store: Store) -> None:
    await write(store, Effects(clocks={(3, "bank"): TODAY}))
    await save(store, a_file("d1", instants={1: InstantDue(1, "bank", None), 2: at(2, 0)}))
    assert await due(store, [3], now=NOW + timedelta(days=9999)) == [(3, "instants", "d1", 2)]
    assert (await load(store, "d1")).instants[1].due_at is None


async def test_of_many_that_are_due_the_first_in_order_are_taken(store: Store) -> None:
    await write(store, Effects(clocks={(3, "bank"): TODAY}))
    for number in (4, 2, 0, 3, 1):
        state = a_file(f"d{number}", day=DayDue("bank", TODAY), instants={n: at(n, 0) for n in (number, number + 10)})
        await save(store, state)
    expected: list[tuple[Any, ...]] = [(3, "day", "d0", None), (3, "day", "d1", None), (3, "day", "d2", None)]
    assert await due(store, [3], limit=3) == expected
    expected += [(3, "day", "d3", None), (3, "day", "d4", None), (3, "instants", "d0", 0), (3, "instants", "d0", 10)]
    assert await due(store, [3], limit=7) == expected


async def test_a_due_row_is_taken_whole_and_stays_until_the_state_lets_it_go(store: Store) -> None:
    state = a_file("d1", instants={1: at(1, 0)})
    await save(store, state)
    transaction = await store.begin()
    [found] = await transaction.take_due(LAYOUT, [3], NOW, 10)
    await transaction.commit()
    assert found.row == at(1, 0)
    assert await load(store, "d1") == state


async def test_nothing_falls_due_for_an_owner_in_quarantine(store: Store) -> None:
    await write(store, Effects(clocks={(3, "bank"): TODAY}, quarantined=[Quarantined(3, "d1", "l1", NOW)]))
    for owner in ("d1", "d2"):
        await save(store, a_file(owner, day=DayDue("bank", TODAY), instants={1: at(1, 0)}))
    assert await due(store, [3]) == [(3, "day", "d2", None), (3, "instants", "d2", 1)]
    await write(store, Effects(released=[("d1", "l1")]))
    assert len(await due(store, [3])) == 4


# Whether anything waits


async def nothing(_store: Store, _site: Site) -> None:
    """Leave the tables empty."""


async def a_command_waits(_store: Store, site: Site) -> None:
    await site.submit(a_command("c1"))


async def an_instant_is_reached(store: Store, _site: Site) -> None:
    await save(store, a_file("d1", instants={1: at(1, 0)}))


async def an_instant_is_to_come(store: Store, _site: Site) -> None:
    await save(store, a_file("d1", instants={1: at(1, 1)}))


async def a_date_is_reached(store: Store, _site: Site) -> None:
    await write(store, Effects(clocks={(3, "bank"): TODAY}))
    await save(store, a_file("d1", day=DayDue("bank", TODAY)))


async def a_date_is_reached_elsewhere(store: Store, _site: Site) -> None:
    await write(store, Effects(clocks={(4, "bank"): TODAY, (3, "other"): TODAY}))
    await save(store, a_file("d1", day=DayDue("bank", TODAY)))


async def it_is_in_quarantine(store: Store, site: Site) -> None:
    await a_date_is_reached(store, site)
    await an_instant_is_reached(store, site)
    await write(store, Effects(quarantined=[Quarantined(3, "d1", "l1", NOW)]))


async def it_is_in_quarantine_until_later(store: Store, _site: Site) -> None:
    await save(store, a_file("d1", instants={1: at(1, 1)}))
    await write(store, Effects(quarantined=[Quarantined(3, "d1", "l1", NOW)]))


async def an_answered_command(store: Store, site: Site) -> None:
    await a_command_waits(store, site)
    await write(store, Effects(answers=[Answer("c1", "done", b"{}", NOW)]))


@pytest.mark.parametrize(
    ("arrange", "waits"),
    [
        (nothing, False),
        (a_command_waits, True),
        (an_answered_command, False),
        (an_instant_is_reached, True),
        (an_instant_is_to_come, False),
        (a_date_is_reached, True),
        (a_date_is_reached_elsewhere, False),
        (it_is_in_quarantine, False),
    ],
)
async def test_a_store_knows_whether_anything_waits(
    stores: Site, store: Store, arrange: Callable[[Store, Site], Any], *, waits: bool
) -> None:
    await store.acquire(4, "one")
    if arrange is it_is_in_quarantine:
        await save(store, a_file("d2"))
    await arrange(store, stores)
    assert await store.has_work(LAYOUT, [3], NOW) is waits
    assert await store.has_work(LAYOUT, [4], NOW) is False
    assert (await store.look_out(LAYOUT, [3], NOW)).waits is waits
    assert (await store.look_out(LAYOUT, [4], NOW)).waits is False


def due_in(*minutes: int) -> Callable[[Store, Site], Any]:
    async def arrange(store: Store, _site: Site) -> None:
        await save(store, a_file("d1", instants={number: at(number, each) for number, each in enumerate(minutes)}))

    return arrange


@pytest.mark.parametrize(
    ("arrange", "found"),
    [
        (nothing, None),
        (a_command_waits, None),
        (a_date_is_reached, None),
        (due_in(0), None),
        (due_in(-1, 3, 2), NOW + timedelta(minutes=2)),
        (it_is_in_quarantine_until_later, None),
    ],
    ids=["nothing", "a command", "a day only", "what is due already", "the first to come", "in quarantine"],
)
async def test_a_store_knows_when_the_next_row_falls_due(
    stores: Site, store: Store, arrange: Callable[[Store, Site], Any], found: datetime | None
) -> None:
    await store.acquire(4, "one")
    await arrange(store, stores)
    assert (await store.look_out(LAYOUT, [3, 4], NOW)).next_due == found
    assert (await store.look_out(LAYOUT, [4], NOW)).next_due is None
