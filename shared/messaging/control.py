"""What actors say to each other outside the numbered facts: "tell me again from here", and "I have told up to here".

Neither is numbered or kept: a request is repeated until it is answered, a watermark is replaced by the next one.
"""

from datetime import datetime
from typing import Annotated

import msgspec

from shared.contracts.reading import UnreadableError, parsed
from shared.messaging.broker import Lane, Outgoing, Record
from shared.messaging.sequence import SOURCE, WATERMARK_HEADER, Position, header, position_header
from shared.service import SHARDS

REEMIT = "control.reemit.v1"
WATERMARK = "control.watermark.v1"


class ReemitRequest(msgspec.Struct, frozen=True):
    """A consumer misses what `source` told on a lane from `from_seq` on, and wants it again to the head."""

    source: Annotated[str, msgspec.Meta(pattern=rf"^{SOURCE}\Z")]
    topic: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{1,249}\Z")]
    partition: Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
    incarnation: Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
    from_seq: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]


class Watermark(msgspec.Struct, frozen=True):
    """Everything that the bank had said by `at` on this source's partition is told up to the header's position.

    `sources` is how many partitions there are in all: a lane knows how fresh it is when it has heard every one.
    """

    at: Annotated[datetime, msgspec.Meta(tz=True)]
    sources: Annotated[int, msgspec.Meta(ge=1, lt=2**31)]


_encode = msgspec.json.Encoder().encode
_decode_request = msgspec.json.Decoder(ReemitRequest).decode
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
    if header(record.headers, "type") != REEMIT:
        return None
    try:
        return parsed(_decode_request, record.value)
    except UnreadableError:
        return None


def watermark_record(position: Position, watermark: Watermark) -> Outgoing:
    """The record that says how far a source has told."""
    headers = (("type", WATERMARK.encode()), position_header(position, WATERMARK_HEADER))
    return Outgoing(None, _encode(watermark), headers)


def watermark_of(record: Record) -> Watermark | None:
    """The watermark in a record, None where it is none that can be read."""
    if header(record.headers, "type") != WATERMARK:
        return None
    try:
        return parsed(_decode_watermark, record.value)
    except UnreadableError:
        return None
