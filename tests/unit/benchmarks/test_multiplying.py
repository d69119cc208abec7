"""Copies of debtors: each as often as asked for, and each in the lane of its original."""

from collections import Counter

from benchmarks.multiplying import copies_of
from shared.messaging.sharding import shard_of


def test_each_name_gets_its_copies_in_its_own_lane_and_no_name_twice() -> None:
    names = [f"debtor {number}" for number in range(50)]
    copies = copies_of(names, 3)
    assert Counter(original for original, _ in copies) == dict.fromkeys(names, 3)
    assert len({copy for _, copy in copies}) == 150
    assert all(shard_of(original) == shard_of(copy) for original, copy in copies)
