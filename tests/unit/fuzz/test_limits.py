"""What bytes cost: time and memory in proportion to their number, whatever they spell."""

import json
import time
import tracemalloc
from collections.abc import Callable

import pytest

from services.intake.connectors.cloud_events import MAX_BYTES, STRUCTURED
from shared.messaging import frames
from shared.service import Rejected
from tests.unit.fuzz.anything import CANARY, KINDS, examples_for, filled, places, record
from tests.unit.fuzz.reading import check_decoding, check_input, check_transport

SIZE = MAX_BYTES - 50_000
SECONDS = 2.0
"""Most of these take a few milliseconds; one that is quadratic takes minutes."""

TIMES_ITS_SIZE = 24

HOSTILE: dict[str, bytes] = {
    "brackets without end": b"[" * SIZE,
    "brackets that close": b"[" * (SIZE // 2) + b"]" * (SIZE // 2),
    "objects in objects": b'{"a":' * (SIZE // 6) + b"1" + b"}" * (SIZE // 6),
    "one number": b"9" * SIZE,
    "one fraction": b"0." + b"1" * SIZE,
    "one exponent": b"1e" + b"9" * SIZE,
    "one text": b'"' + b"x" * SIZE + b'"',
    "one text of escapes": b'"' + rb"\u0041" * (SIZE // 6) + b'"',
    "one text of surrogates": b'"' + rb"\ud83d\ude00" * (SIZE // 12) + b'"',
    "one text of NUL": b'"' + rb"\u0000" * (SIZE // 6) + b'"',
    "one text of backslashes": b'"' + rb"\\" * (SIZE // 2) + b'"',
    "backslashes before a NUL": b'"' + (b"\\" * 51 + b"u0000") * (SIZE // 56) + b'"',
    "many objects": b"[" + b"{}," * (SIZE // 3) + b"{}]",
    "many numbers": b"[" + b"1," * (SIZE // 2) + b"1]",
    "many texts": b"[" + b'"",' * (SIZE // 3) + b'""]',
    "many keys": b"{" + b",".join(b'"%d":"x"' % number for number in range(SIZE // 14)) + b"}",
    "one key again and again": b"{" + b'"id":1,' * (SIZE // 7) + b'"id":1}',
    "blanks": b" " * SIZE + b"1",
    "a canary": b'"' + CANARY.encode() * (SIZE // 16) + b'"',
}
WIDEST = (("data", "explanation", "inputs"), ("data", "steps"), ("data", "strategy", "stages"))
EVERY_KIND = pytest.mark.parametrize("name", sorted(KINDS))


def bounded(size: int, work: Callable[[], object]) -> None:
    """Do something within the limits of time and memory for so many bytes."""
    tracemalloc.start()
    try:
        started = time.process_time()
        work()
        seconds = time.process_time() - started
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert seconds < SECONDS
    assert peak < TIMES_ITS_SIZE * size


@EVERY_KIND
@pytest.mark.parametrize("fragment", HOSTILE.values(), ids=HOSTILE)
def test_a_large_value_costs_in_proportion(name: str, fragment: bytes) -> None:
    kind = KINDS[name]
    largest = max(examples_for(kind), key=lambda each: len(each.value))
    for place in [(), ("data",), ("unknown",), *_widest(largest.value)]:
        value = (
            filled(largest.value, place, fragment) if place != ("unknown",) else _with_unknown(largest.value, fragment)
        )
        arrived = record(largest.lane.topic, value, largest.headers)
        bounded(len(value), lambda arrived=arrived: check_decoding(kind, arrived))  # type: ignore[misc]


def _widest(value: bytes) -> list[tuple[str, ...]]:
    """Where examples have lists and maps of their own."""
    known = set(places(json.loads(value)))
    return [place for place in WIDEST if place in known]


def _with_unknown(value: bytes, fragment: bytes) -> bytes:
    return value.rstrip()[:-1] + b',"unknown":' + fragment + b"}"


@pytest.mark.parametrize("fragment", HOSTILE.values(), ids=HOSTILE)
def test_large_control_records_and_headers_cost_in_proportion(fragment: bytes) -> None:
    headers = [
        (("type", name), ("lane", fragment), ("told-up-to", fragment))
        for name in (b"control.reemit.v1", b"control.watermark.v1")
    ]
    for each in headers:
        bounded(len(fragment), lambda each=each: check_transport(record("c", fragment, each)))  # type: ignore[misc]


def test_an_event_of_the_bank_that_is_too_large_is_refused_before_it_is_read() -> None:
    value = b'{"x":' + b" " * MAX_BYTES
    refused = check_input(KINDS["intake/ingress"], record("core-banking.loan-events.v1", value))
    assert refused is not None
    assert refused.refused is not None
    assert refused.refused.field == "data"


def test_base64_inside_of_an_event_is_bounded_by_the_event() -> None:
    value = b'{"specversion":"1.0","id":"1","source":"/","type":"core-banking.loan-closed.v1","data_base64":"%s"}'
    whole = value % (b"W1tb" * (SIZE // 4))
    arrived = record("core-banking.loan-events.v1", whole, (("content-type", STRUCTURED.encode()),))
    bounded(len(whole), lambda: check_decoding(KINDS["intake/ingress"], arrived))
    assert isinstance(check_decoding(KINDS["intake/ingress"], arrived), Rejected)


@pytest.mark.parametrize(
    "claim",
    [b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\x81\xa5value\xc6\xff\xff\xff\xff", b"\x91" * 1_000_000],
    ids=["an array", "a map", "bytes", "arrays in arrays"],
)
def test_kept_bytes_that_claim_to_be_endless_take_no_memory_for_it(claim: bytes) -> None:
    def unpack() -> None:
        for unpacked in (frames.unpack_record, frames._facts):
            with pytest.raises((ValueError, RecursionError)):
                unpacked(claim)

    bounded(100_000, unpack)
