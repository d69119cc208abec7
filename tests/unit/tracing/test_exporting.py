"""What goes to the collector, and that nothing waits for it."""

import asyncio
import time
from collections.abc import Callable

import httpx
import pytest
from structlog.testing import capture_logs

from shared.observability import metrics
from shared.tracing.exporting import AT_ONCE, MOST_WAITING, Exporter, exporting
from tests.unit.tracing.collector import Collector, Seen, spans

ADDRESS = "https://collector.example:4318/otlp"


def exporter(collector: Collector, *, every: float = 0.001) -> Exporter:
    return Exporter(ADDRESS, 1.0, patience=0.05, every=every, transport=collector)


def counted(service: str, outcome: str) -> float:
    value: float = metrics.TRACE_SPANS.labels(service, outcome)._value.get()
    return value


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110  # a metric tells nobody that it has changed
            await asyncio.sleep(0.001)


async def test_spans_are_sent_in_the_form_of_otlp_under_their_services() -> None:
    collector = Collector()
    async with exporting(chosen := exporter(collector)):
        for span in [*spans(2), *spans(1, "legal")]:
            chosen.put(span)
        await until(lambda: len(collector.seen) == 3)
    assert [str(each.url) for each in collector.asked] == [f"{ADDRESS}/v1/traces"]
    assert collector.asked[0].headers["content-type"] == "application/json"
    assert collector.seen[1] == Seen("fairdue-intake", 5, "t", f"{1:032x}", f"{2:016x}", "", 2.0, {"a": "b", "n": 1}, 0)
    assert [each.service for each in collector.seen] == ["fairdue-intake", "fairdue-intake", "fairdue-legal"]


async def test_what_waits_at_the_end_is_sent() -> None:
    collector, before = Collector(), counted("at the end", "sent")
    async with exporting(chosen := exporter(collector, every=60)):
        for span in spans(AT_ONCE + 1, "at the end"):
            chosen.put(span)
    assert [len(each) for each in (collector.asked, collector.seen)] == [2, AT_ONCE + 1]
    assert counted("at the end", "sent") - before == AT_ONCE + 1


async def test_without_an_exporter_nothing_runs() -> None:
    before = asyncio.all_tasks()
    async with exporting(None):
        assert asyncio.all_tasks() == before


async def test_a_collector_that_hangs_loses_spans_and_stops_nobody() -> None:
    collector, name = Collector(["hangs"] * 1_000), "hangs"
    chosen = exporter(collector)
    async with exporting(chosen):
        chosen.put(spans(1, name)[0])
        await until(lambda: counted(name, "lost") == 1)
        began = time.perf_counter()
        for span in spans(3 * MOST_WAITING, name):
            chosen.put(span)
        assert time.perf_counter() - began < 5
        assert len(chosen._waiting) == MOST_WAITING
        ending = time.perf_counter()
    assert time.perf_counter() - ending < 5
    assert counted(name, "lost") == 1 + 3 * MOST_WAITING
    assert counted(name, "sent") == 0


@pytest.mark.parametrize("away", [503, 400, httpx.ConnectError("refused"), RuntimeError("whatever it is")])
async def test_a_collector_that_is_away_is_said_once_and_asked_again(away: int | Exception) -> None:
    collector, service = Collector([away, away]), f"away {away}"
    with capture_logs() as logs:
        async with exporting(chosen := exporter(collector)):
            for lost in (1, 2):
                chosen.put(spans(1, service)[0])
                await until(lambda lost=lost: counted(service, "lost") == lost)  # type: ignore[misc]
            chosen.put(spans(1, service)[0])
            await until(lambda: counted(service, "sent") == 1)
    assert [each["event"] for each in logs] == ["traces_are_lost", "traces_are_sent_again"]
    assert "refused" not in str(logs)
    assert len(collector.seen) == 1


def test_what_is_taken_follows_from_the_trace_alone() -> None:
    half = Exporter(ADDRESS, 0.5)
    assert half.takes("f" * 16 + "0" * 16)
    assert not half.takes("0" * 16 + "f" * 16)
