"""What the store port promises of dead letters, commands and history, held against both adapters."""

from datetime import timedelta

import pytest

from shared.messaging.broker import Lane
from shared.messaging.store import Answer, Effects, HistoryRow, Operation, Quarantined, Resolved, Store, UnsavableError
from tests.contract.store_cases import LAYOUT, NOW, InstantDue, Site, a_command, a_file, a_letter, a_parked, save, write

# Dead letters, quarantine, parking


async def test_a_letter_is_kept_whole_and_only_once(stores: Site, store: Store) -> None:
    letter = a_letter("l1", offset=9, field="data.amount")
    await write(store, Effects(letters=[letter, a_letter("l2", owner="")]))
    await write(store, Effects(letters=[letter._replace(reason="again")]))
    transaction = await store.begin()
    assert await transaction.letters(["l1", "l3"]) == {"l1": letter}
    await transaction.rollback()
    assert await stores.letter_status("l2") == "open"


@pytest.mark.parametrize("status", ["replayed", "discarded"])
async def test_a_resolved_letter_is_no_longer_open(stores: Site, store: Store, status: str) -> None:
    await write(store, Effects(letters=[a_letter("l1"), a_letter("l2")]))
    await write(store, Effects(resolved=[Resolved("l1", status, NOW, "operator/x", "why")]))
    transaction = await store.begin()
    assert set(await transaction.letters(["l1", "l2"])) == {"l2"}
    await transaction.rollback()
    assert await stores.letter_status("l1") == status


async def test_a_resolved_letter_that_is_buried_again_is_open_again(stores: Site, store: Store) -> None:
    await write(store, Effects(letters=[a_letter("l1")]))
    await write(store, Effects(resolved=[Resolved("l1", "discarded", NOW, "operator/x", "why")]))
    again = a_letter("l1", reason="again", buried_at=NOW + timedelta(hours=1))
    await write(store, Effects(letters=[again]))
    transaction = await store.begin()
    assert await transaction.letters(["l1"]) == {"l1": again}
    await transaction.rollback()
    assert await stores.letter_status("l1") == "open"


async def test_letters_of_another_kind_of_actor_are_not_ours(stores: Site, store: Store) -> None:
    await write(store, Effects(letters=[a_letter("l1")]))
    transaction = await stores.store("ingress").begin()
    assert await transaction.letters(["l1"]) == {}
    assert await transaction.count_letters([3], NOW - timedelta(hours=1)) == {}
    await transaction.rollback()


async def test_letters_from_topics_are_counted_since_an_instant(store: Store) -> None:
    letters = [a_letter(f"l{n}", buried_at=NOW + timedelta(minutes=n)) for n in range(4)]
    letters += [a_letter("m", number=4), a_letter("due", lane=Lane("due", 3), offset=-1)]
    await write(store, Effects(letters=letters))
    transaction = await store.begin()
    assert await transaction.count_letters([3, 4, 5], NOW - timedelta(seconds=1)) == {3: 4, 4: 1}
    assert await transaction.count_letters([3], NOW + timedelta(minutes=1)) == {3: 2}
    await transaction.rollback()


async def test_letters_from_before_an_actor_was_resumed_are_not_counted_again(store: Store) -> None:
    letters = [a_letter(f"l{n}", buried_at=NOW + timedelta(minutes=n)) for n in range(4)]
    resumed = Operation(3, NOW + timedelta(minutes=2), "operator/x", "resumed", "mended")
    await write(store, Effects(letters=letters, operations=[resumed]))
    transaction = await store.begin()
    assert await transaction.count_letters([3], NOW - timedelta(hours=1)) == {3: 1}
    await transaction.rollback()


async def test_a_quarantine_ends_with_its_last_letter(store: Store) -> None:
    first = [Quarantined(3, "d1", "l1", NOW), Quarantined(3, "d1", "l2", NOW), Quarantined(3, "d2", "l3", NOW)]
    await write(store, Effects(quarantined=first))
    await write(store, Effects(quarantined=first[:1], released=[("d1", "l2"), ("d2", "l3"), ("d9", "l9")]))
    transaction = await store.begin()
    assert await transaction.quarantines(["d1", "d2"]) == {"d1": {"l1"}}
    await transaction.rollback()


