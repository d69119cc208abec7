"""Which partition a key belongs to: Kafka's own partitioner, so that any Kafka client agrees with us."""

import struct
from functools import lru_cache
from typing import Final

_SEED: Final = 0x9747B28C
_MULTIPLIER: Final = 0x5BD1E995
_MASK: Final = 0xFFFFFFFF
_REMEMBERED_KEYS: Final = 1 << 17


@lru_cache(maxsize=_REMEMBERED_KEYS)
def partition_of(key: str, partitions: int = 32) -> int:
    """The partition, from 0, that Kafka's default partitioner gives the key's UTF-8 bytes."""
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions


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
