"""The bytes that the runtime itself keeps: told facts as framed in the outbox, and raw records in dead letters."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from shared.messaging.broker import Headers, Lane, Outgoing, Record
from shared.messaging.sequence import LANE_HEADER, position_begins
from shared.messaging.store import Source, StoredFacts


class FramedFact(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One told fact, as its record will carry it."""

    key: bytes
    type: str
    trace: str
    value: bytes


class RawRecord(msgspec.Struct, frozen=True, gc=False):
    """A record from the log, whole."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes
    headers: Headers
    timestamp: datetime


_encode = msgspec.msgpack.Encoder().encode
_facts = msgspec.msgpack.Decoder(list[FramedFact]).decode
_record = msgspec.msgpack.Decoder(RawRecord).decode


def frame(facts: Sequence[FramedFact]) -> bytes:
    """Frame the facts of one transaction and lane."""
    return _encode(facts)


def chained(head: bytes, source: Source, stored_lane: Lane, seq_from: int, body: bytes) -> bytes:
    """The next head of a lane's hash chain: SHA-256 over the last head, the place and the framed facts."""
    place = f"{source} {stored_lane.topic} {stored_lane.partition} {seq_from} ".encode()
    return hashlib.sha256(head + place + body).digest()


def records_of(source: Source, stored: StoredFacts) -> list[Outgoing]:
    """The records to publish for what was stored: the same bytes every time."""
    begins = position_begins(source, stored.incarnation)
    return [
        Outgoing(fact.key or None, fact.value, _headers(fact, b"%b%d" % (begins, seq)))
        for seq, fact in enumerate(_facts(stored.body), start=stored.seq_from)
    ]


def _headers(fact: FramedFact, position: bytes) -> Headers:
    return ("type", fact.type.encode()), (LANE_HEADER, position), ("traceparent", fact.trace.encode())


def pack_record(record: Record) -> bytes:
    """A record as bytes, for a dead letter or the parking place."""
    lane = record.lane
    return _encode(
        RawRecord(lane.topic, lane.partition, record.offset, record.key, record.value, record.headers, record.timestamp)
    )


def unpack_record(raw: bytes) -> Record:
    """The record that `pack_record` packed."""
    kept = _record(raw)
    lane = Lane(kept.topic, kept.partition)
    return Record(lane, kept.offset, kept.key, kept.value, kept.headers, kept.timestamp)


def pack_due(content: Mapping[str, Any]) -> bytes:
    """A due row as bytes, for a dead letter."""
    return msgspec.json.encode(content)


def unpack_due(raw: bytes) -> dict[str, Any]:
    """The due row that `pack_due` packed, as plain data."""
    return msgspec.json.decode(raw, type=dict[str, Any])
