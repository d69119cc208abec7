"""One turn: what is applied, what is buried, what waits, and what is told of it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from shared.messaging.broker import Lane
from shared.messaging.turn import Batch, Limits
from shared.service import Rejected, TryLater
from tests.unit.messaging import toy
from tests.unit.messaging.toy import BROKEN, KIND, LATER, NOW, TODAY, TOO_MUCH, Bench, Day, Greeted


@pytest.fixture
async def bench() -> Bench:
    return await Bench().ready()


# Applying


async def test_events_are_applied_in_order_and_told_one_by_one(bench: Bench) -> None:
    turned = await bench.play(*bench.added(1, 2, 3), *bench.added(5, debtor_id="d2"))
    assert (bench.applied(), bench.total(), bench.total("d2")) == ([1, 2, 3], (6, 3), (5, 1))
    assert bench.facts() == [("d1", "1"), ("d1", "2"), ("d1", "3"), ("d2", "5")]
    assert toy.lanes_of(turned.facts) == [(Lane("toy.out", 3), 1, 4)]
    assert turned.counts["applied"] == 4


async def test_an_event_of_a_type_that_is_not_handled_is_passed_over(bench: Bench) -> None:
    unknown = msgspec.structs.replace(bench.record(toy.Added(amount=1)), headers=(("type", b"toy.later"),))
    await bench.play(unknown, *bench.added(2))
    assert (bench.applied(), bench.letters()) == ([2], [])
    assert bench.standings[3].cursors == {Lane("toy.in", 3): 2}


async def test_an_event_of_the_whole_lane_needs_no_owner(bench: Bench) -> None:
    await bench.play(bench.record(Greeted(name="hello"), ""))
    assert bench.facts() == [("", "hello")]


async def test_a_business_date_moves_the_lane_and_is_said_once(bench: Bench) -> None:
    yesterday = TODAY - timedelta(days=1)
    days = [bench.record(Day(business_date=day), "") for day in (TODAY, TODAY, yesterday)]
    turned = await bench.play(*days)
    await bench.play(bench.record(Day(business_date=TODAY), ""))
    assert bench.facts() == [("", "2031-05-06")]
    assert bench.standings[3].clocks == {"bank": TODAY}
    assert turned.counts["repeated_dates"] == 2


# What cannot be applied


UNREADABLE = b'{"id":"e","type":"toy.added","lender_id":"bank","occurred_at":true,"data":{"amount":1}}'
FAILING: list[Any] = [
    pytest.param(toy.Added(amount=-1), ("must not be negative", "data.amount"), id="a handler rejects it"),
    pytest.param(toy.Added(amount=BROKEN), ("ZeroDivisionError in on_amount", ""), id="a handler fails"),
    pytest.param(b"\xff not JSON", ("cannot be read", ""), id="it is not JSON"),
    pytest.param(UNREADABLE, ("cannot be read", "$.occurred_at"), id="a field is bad"),
    pytest.param(
        toy.Added(amount=TOO_MUCH), ("cannot be saved: a number is beyond 64 bits", ""), id="it cannot be kept"
    ),
]


@pytest.mark.parametrize(("bad", "why"), FAILING)
async def test_a_bad_event_is_buried_its_debtor_set_apart_and_its_neighbours_applied(
    bench: Bench, bad: Any, why: tuple[str, str]
) -> None:
    await bench.play(*bench.added(1), *bench.added(7, debtor_id="d2"))
    turned = await bench.play(
        *bench.added(2, debtor_id="d2"), bench.record(bad), *bench.added(3, 4), *bench.added(5, debtor_id="d2")
    )
    assert bench.letters() == [(*why, "d1", "open")]
    assert bench.in_quarantine() == {"d1"}
    assert (bench.applied(), bench.applied("d2")) == ([1], [7, 2, 5])
    assert bench.parked() == [4, 5]
    assert bench.facts()[2:] == [("d2", "2"), ("d1", "DebtorQuarantined"), ("d2", "5")]
    assert (turned.counts["buried"], turned.counts["parked"]) == (1, 2)


async def test_a_handler_that_fails_is_tried_three_times(bench: Bench) -> None:
    tries: list[int] = []

    def fails_at_first(state: Any, event: Any, now: Any) -> Any:
        tries.append(1)
        if len(tries) < 3:
            raise ZeroDivisionError
        return toy.on_amount(state, event, now)

    bench.turn.kind = replace(KIND, handlers={toy.Added: fails_at_first})
    turned = await bench.play(*bench.added(1))
    assert (len(tries), bench.applied(), turned.failures) == (3, [1], [])

    def always_fails(*_: Any) -> Any:
        tries.append(1)
        raise ZeroDivisionError

    tries.clear()
    bench.turn.kind = replace(KIND, handlers={toy.Added: always_fails})
    turned = await bench.play(*bench.added(2))
    assert (len(tries), len(bench.letters())) == (3, 1)
    assert [failure.split(" at ")[0] for failure in turned.failures] == ["ZeroDivisionError"]


async def test_later_undoes_the_whole_turn(bench: Bench) -> None:
    batch = [*bench.added(1), *bench.added(LATER), bench.record(b"bad", "d2")]
    with pytest.raises(TryLater):
        await bench.play(*batch)
    assert (bench.applied(), bench.letters(), bench.facts()) == ([], [], [])
    assert bench.standings[3].cursors == {}


async def test_a_decoder_that_fails_costs_one_event(bench: Bench) -> None:
    def fails(record: Any) -> Any:
        return toy.decode(record) if record.value != b"bad" else b"\xff".decode()

    bench.turn.kind = replace(KIND, decode=fails)
    await bench.play(bench.record(b"bad"), *bench.added(1, debtor_id="d2"))
    assert bench.letters() == [("UnicodeDecodeError while reading", "", "d1", "open")]
    assert bench.applied("d2") == [1]


@pytest.mark.parametrize("key", [pytest.param("a\x00b", id="a NUL"), pytest.param("\ufffd", id="no UTF-8")])
async def test_a_key_that_cannot_be_kept_costs_one_event(bench: Bench, key: str) -> None:
    record = msgspec.structs.replace(bench.record(b"bad"), key=key.encode() if "\x00" in key else b"\xff")
    await bench.play(record, *bench.added(1, debtor_id="d2"))
    [(_, _, owner, _)] = bench.letters()
    assert "\x00" not in owner
    assert bench.applied("d2") == [1]


async def test_a_reason_is_kept_without_what_a_database_refuses(bench: Bench) -> None:
    def rejects(_record: Any) -> Any:
        raise Rejected("Invalid value 'a\x00b'", field="x\x00")

    bench.turn.kind = replace(KIND, decode=rejects)
    await bench.play(bench.record(b"bad"))
    assert "\x00" not in "".join(bench.letters()[0])


async def test_a_whole_lanes_event_that_fails_sets_nobody_apart(bench: Bench) -> None:
    await bench.play(bench.record(Greeted(name="broken"), ""), *bench.added(1))
    assert bench.letters() == [("ZeroDivisionError in on_lane", "", "", "open")]
    assert (bench.in_quarantine(), bench.applied()) == (set(), [1])


# Commands


async def test_a_command_is_applied_and_answered_with_its_facts(bench: Bench) -> None:
    command = bench.command("add", {"amount": 5})
    await bench.play(*bench.added(1))
    status, answer = bench.answer(command)
    assert (status, answer["id"], [fact["data"]["reason"] for fact in answer["facts"]]) == ("done", command, ["5"])
    assert bench.applied() == [1, 5]


REFUSED = [
    pytest.param("add", {"amount": -1}, ("must not be negative", "data.amount"), id="the handler rejects it"),
    pytest.param("add", {"amount": BROKEN}, ("ZeroDivisionError in on_amount", ""), id="the handler fails"),
    pytest.param("add", {"amount": "x"}, ("amount: Expected `int`, got `str`", "body"), id="it does not fit"),
    pytest.param("multiply", {}, ("no such command", "name"), id="there is no such command"),
]


@pytest.mark.parametrize(("name", "body", "why"), REFUSED)
async def test_a_refused_command_changes_nothing(bench: Bench, name: str, body: Any, why: tuple[str, str]) -> None:
    command = bench.command(name, body)
    await bench.play()
    assert bench.answer(command) == ("refused", {"detail": why[0], "field": why[1]})
    assert (bench.total(), bench.letters(), bench.facts()) == (None, [], [])


async def test_no_command_is_applied_to_a_debtor_in_quarantine(bench: Bench) -> None:
    await bench.play(*bench.added(1, -1))
    command = bench.command("add", {"amount": 5})
    await bench.play()
    assert bench.answer(command)[0] == "refused"
    assert bench.applied() == [1]


# Due work


async def test_a_due_row_is_taken_out_and_applied(bench: Bench) -> None:
    await bench.play(*bench.added(1005))
    await bench.play(bench.record(Day(business_date=TODAY + timedelta(days=1)), ""))
    turned = await bench.play()
    assert (bench.applied(), turned.took_due) == ([1005, 5], 1)
    assert (await bench.play()).took_due == 0


@pytest.mark.parametrize("batch", [1, 2, 3])
async def test_due_work_comes_after_all_commands_however_few_are_taken_at_once(bench: Bench, batch: int) -> None:
    await bench.play(*bench.added(2000))
    for amount in (1, 2):
        bench.command("add", toy.Add(amount=amount))
    took = 1
    while took:
        turned = await bench.turn.run(bench.standings, Batch({}, batch, batch), bench.now)
        bench.standings, took = dict(turned.standings), turned.took_commands + turned.took_due
    assert [text for _, text in bench.facts()] == ["2000", "1", "2", "ring 2000"]


async def test_a_due_row_that_is_no_longer_in_the_state_is_passed_over(bench: Bench) -> None:
    await bench.play(*bench.added(2000), bench.record(Day(business_date=TODAY + timedelta(days=1)), ""))
    turned = await bench.play(*bench.added(1007))  # replaces the alarm that the same turn finds due
    assert turned.took_due == 2
    assert bench.applied() == [2000, 1007]
    assert [text for _, text in bench.facts()][-1] == "ring 2000"


async def test_a_due_row_that_fails_is_buried_and_can_be_replayed(bench: Bench) -> None:
    await bench.play(*bench.added(1000 + BROKEN), bench.record(Day(business_date=TODAY + timedelta(days=1)), ""))
    await bench.play()
    assert (bench.letters()[0][2], bench.in_quarantine(), bench.applied()) == ("d1", {"d1"}, [1013])
    await bench.play(*bench.added(3))
    bench.turn.kind = replace(KIND, handlers={**KIND.handlers, toy.Alarm: _mended})
    bench.command("replay-letter", {"letter_id": bench.letter_ids()[0]})
    await bench.play()
    assert (bench.applied(), bench.letters()[0][3]) == ([1013, 77, 3], "replayed")


async def test_a_due_row_that_cannot_be_kept_is_taken_out_and_can_be_discarded(bench: Bench) -> None:
    await bench.play(*bench.added(1000), bench.record(Day(business_date=TODAY + timedelta(days=1)), ""))
    bench.turn.kind = replace(KIND, handlers={**KIND.handlers, toy.Alarm: _too_much})
    await bench.play()
    assert (bench.letters()[0][0], bench.in_quarantine()) == ("cannot be saved: a number is beyond 64 bits", {"d1"})
    bench.command("discard-letter", {"letter_id": bench.letter_ids()[0], "reason": "a test"})
    await bench.play(*bench.added(5))
    await bench.play()
    assert (bench.applied(), bench.in_quarantine()) == ([1000, 5], set())


def _too_much(state: Any, event: Any, now: Any) -> Any:
    return toy.on_amount(state, replace_data(event, toy.Added(amount=TOO_MUCH)), now)


def _mended(state: Any, event: Any, now: Any) -> Any:
    return toy.on_amount(state, replace_data(event, toy.Added(amount=77)), now)


def replace_data(event: Any, data: Any) -> Any:
    return msgspec.structs.replace(event, data=data)


# Stopping


async def test_too_many_letters_stop_the_actor_until_it_is_resumed() -> None:
    bench = await Bench(limits=Limits(letters=2, window=timedelta(minutes=5))).ready()
    await bench.play(*bench.added(-1), *bench.added(-1, debtor_id="d2"))
    assert bench.standings[3].stopped == ""
    turned = await bench.play(*bench.added(-1, debtor_id="d3"))
    assert bench.standings[3].stopped == "3 dead letters within 0:05:00"
    assert [stop.number for stop in turned.stopped] == [3]
    assert bench.database.standings["lane", 3].stopped == bench.standings[3].stopped
    command = bench.command("resume-shard", {"reason": "mended"})
    await bench.play()
    assert (bench.answer(command)[0], bench.standings[3].stopped) == ("done", "")
    operations = [(each.operation, each.actor, each.detail) for _, each in bench.database.operations]
    assert operations == [
        ("stopped", "system", "3 dead letters within 0:05:00"),
        ("resumed", "operator/x", "mended"),
    ]


async def test_letters_that_lie_long_ago_do_not_stop_an_actor() -> None:
    bench = await Bench(limits=Limits(letters=2, window=timedelta(minutes=5))).ready()
    for minutes in (0, 2, 6, 8):
        bench.now = NOW + timedelta(minutes=minutes)
        await bench.play(*bench.added(-1, debtor_id=f"d{minutes}"))
    assert bench.standings[3].stopped == ""
