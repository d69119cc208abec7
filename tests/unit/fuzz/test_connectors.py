"""Whatever a core system sends: events that ingress takes, or refusals that show no value. Never an exception."""

import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.intake.connectors.sending import Refused, Sent
from tests.unit.fuzz.anything import with_odd_bytes
from tests.unit.fuzz.connecting import CONNECTORS, check

EVERY_CONNECTOR = pytest.mark.parametrize("name", sorted(CONNECTORS))
HUGE = 30_000_000


@EVERY_CONNECTOR
def test_every_example_is_read(name: str) -> None:
    for example in CONNECTORS[name].examples:
        outcomes = check(CONNECTORS[name], example)
        assert any(isinstance(outcome, Sent) for outcome in outcomes)
        assert not [outcome for outcome in outcomes if isinstance(outcome, Refused)]


@EVERY_CONNECTOR
@settings(max_examples=300)
@given(data=st.data())
def test_any_bytes_give_events_or_refusals(name: str, data: st.DataObject) -> None:
    example = data.draw(st.sampled_from(CONNECTORS[name].examples))
    check(CONNECTORS[name], data.draw(with_odd_bytes(example).flatmap(with_odd_bytes) | with_odd_bytes(example)))


@EVERY_CONNECTOR
@settings(max_examples=200)
@given(noise=st.binary(max_size=300))
def test_noise_gives_no_event(name: str, noise: bytes) -> None:
    assert not any(isinstance(outcome, Sent) for outcome in check(CONNECTORS[name], noise))


@EVERY_CONNECTOR
@pytest.mark.parametrize("filler", [b"\0", b"\xff", b"[", b"<a>", b'{"a":', b"9", b"\n"], ids=repr)
def test_a_hostile_input_is_read_in_little_time_and_memory(name: str, filler: bytes) -> None:
    connector = CONNECTORS[name]
    begun = connector.examples[0][: len(connector.examples[0]) // 2]
    inputs = [head + filler * (size // len(filler)) for head in (b"", begun) for size in (1 << 20, HUGE)]
    tracemalloc.start()
    try:
        started = time.process_time()
        for data in inputs:
            check(connector, data[: 1 << 20])
            check(connector, data)
        seconds = time.process_time() - started
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 60_000_000
    assert seconds < 20
