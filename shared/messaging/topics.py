"""The one check on topics that every adapter makes."""

from collections.abc import Mapping, Sequence

from shared.messaging.broker import PartitionMismatchError, TopicSpec


def refuse_mismatch(topics: Sequence[TopicSpec], found: Mapping[str, int]) -> None:
    """Raise PartitionMismatchError where a topic that exists has not the number of partitions it must have."""
    for spec in topics:
        have = found.get(spec.name)
        if have is not None and spec.partitions is not None and have != spec.partitions:
            message = f"topic {spec.name} has {have} partitions and must have {spec.partitions}: nothing starts on it"
            raise PartitionMismatchError(message)
