"""Whatever bytes stand on a topic: an event, nothing, or a refusal that shows no value. Never another exception."""

import contextlib

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.messaging import control, frames
from shared.messaging.broker import Record
from shared.messaging.control import REEMIT, WATERMARK, ReemitRequest, Watermark
from shared.messaging.sequence import LANE_HEADER, Position
from shared.service import Rejected, decode_fact
from tests.unit.fuzz.anything import (
    AT,
    CANARY,
    KINDS,
    RAW,
    arriving,
    examples_for,
    filled,
    headers,
    places,
    record,
    with_odd_bytes,
    with_odd_value,
)
from tests.unit.fuzz.reading import check_decoding, check_input, check_transport

EVERY_KIND = pytest.mark.parametrize("name", sorted(KINDS))


@EVERY_KIND
def test_every_golden_example_is_read(name: str) -> None:
    kind = KINDS[name]
    found = [check_decoding(kind, each) for each in examples_for(kind)]
    assert [each for each in found if isinstance(each, Rejected)] == []
    assert any(each is not None for each in found)


@EVERY_KIND
@settings(max_examples=300)
@given(data=st.data())
def test_any_bytes_give_an_event_or_a_refusal(name: str, data: st.DataObject) -> None:
    kind = KINDS[name]
    arrived = data.draw(arriving(kind))
    check_decoding(kind, arrived)
    check_input(kind, arrived)
    check_transport(arrived)


@EVERY_KIND
def test_no_refusal_shows_what_stood_in_place_of_any_value(name: str) -> None:
    kind = KINDS[name]
    refused = 0
    for each in examples_for(kind):
        for place in places(msgspec.json.decode(each.value)):
            for fragment in (f'"{CANARY}"', f'["{CANARY}"]', f'{{"{CANARY}":"{CANARY}"}}'):
                value = filled(each.value, place, fragment.encode())
                found = check_decoding(kind, record(each.lane.topic, value, each.headers))
                refused += isinstance(found, Rejected)
    assert refused > 20


@EVERY_KIND
def test_any_fragment_in_place_of_any_value_gives_an_event_or_a_refusal(name: str) -> None:
    kind = KINDS[name]
    for each in examples_for(kind)[::3]:
        for place in places(msgspec.json.decode(each.value)):
            for fragment in RAW:
                check_input(kind, record(each.lane.topic, filled(each.value, place, fragment), each.headers))


# -- what an envelope must keep ----------------------------------------------------------------------------------

ENDED = next(each for each in examples_for(KINDS["segmentation/lane"]) if b"step-ended" in each.value)


@pytest.mark.parametrize(
    ("field", "fragment", "reason"),
    [
        ("id", rb'"a\u0000b"', "a text holds a NUL character"),
        ("id", b'"' + b"x" * 513 + b'"', "is longer than 512 characters"),
        ("debtor_id", b'"' + b"x" * 513 + b'"', "is longer than 512 characters"),
        ("case_version", b"-1", "is no number of a version"),
        ("case_version", b"9" * 30, "is no number of a version"),
        ("occurred_at", b'"2031-05-06T07:08:09"', "has no offset"),
        ("recorded_at", b'"0001-01-01T00:00:00+14:00"', "lies outside the years 1970 to 2199"),
        ("occurred_at", b'"' + CANARY.encode() + b'"', "Invalid RFC3339 encoded datetime"),
    ],
)
def test_an_envelope_with_which_nothing_could_be_kept_is_refused(field: str, fragment: bytes, reason: str) -> None:
    with pytest.raises(Rejected) as refusal:
        decode_fact(record("outreach.events", filled(ENDED.value, (field,), fragment), ENDED.headers))
    assert refusal.value.reason == reason
    assert refusal.value.field in {field, ""}


def test_a_value_that_no_enumeration_has_is_not_repeated() -> None:
    value = filled(ENDED.value, ("data", "channel"), f'"{CANARY}"'.encode())
    with pytest.raises(Rejected, match="^data.channel: is not one of the known values$"):
        decode_fact(record("outreach.events", value, ENDED.headers))


def test_a_type_that_is_no_text_is_refused_and_one_that_is_empty_is_looked_for_in_the_event() -> None:
    with pytest.raises(Rejected, match="^type: is not UTF-8$"):
        decode_fact(record("outreach.events", ENDED.value, (("type", b"\xff"),)))
    assert decode_fact(record("outreach.events", ENDED.value, (("type", b""),))) == decode_fact(ENDED)


def test_the_key_of_an_unreadable_record_names_its_debtor_within_but_not_at_the_edge() -> None:
    owners = {
        name: check_input(kind, record(kind.inputs[0], b"{", _typed(kind.inputs[0]), b"d1"))
        for name, kind in KINDS.items()
        if name in {"intake/ingress", "legal/lane"}
    }
    assert {name: item.owner for name, item in owners.items() if item} == {"intake/ingress": "", "legal/lane": "d1"}


def _typed(topic: str) -> tuple[tuple[str, bytes], ...]:
    return next(each.headers for kind in KINDS.values() for each in examples_for(kind) if each.lane.topic == topic)


# -- what the runtime itself writes ------------------------------------------------------------------------------

REQUEST = control.reemit_record(ReemitRequest("intake/lane/3", "intake.events", 3, 1, 7))[1]
FRESH = control.watermark_record(Position("intake/lane/3", 1, 7), Watermark(AT, 7))


@settings(max_examples=500)
@given(data=st.data(), written=st.sampled_from([REQUEST, FRESH]), more=headers())
def test_what_actors_say_to_each_other_is_read_or_ignored(data: st.DataObject, written: Record, more: tuple) -> None:  # type: ignore[type-arg]
    value = data.draw(with_odd_value(written.value) | with_odd_bytes(written.value) | st.binary(max_size=100))
    check_transport(record("intake.events.control", value, (*written.headers, *more)))
    check_transport(record("intake.events.control", value, (*more, *written.headers)))


@pytest.mark.parametrize(
    "source", ["intake/lane/x", "intake/lane/", "intake/lane/-1", "intake/lane/٣", "a b/3", "x" * 300 + "/3"]
)
def test_a_request_of_a_source_that_is_none_is_ignored(source: str) -> None:
    value = filled(REQUEST.value, ("source",), msgspec.json.encode(source))
    assert control.reemit_request(record("c", value, (("type", REEMIT.encode()),))) is None


def test_a_watermark_without_an_offset_is_ignored() -> None:
    value = filled(FRESH.value, ("at",), b'"2031-05-06T07:08:09"')
    assert control.watermark_of(record("c", value, (("type", WATERMARK.encode()),))) is None


@given(st.binary(max_size=60) | st.sampled_from([b"x" * 201 + b"/3 1 1", b"x" * 5_000_000 + b"/3 1 1"]))
@example(b"x" * 200 + b"/3 1 1")
def test_any_position_is_read_or_none(value: bytes) -> None:
    check_transport(record("any", b"", ((LANE_HEADER, value),)))


@settings(max_examples=500)
@given(st.data())
def test_a_kept_record_is_unpacked_whole_or_refused_by_the_decoder_alone(data: st.DataObject) -> None:
    kept = record("any", b"value", (("type", b"x"), ("y", b"\xff")))
    assert frames.unpack_record(frames.pack_record(kept)) == kept
    changed = data.draw(with_odd_bytes(frames.pack_record(kept)) | st.binary(max_size=100))
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        frames.unpack_record(changed)
