"""How the embedded log packs an appended batch into rows, and takes the records out of a row again."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import cramjam
import msgspec

from shared.messaging.broker import Headers, Lane, OffsetGoneError, Outgoing, Record

_CUT: Final = 1_000

_Row = tuple[bytes | None, bytes, Headers]
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[_Row]).decode

_COMPRESSED_FROM: Final = 1_500
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"  # never the start of a list in msgpack


def rows_of(lane: Lane, first: int, batch: Sequence[Outgoing]) -> Iterator[tuple[str, int, int, int, bytes]]:
    """The rows that hold a batch whose first record gets offset `first`: topic, partition, last offset, count, body."""
    for start in range(0, len(batch), _CUT):
        part = [(record.key, record.value, record.headers) for record in batch[start : start + _CUT]]
        yield lane.topic, lane.partition, first + start + len(part) - 1, len(part), _pack(part)


def records_of(lane: Lane, position: int, row: Any) -> Iterator[Record]:
    """What a row holds from offset `position` on. Raises OffsetGoneError where it begins later."""
    first = row["last_offset"] - row["n"] + 1
    if first > position:
        raise OffsetGoneError(lane, position, first, row["last_offset"] + 1)
    at = row["appended_at"]
    for number, (key, value, headers) in enumerate(_unpack(row["body"])[position - first :], position):
        yield Record(lane, number, key, value, headers, at)


def _pack(part: Sequence[_Row]) -> bytes:
    body = _encode(part)
    return bytes(cramjam.zstd.compress(body, 1)) if len(body) > _COMPRESSED_FROM else body


def _unpack(body: bytes) -> list[_Row]:
    return _decode(cramjam.zstd.decompress(body) if body.startswith(_ZSTD_MAGIC) else body)