async def test_a_quarantine_of_one_kind_of_actor_is_none_of_another(store: Store, stores: Site) -> None:
    other = stores.store("profiles")
    await write(store, Effects(quarantined=[Quarantined(3, "d1", "l1", NOW)], parked=[a_parked("d1", b"1")]))
    transaction = await other.begin()
    assert (await transaction.quarantines(["d1"]), await transaction.parked(["d1"])) == ({}, {})
    await transaction.rollback()
    await save(store, a_file("d1", instants={1: InstantDue(1, "bank", NOW)}))
    transaction = await other.begin()
    assert len(await transaction.take_due(LAYOUT, [3], NOW, 10)) == 1
    await transaction.rollback()
    assert await store.has_work(LAYOUT, [3], NOW) is False
    await other.close()


async def test_parked_events_wait_in_the_order_in_which_they_came(store: Store) -> None:
    await write(store, Effects(parked=[a_parked("d1", b"1"), a_parked("d2", b"x"), a_parked("d1", b"2")]))
    await write(store, Effects(parked=[a_parked("d1", b"3")]))
    transaction = await store.begin()
    waiting = (await transaction.parked(["d1", "d3"]))["d1"]
    await transaction.rollback()
    assert [(each.number, each.owner, each.lane, each.offset, each.raw) for each in waiting] == [
        tuple(a_parked("d1", raw)[1:]) for raw in (b"1", b"2", b"3")
    ]
    assert sorted({each.ordinal for each in waiting}) == [each.ordinal for each in waiting]
    await write(store, Effects(unparked=[("d1", waiting[1].ordinal)], parked=[a_parked("d1", b"4")]))
    transaction = await store.begin()
    assert [each.raw for each in (await transaction.parked(["d1"]))["d1"]] == [b"1", b"3", b"4"]
    await transaction.rollback()


# Commands, history, operations


async def test_commands_are_taken_oldest_first_until_they_are_answered(stores: Site, store: Store) -> None:
    early, late = NOW - timedelta(seconds=1), NOW + timedelta(seconds=1)
    commands = [a_command("b", at=late), a_command("c"), a_command("a"), a_command("z", at=early)]
    for command in [*commands, a_command("elsewhere", number=4)]:
        await stores.submit(command)
    transaction = await store.begin()
    assert await transaction.take_commands([3, 5], 10) == [commands[3], commands[2], commands[1], commands[0]]
    assert await transaction.take_commands([3], 2) == [commands[3], commands[2]]
    await transaction.write(Effects(answers=[Answer("z", "refused", b'{"detail": "no"}', NOW)]))
    await transaction.commit()
    transaction = await store.begin()
    assert [each.id for each in await transaction.take_commands([3, 4], 10)] == ["a", "c", "elsewhere", "b"]
    await transaction.rollback()
    answers = await stores.answers()
    assert (answers["z"], answers["a"]) == (("refused", {"detail": "no"}), ("pending", None))


async def test_history_is_appended_in_order(stores: Site, store: Store) -> None:
    rows = [
        HistoryRow(
            3, "d1", f"e{n}", "toy.told", n, "system", "c", NOW, NOW + timedelta(hours=n), b'{"n": [1, "\xc3\xbc"]}'
        )
        for n in range(3)
    ]
    await write(store, Effects(history=rows[:2]))
    await write(store, Effects(history=rows[2:]))
    assert await stores.history() == [(*row[:-1], {"n": [1, "ü"]}) for row in rows]


async def test_a_history_that_cannot_be_kept_is_said_to_be_so(stores: Site, store: Store) -> None:
    row = HistoryRow(3, "d1", "e", "toy.told", 1, "system", "c", NOW, NOW, rb'{"n": "\u0000"}')
    with pytest.raises(UnsavableError):
        await write(store, Effects(history=[row]))
    assert await stores.history() == []


async def test_operations_are_logged_in_order(stores: Site, store: Store) -> None:
    await write(store, Effects(operations=[Operation(3, NOW, "a", "x", "1"), Operation(4, NOW, "b", "y", "2")]))
    assert await stores.operations() == [(3, "a", "x", "1"), (4, "b", "y", "2")]
