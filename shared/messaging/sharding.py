"""Which shard a debtor belongs to: debtors in the order of their ids are in the order of their shards.

A turn takes records of a few lanes, and looks everything up by the debtors' ids. With shards in the order of ids, the
rows that it touches lie side by side in every index, not one on each of its pages (docs/decisions/0061).

    shard_of("0f3a…")   # 1: the first five bits of a pseudonym, which is as good as drawn by chance
    shard_of("d1")      # anything else: as Kafka's own partitioner has it
"""

from typing import Final

from shared.messaging.partitioner import partition_of
from shared.service import SHARDS

_PSEUDONYM: Final = 32
_OF_DIGITS: Final = {f"{byte:02x}": byte * SHARDS >> 8 for byte in range(256)}


def shard_of(owner: str) -> int:
    """The shard, from 0, of a debtor, which is the number of its lane and of that lane's partition."""
    shard = _OF_DIGITS.get(owner[:2]) if len(owner) == _PSEUDONYM else None
    return partition_of(owner.encode(), SHARDS) if shard is None else shard
