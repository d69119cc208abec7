"""What actors say to each other beside the facts: "tell me again from here", "I have told up to here", "I begin anew".

The first two are neither numbered nor kept: a request is repeated until it is answered, a watermark is replaced by the
next one. The last is a numbered fact, the first of its incarnation.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, TypeVar

import msgspec

from shared.contracts.reading import UnreadableError, parsed
from shared.messaging.broker import Lane, Outgoing, Record
from shared.messaging.frames import FramedFact
from shared.messaging.sequence import SOURCE, WATERMARK_HEADER, Position, header, position_header
from shared.messaging.store import Mark
from shared.service import SHARDS

REEMIT = "control.reemit.v1"
WATERMARK = "control.watermark.v1"
TOLD = "control.told-up-to.v1"
BEGAN = "control.incarnation-began.v1"


class ReemitRequest(msgspec.Struct, frozen=True):
    """A consumer misses what `source` told on a lane from `from_seq` on, and wants it again to the head."""

    source: Annotated[str, msgspec.Meta(pattern=rf"^{SOURCE}\Z")]
    topic: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{1,249}\Z")]
    partition: Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
    incarnation: Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
    from_seq: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]


class Began(msgspec.Struct, frozen=True):
    """The first fact of an incarnation on a lane: up to where its source had told there under the one before."""

    incarnation: Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
    seq: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class Watermark(msgspec.Struct, frozen=True):
    """Everything that the bank had said by `at` on this source's partition is told up to the header's position.

    `sources` is how many partitions there are in all: a lane knows how fresh it is when it has heard every one.
    """

    at: Annotated[datetime, msgspec.Meta(tz=True)]
    sources: Annotated[int, msgspec.Meta(ge=1, lt=2**31)]


Content = TypeVar("Content")

_encode = msgspec.json.Encoder().encode
_decode_request = msgspec.json.Decoder(ReemitRequest).decode
_decode_began = msgspec.json.Decoder(Began).decode
_decode_watermark = msgspec.json.Decoder(Watermark).decode


def control_topic(topic: str) -> str:
    """Where the writers of a topic are asked to tell again."""
    return f"{topic}.control"


def control_lane(topic: str, number: int) -> Lane:
    """The lane on which one actor is asked; actors beyond the number of lanes share it."""
    return Lane(control_topic(topic), number % SHARDS)


def reemit_record(request: ReemitRequest) -> tuple[Lane, Outgoing]:
    """The record that asks a source, and the lane on which it listens."""
    number = int(request.source.rsplit("/", 1)[1])
    return control_lane(request.topic, number), Outgoing(None, _encode(request), (("type", REEMIT.encode()),))


def reemit_request(record: Record) -> ReemitRequest | None:
    """The request in a record, None where it is none that can be read."""
    return _said(record, REEMIT, _decode_request)


def began_fact(former: Mark) -> FramedFact:
    """The fact with which a new incarnation begins on a lane."""
    return FramedFact(b"", BEGAN, "", _encode(Began(*former)))


def told_before(record: Record) -> Mark | None:
    """What a record that begins an incarnation says of the one before, None for any other record."""
    began = _said(record, BEGAN, _decode_began)
    return None if began is None else Mark(began.incarnation, began.seq)


def watermark_record(position: Position, watermark: Watermark) -> Outgoing:
    """The record that says how far a source has told."""
    headers = (("type", WATERMARK.encode()), position_header(position, WATERMARK_HEADER))
    return Outgoing(None, _encode(watermark), headers)


def told_record(position: Position) -> Outgoing:
    """The record that says how far a source has told, and nothing of how fresh that is."""
    return Outgoing(None, b"", (("type", TOLD.encode()), position_header(position, WATERMARK_HEADER)))


def watermark_of(record: Record) -> Watermark | None:
    """The watermark in a record, None where it is none that can be read."""
    return _said(record, WATERMARK, _decode_watermark)


def _said(record: Record, name: str, decode: Callable[[bytes], Content]) -> Content | None:
    if header(record.headers, "type") != name:
        return None
    try:
        return parsed(decode, record.value)
    except UnreadableError:
        return None
