"""Which trace and which span: the same for everybody who computes it."""

import re
from typing import Any

import pytest

from shared.contracts.envelope import Event, derived_id
from shared.tracing.identity import TRACEPARENT, below, caller_of, context_of, onward, salt_of, span_of
from tests.unit.messaging.toy import NOW, Added

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OWN = derived_id("a bank's event", 0)


def event(event_id: str = OWN, trace: str = "") -> Event[Any]:
    return Event(
        id=event_id, type="t", lender_id="bank", occurred_at=NOW, recorded_at=NOW, trace=trace, data=Added(amount=1)
    )


@pytest.mark.parametrize(
    ("heard", "context"),
    [
        pytest.param(event(trace=TRACE), ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"), id="it is told"),
        pytest.param(event(), (OWN, ""), id="an event without one is the root of a trace of its own"),
        pytest.param(event("event 1"), ("", ""), id="an id that is none of ours names no trace"),
        pytest.param(event("0" * 32), ("", ""), id="nor does nothing"),
        pytest.param(event(trace=TRACE.upper()), ("", ""), id="a malformed one is left alone"),
        pytest.param(event(trace=TRACE + "x"), ("", ""), id="and one that goes on"),
    ],
)
def test_the_trace_of_an_event_and_the_span_that_told_it(heard: Event[Any], context: tuple[str, str]) -> None:
    assert context_of(heard) == context


@pytest.mark.parametrize("trace", ["", TRACE, TRACE[:-2] + "00"])
def test_what_is_told_names_the_span_that_told_it_and_keeps_trace_and_flags(trace: str) -> None:
    cause = event(trace=trace)
    span = span_of(salt_of("intake/lane"), cause.id)
    told = event(derived_id(cause.id, 0), onward(cause, span))
    assert TRACEPARENT.fullmatch(told.trace)
    assert context_of(told) == (context_of(cause)[0], span)
    assert told.trace[-2:] == (trace[-2:] or "01")


def test_each_actor_has_a_span_of_its_own_for_one_event_and_each_event_one_of_its_own() -> None:
    actors = ["intake/lane", "intake/profiles", "legal/lane", "analytics/lane"]
    ids = [*(derived_id("x", n) for n in range(100)), "event-1", "event-2", "-1", ""]
    spans = [span_of(salt_of(actor), each) for actor in actors for each in ids]
    assert len(set(spans)) == len(spans)
    assert all(re.fullmatch("[0-9a-f]{16}", span) for span in spans)
    assert spans == [span_of(salt_of(actor), each) for actor in actors for each in ids]


def test_a_span_has_the_id_that_it_has_always_had() -> None:
    """Processes of two versions run beside each other during a deploy: a change of this breaks their traces apart."""
    assert span_of(salt_of("outreach/lane"), "0123456789abcdef" * 2) == "889e08dd57529c39"


@pytest.mark.parametrize("ratio", [0.0, 0.01, 0.5, 1.0])
def test_so_many_traces_are_below_the_bound(ratio: float) -> None:
    taken = sum(derived_id("trace", n)[16:] < below(ratio) for n in range(20_000)) / 20_000
    assert abs(taken - ratio) <= 0.01 * (0 < ratio < 1)


def test_the_ends_of_the_ratio_are_all_and_none() -> None:
    assert below(1.0) > "f" * 16
    assert below(1 - 1e-12) <= "f" * 16
    assert below(0.0) <= "0" * 16


@pytest.mark.parametrize(("sent", "span"), [(TRACE, "b7ad6b7169203331"), (None, ""), ("00-1-2-3", ""), ("", "")])
def test_the_span_of_a_caller(sent: str | None, span: str) -> None:
    assert caller_of(sent) == span
