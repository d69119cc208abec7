"""What anybody may write on a topic: the golden examples, changed in every way that bytes can be; and nonsense."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from services.installed import declared
from services.intake.connectors.cloud_events import STRUCTURED
from shared.contracts import catalogue, core_banking
from shared.contracts.generate import example_of
from shared.messaging.broker import Headers, Lane, Record
from shared.messaging.sequence import LANE_HEADER, WATERMARK_HEADER
from shared.service import ActorKind
from shared.settings import Settings

AT = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
CANARY = "Rumpelstilzchen"
KINDS = {f"{service.name}/{kind.name}": kind for service in declared(Settings.demo({})) for kind in service.actors}
_HOLE = "@hole@"

RAW = [
    *(b"null", b"true", b"0", b"-1", b"1.5", b"-0.0", b"1e999", b"1e-999", b"NaN", b"Infinity", b"{}", b"[]", b'""'),
    *(b"9" * 19, b"9" * 5_000, b"-" + b"9" * 400, b"0." + b"3" * 2_000, b"99999999999999999999e-5"),
    *(b"[" * 900 + b"]" * 900, b'{"a":' * 900 + b"0" + b"}" * 900, b"[" * 5_000),
    *(rb'"\u0000"', rb'"\ud800"', rb'"\udc00\ud800"', b'"\xed\xa0\x80"', b'"\xff"', b'"\xc0\xaf"', rb'"\\u0000"'),
    *(b'"\x00"', b'"\n"', b'"%00"', '"\u202e\u0130\ufeff\U0001f600"'.encode(), b'"' + b"x" * 100_000 + b'"'),
    *(b'0,"type":"x"', b'{"a":0,"a":1}', b'0,"id":null', b'0}{"id":1', b"/*0*/0", b"0 // 0"),
    *(b'"0001-01-01T00:00:00+14:00"', b'"9999-12-31T23:59:59-14:00"', b'"2031-02-30"', b'"2031-05-06T07:08:09"'),
    *(f'"{CANARY}"'.encode(), f'["{CANARY}"]'.encode(), f'{{"{CANARY}":"{CANARY}"}}'.encode()),
]
"""Fragments to be put where a value stands."""

HEADER_NAMES = [
    *("type", LANE_HEADER, WATERMARK_HEADER, "traceparent", "content-type", "x", "", "\x00", CANARY),
    *("ce_specversion", "ce_type", "ce_id", "ce_source", "ce_time", "ce_traceparent", f"ce_{CANARY}"),
]
HEADER_VALUES = [
    *(b"", b"1.0", b"\xff", b"\x00", b"x" * 5_000, CANARY.encode(), STRUCTURED.encode(), b"application/json;\xff"),
    *(b"intake/lane/3 1 1", b"intake/lane/3 1 999999999999999999", b"x" * 5_000 + b"/3 1 1", b"/ / /"),
    *(name.encode() for name in sorted(catalogue.TOPICS[core_banking.TOPIC])),
]


def examples_for(kind: ActorKind) -> list[Record]:
    """The golden examples of all that a kind of actor reads, as they arrive."""
    return [record for topic in kind.inputs for name in catalogue.TOPICS[topic] for record in _arriving(topic, name)]


def _arriving(topic: str, name: str) -> Iterator[Record]:
    value = example_of(name).strip()
    if topic != core_banking.TOPIC:
        yield record(topic, value, (("type", name.encode()), (LANE_HEADER, b"x/lane/3 1 1")))
        return
    yield record(topic, value, (("content-type", STRUCTURED.encode()),))
    event = json.loads(value)
    named = {f"ce_{key}": event[key].encode() for key in ("specversion", "type", "id", "source")}
    yield record(topic, json.dumps(event["data"]).encode(), tuple(named.items()))


def record(topic: str, value: bytes, headers: Headers = (), key: bytes | None = b"d1", offset: int = 0) -> Record:
    """A record of lane 3."""
    return Record(Lane(topic, 3), offset, key, value, headers, AT)


# -- changing one ------------------------------------------------------------------------------------------------


def places(tree: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where a value stands in a tree, the tree itself included."""
    yield at
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in inner:
        yield from places(value, (*at, key))


def with_hole(tree: Any, place: tuple[Any, ...]) -> Any:
    """The tree with a hole at a place."""
    if not place:
        return _HOLE
    key, *rest = place
    if isinstance(tree, dict):
        return {**tree, key: with_hole(tree[key], tuple(rest))}
    return [*tree[:key], with_hole(tree[key], tuple(rest)), *tree[key + 1 :]]


def filled(value: bytes, place: tuple[Any, ...], fragment: bytes) -> bytes:
    """JSON with a fragment in place of a value."""
    return json.dumps(with_hole(json.loads(value), place)).encode().replace(f'"{_HOLE}"'.encode(), fragment)


@st.composite
def with_odd_value(draw: st.DrawFn, value: bytes) -> bytes:
    """JSON in which one value is another."""
    place = draw(st.sampled_from(list(places(json.loads(value)))))
    plain = st.none() | st.integers() | st.floats() | st.text(max_size=20)
    fragment = draw(st.sampled_from(RAW) | st.builds(lambda odd: json.dumps(odd).encode(), plain))
    return filled(value, place, fragment)


@st.composite
def with_odd_bytes(draw: st.DrawFn, value: bytes) -> bytes:
    """Bytes of which some are flipped, cut out, doubled, put in, or written in another encoding."""
    start = draw(st.integers(0, max(len(value) - 1, 0)))
    end = draw(st.integers(start, min(len(value), start + 40)))
    head, part, tail = value[:start], value[start:end], value[end:]
    flips = st.binary(min_size=1, max_size=3).map(lambda odd: head + odd + value[start + len(odd) :])
    return draw(
        st.sampled_from([head, tail, head + tail, head + part + part + tail, b"\xef\xbb\xbf" + value, value + value])
        | flips
        | st.binary(max_size=8).map(lambda odd: head + odd + tail)
        | st.sampled_from(["utf-16", "utf-16-le", "utf-32", "utf-7"]).map(
            lambda name: value.decode("utf-8", "replace").encode(name)
        )
    )


def headers() -> st.SearchStrategy[Headers]:
    """Any headers."""
    names = st.sampled_from(HEADER_NAMES) | st.text(max_size=5)
    values = st.sampled_from(HEADER_VALUES) | st.binary(max_size=30)
    return st.lists(st.tuples(names, values), max_size=6).map(tuple)


@st.composite
def arriving(draw: st.DrawFn, kind: ActorKind) -> Record:
    """A record as anybody may write it where a kind of actor reads."""
    example = draw(st.sampled_from(examples_for(kind)))
    value = draw(
        st.just(example.value)
        | with_odd_value(example.value)
        | with_odd_value(example.value).flatmap(with_odd_bytes)
        | with_odd_bytes(example.value)
        | st.binary(max_size=300)
    )
    kept = draw(st.sampled_from([example.headers, example.headers[1:], ()]))
    more = draw(st.just(()) | headers())
    key = draw(st.none() | st.sampled_from([b"d1", b"\x00", b"\xff", b"k" * 5_000]) | st.binary(max_size=20))
    whole = draw(st.sampled_from([(*kept, *more), (*more, *kept)]))
    return record(example.lane.topic, value, whole, key)
