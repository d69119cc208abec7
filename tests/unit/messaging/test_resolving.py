"""Dead letters after the burial: parked behind them, resolved, released in order; and what an edge says of its own."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.contracts.ingress import EventRefused, RefusalResolved
from shared.messaging.sequence import Position
from shared.service import Rejected
from tests.unit.messaging import toy
from tests.unit.messaging.toy import BROKEN, KIND, TODAY, TOO_MUCH, Bench, Refused, Resolved


@pytest.fixture
async def bench() -> Bench:
    return await Bench().ready()


# Resolving


async def apart(bench: Bench) -> str:
    """A debtor with one letter and two parked events."""
    await bench.play(*bench.added(1, -1, 3, 4))
    return bench.letter_ids()[0]


async def test_events_of_later_turns_are_parked_behind(bench: Bench) -> None:
    await apart(bench)
    await bench.play(*bench.added(5, 6))
    assert (bench.applied(), bench.parked()) == ([1], [2, 3, 4, 5])


async def test_a_letter_that_is_discarded_releases_what_waits_in_order_before_what_is_newer(bench: Bench) -> None:
    letter = await apart(bench)
    newer = bench.added(5)
    command = bench.command("discard-letter", {"letter_id": letter, "reason": "a test"})
    await bench.play(*newer)
    assert bench.answer(command) == ("done", {"letter_id": letter, "status": "discarded"})
    assert (bench.applied(), bench.parked(), bench.in_quarantine()) == ([1, 3, 4, 5], [], set())
    assert bench.letters()[0][3] == "discarded"
    assert [text for _, text in bench.facts()] == ["1", "DebtorQuarantined", "3", "4", "5", "DebtorReleased"]
    assert [(each.operation, each.actor) for _, each in bench.database.operations] == [
        ("letter discarded", "operator/x")
    ]


async def test_a_letter_that_is_replayed_is_applied_before_what_waits(bench: Bench) -> None:
    bench.turn.kind = replace(KIND, handlers={toy.Added: _rejecting})
    await bench.play(*bench.added(1, 2, 3))
    bench.turn.kind = KIND
    command = bench.command("replay-letter", {"letter_id": bench.letter_ids()[0]})
    await bench.play()
    assert bench.answer(command)[0] == "done"
    assert (bench.applied(), bench.total(), bench.parked()) == ([1, 2, 3], (6, 3), [])
    assert bench.letters()[0][3] == "replayed"


def _rejecting(*_: Any) -> Any:
    raise Rejected("not today")


async def test_a_replay_that_fails_again_changes_nothing(bench: Bench) -> None:
    letter = await apart(bench)
    command = bench.command("replay-letter", {"letter_id": letter})
    await bench.play()
    assert bench.answer(command) == ("refused", {"detail": "must not be negative", "field": "data.amount"})
    assert (bench.letter_ids(), bench.parked(), bench.applied()) == ([letter], [2, 3], [1])


async def test_a_replay_that_cannot_be_kept_changes_nothing(bench: Bench) -> None:
    await bench.play(*bench.added(1))
    await bench.play(*bench.added(TOO_MUCH, 3))
    [letter] = bench.letter_ids()
    command = bench.command("replay-letter", {"letter_id": letter})
    await bench.play(*bench.added(8, debtor_id="d2"))
    status, answer = bench.answer(command)
    assert (status, answer["detail"].split(":")[0]) == ("refused", "cannot be saved")
    assert (bench.letter_ids(), bench.parked(), bench.applied(), bench.applied("d2")) == ([letter], [2], [1], [8])


async def test_a_command_that_cannot_be_kept_is_refused(bench: Bench) -> None:
    await bench.play(*bench.added(1))
    command, other = bench.command("add", {"amount": TOO_MUCH}), bench.command("add", {"amount": 2}, owner="d2")
    await bench.play()
    assert bench.answer(command)[0] == "refused"
    assert (bench.answer(other)[0], bench.total(), bench.total("d2")) == ("done", (1, 1), (2, 1))


async def test_a_letter_is_replayed_once_however_many_ask(bench: Bench) -> None:
    bench.turn.kind = replace(KIND, handlers={toy.Added: _rejecting})
    await bench.play(*bench.added(1, 2))
    bench.turn.kind = KIND
    commands = [bench.command("replay-letter", {"letter_id": bench.letter_ids()[0]}) for _ in range(2)]
    await bench.play()
    assert [bench.answer(command)[0] for command in commands] == ["done", "refused"]
    assert bench.applied() == [1, 2]


async def test_what_waits_is_applied_once_however_often_the_debtor_is_released(bench: Bench) -> None:
    letter = await apart(bench)
    steps = [Resolved(letter_id=letter), Refused(letter_id="x"), Resolved(letter_id="x")]
    await bench.play(*(bench.record(step) for step in steps))
    assert (bench.applied(), bench.parked(), bench.in_quarantine()) == ([1, 3, 4], [], set())


async def test_a_second_bad_event_among_the_released_keeps_the_rest_waiting(bench: Bench) -> None:
    await bench.play(*bench.added(1, -1, 3, -4, 5))
    first = bench.letter_ids()[0]
    bench.command("discard-letter", {"letter_id": first, "reason": "a test"})
    await bench.play(*bench.added(6))
    [second] = bench.letter_ids()
    assert (bench.applied(), bench.parked(), second != first) == ([1, 3], [4, 5], True)
    bench.command("discard-letter", {"letter_id": second, "reason": "a test"})
    await bench.play()
    assert (bench.applied(), bench.parked(), bench.in_quarantine()) == ([1, 3, 5, 6], [], set())


async def test_each_letter_of_a_debtor_is_told_resolved(bench: Bench) -> None:
    await bench.play(*(bench.record(Refused(letter_id=name)) for name in ("x", "y")), *bench.added(1))
    await bench.play(bench.record(Resolved(letter_id="x")))
    assert (bench.in_quarantine(), bench.applied()) == ({"d1"}, [])
    await bench.play(bench.record(Resolved(letter_id="y")))
    assert (bench.in_quarantine(), bench.applied()) == (set(), [1])
    told = [text for _, text in bench.facts()]
    assert told == ["DebtorQuarantined"] * 2 + ["DebtorReleased", "1", "DebtorReleased"]


async def test_a_letter_that_is_refused_again_in_the_turn_that_released_it_keeps_its_debtor_apart(bench: Bench) -> None:
    again = [Refused(letter_id="x"), Resolved(letter_id="x"), Refused(letter_id="x")]
    await bench.play(*(bench.record(each) for each in again), *bench.added(1))
    assert (bench.in_quarantine(), bench.parked(), bench.applied()) == ({"d1"}, [3], [])
    await bench.play(bench.record(Resolved(letter_id="x")))
    assert (bench.in_quarantine(), bench.parked(), bench.applied()) == (set(), [], [1])


@pytest.mark.parametrize("name", ["replay-letter", "discard-letter"])
@pytest.mark.parametrize("body", [{"letter_id": "unknown"}, {}, [], 7])
async def test_an_unknown_letter_is_refused(bench: Bench, name: str, body: Any) -> None:
    command = bench.command(name, body)
    await bench.play()
    assert bench.answer(command) == ("refused", {"detail": "no open dead letter has this id", "field": "letter_id"})


# Edges


def at_edge(record: Any) -> Any:
    if record.value == b"bad":
        raise Rejected("cannot be read", field="data", owner="d1", lender_id="bank")
    return toy.decode(record)


EDGE = replace(
    KIND, name="ingress", decode=at_edge, refusal=EventRefused, resolution=RefusalResolved, keeps_history=False
)


async def test_an_edge_tells_the_debtor_of_a_refused_event_and_of_its_end() -> None:
    bench = await Bench(EDGE).ready()
    await bench.play(bench.record(b"bad", "some key"), *bench.added(1))
    assert bench.letters() == [("cannot be read", "data", "d1", "open")]
    assert (bench.in_quarantine(), bench.applied()) == (set(), [1])
    assert bench.facts() == [("d1", "EventRefused"), ("d1", "1")]
    command = bench.command("discard-letter", {"letter_id": bench.letter_ids()[0], "reason": "a test"})
    await bench.play()
    assert bench.answer(command)[0] == "done"
    assert bench.facts()[2:] == [("d1", "RefusalResolved")]


async def test_an_edge_tells_the_debtor_whom_an_event_names_that_its_handler_failed_on() -> None:
    bench = await Bench(EDGE).ready()
    await bench.play(*bench.added(BROKEN))
    assert bench.letters() == [("ZeroDivisionError in on_amount", "", "d1", "open")]
    assert bench.facts() == [("d1", "EventRefused")]


async def test_an_edge_tells_nobody_of_due_work_that_fails_for_what_is_no_debtor() -> None:
    of_loans = replace(EDGE, layout=replace(KIND.layout, owner="loan_key"))
    bench = await Bench(of_loans).ready()
    await bench.play(*bench.added(1000 + BROKEN, debtor_id="bank/loan-1"))
    await bench.play(bench.record(toy.Day(business_date=TODAY + timedelta(days=1)), ""))
    told = len(bench.facts())
    await bench.play()
    assert bench.letters() == [("ZeroDivisionError in on_amount", "", "", "open")]
    assert bench.facts()[told:] == []


async def test_an_edge_takes_every_record_whatever_its_headers_say() -> None:
    bench = await Bench(EDGE).ready()
    record = bench.record(toy.Added(amount=1), position=Position("a/lane/1", 1, 5))
    turned = await bench.play(record, bench.record(toy.Added(amount=2)))
    assert (bench.applied(), turned.gaps) == ([1, 2], [])
