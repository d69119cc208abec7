"""The spans of a turn: what was applied, under what told it, and never what it says."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from shared.contracts import catalogue
from shared.contracts.envelope import derived_id
from shared.messaging.broker import Record
from shared.messaging.frames import records_of
from shared.messaging.turn import Turned
from shared.tracing.applied import AppliedSpans
from shared.tracing.exporting import Exporter
from shared.tracing.identity import context_of
from shared.tracing.spans import Span
from tests.e2e.canaries import CANARIES, seen
from tests.unit.messaging import toy
from tests.unit.messaging.toy import NOW, Added, Bench, Greeted

ROOT = derived_id("from the bank", 0)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
async def bench() -> Bench:
    return await Bench().ready()


def record(bench: Bench, data: Any, event_id: str, trace: str = "", debtor_id: str = "d1") -> Record:
    """A record whose event has an id and a trace of its own."""
    told = bench.record(data, debtor_id)
    content = msgspec.json.decode(told.value)
    return msgspec.structs.replace(told, value=msgspec.json.encode({**content, "id": event_id, "trace": trace}))


def spans_of(turned: Turned, ratio: float = 1.0) -> list[Span]:
    exporter = Exporter("http://127.0.0.1:1", ratio)
    AppliedSpans(exporter, "toy", "lane").applied(turned.applied, NOW, 0.5)
    return list(exporter._waiting)


async def test_each_applied_event_has_a_span_of_the_turn_under_the_one_that_told_it(bench: Bench) -> None:
    turned = await bench.play(
        record(bench, Added(amount=1), ROOT, TRACE), record(bench, Greeted(name="x"), "b" * 32, debtor_id="")
    )
    first, second = spans_of(turned)
    assert (first.service, first.name, first.trace, first.parent) == ("toy", "toy.added", TRACE[3:35], TRACE[36:52])
    assert (first.ended - first.began, first.ended) == (500_000_000, int(NOW.timestamp()) * 10**9)
    assert first.attributes == {
        "fairdue.event_id": ROOT, "fairdue.lender": "bank", "fairdue.actor": "lane", "fairdue.lane": "toy.in/3",
        "fairdue.shard": 3, "fairdue.case_version": 0,
    }  # fmt: skip
    assert (second.trace, second.parent) == ("b" * 32, "")


async def test_what_an_application_tells_has_its_span_as_parent(bench: Bench) -> None:
    turned = await bench.play(
        record(bench, Added(amount=1), ROOT), record(bench, Greeted(name="x"), "b" * 32, TRACE, "")
    )
    told = [catalogue.decode(each.value) for stored in turned.facts for each in records_of("toy/lane/3", stored)]
    assert [context_of(each) for each in told if each] == [(span.trace, span.span) for span in spans_of(turned)]


async def test_what_is_buried_or_parked_or_passed_over_has_no_span(bench: Bench) -> None:
    bad, later = record(bench, Added(amount=-1), ROOT), record(bench, Added(amount=2), "b" * 32)
    unknown = msgspec.structs.replace(bench.record(Added(amount=1)), headers=(("type", b"toy.later"),))
    turned = await bench.play(bad, later, unknown)
    assert (turned.counts["buried"], turned.counts["parked"], turned.counts["applied"]) == (1, 1, 0)
    assert spans_of(turned) == []


async def test_commands_and_due_work_have_spans_too(bench: Bench) -> None:
    bench.command("add", toy.Add(amount=2000))
    (command,) = (await bench.play()).applied
    (due,) = (await bench.play()).applied
    assert command.event is not None
    assert due.event is not None
    turned = replace(
        bench.turned[0],
        applied=[msgspec.structs.replace(command, event=msgspec.structs.replace(command.event, id=ROOT)), due],
    )
    assert [(span.name, span.attributes["fairdue.lane"]) for span in spans_of(turned)] == [
        ("command:add", "command"), ("due:rings", "due")
    ]  # fmt: skip


@pytest.mark.parametrize("ratio", [0.0, 0.3, 1.0])
async def test_every_service_chooses_the_same_traces(bench: Bench, ratio: float) -> None:
    ids = [derived_id("chosen", n) for n in range(200)]
    turned = await bench.play(*(record(bench, Added(amount=1), each) for each in ids))
    chosen = {span.trace for span in spans_of(turned, ratio)}
    assert chosen == {each for each in ids if Exporter("", ratio).takes(each)}
    assert len(chosen) == pytest.approx(200 * ratio, abs=40 * (0 < ratio < 1))


async def test_who_the_debtor_is_and_what_was_said_is_in_no_span(bench: Bench) -> None:
    told = [record(bench, Greeted(name=text), derived_id(text, 0), debtor_id="") for text in CANARIES.values()]
    told += [record(bench, Added(amount=1), derived_id(text, 1), debtor_id=text) for text in CANARIES.values()]
    spans = spans_of(await bench.play(*told))
    assert len(spans) == 2 * len(CANARIES)
    assert seen(repr(spans).encode()) == set()
    assert seen(b"".join(each.value for each in told)) == set(CANARIES)
