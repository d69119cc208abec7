"""Which partition a key belongs to: Kafka's own partitioner, so that any Kafka client agrees with us.

It is for topics that others write too; what lies on our own lanes is a matter of `sharding.py`.
"""

import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from shared.messaging.broker import Lane, Outgoing

_SEED: Final = 0x9747B28C
_MULTIPLIER: Final = 0x5BD1E995
_MASK: Final = 0xFFFFFFFF


def partition_of(key: bytes, partitions: int) -> int:
    """The partition, from 0, that Kafka's default partitioner gives the key."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def spread(
    records: Iterable[Outgoing], topic: str, partitions: int, unkeyed: Iterator[int]
) -> Mapping[Lane, Sequence[Outgoing]]:
    """Records by the partition of their key, in order; what has no key takes its turn by the next number."""
    lanes: dict[Lane, list[Outgoing]] = defaultdict(list)
    for record in records:
        key = record.key
        number = next(unkeyed) % partitions if key is None else partition_of(key, partitions)
        lanes[Lane(topic, number)].append(record)
    return lanes


def murmur2(data: bytes) -> int:
    """MurmurHash2 of 32 bits with Kafka's seed, unsigned. Source: org.apache.kafka.common.utils.Utils.murmur2."""
    words = len(data) & ~3
    mixed = _SEED ^ len(data)
    for (word,) in struct.iter_unpack("<I", data[:words]):
        block = word * _MULTIPLIER & _MASK
        block ^= block >> 24
        mixed = mixed * _MULTIPLIER & _MASK ^ block * _MULTIPLIER & _MASK
    if len(data) > words:
        mixed = (mixed ^ int.from_bytes(data[words:], "little")) * _MULTIPLIER & _MASK
    mixed ^= mixed >> 13
    mixed = mixed * _MULTIPLIER & _MASK
    return mixed ^ mixed >> 15
