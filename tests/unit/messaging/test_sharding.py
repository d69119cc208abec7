"""Debtors in the order of their ids are in the order of their shards, and no shard is heavier than chance has it."""

import hashlib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.messaging.partitioner import partition_of
from shared.messaging.sharding import shard_of
from shared.service import SHARDS
from shared.vault import Vault

pseudonyms = st.binary(min_size=16, max_size=16).map(bytes.hex)


@given(pseudonyms, pseudonyms)
def test_who_comes_later_by_name_is_in_no_earlier_shard(one: str, other: str) -> None:
    first, second = sorted((one, other))
    assert shard_of(first) <= shard_of(second)


@pytest.mark.parametrize(
    ("owner", "shard"),
    [
        ("00" * 16, 0),
        ("07" + "f" * 30, 0),
        ("08" + "0" * 30, 1),
        ("0f" + "3" * 30, 1),
        ("f7" + "f" * 30, 30),
        ("f8" + "0" * 30, 31),
        ("ff" * 16, 31),
    ],
)
def test_five_bits_of_a_pseudonym_say_its_shard(owner: str, shard: int) -> None:
    assert shard_of(owner) == shard


@given(st.text().filter(lambda name: len(name) != 32))
def test_any_other_name_is_where_kafka_would_put_it(owner: str) -> None:
    assert shard_of(owner) == partition_of(owner.encode(), SHARDS)


@given(st.text(min_size=32, max_size=32))
def test_every_name_has_a_shard(owner: str) -> None:
    assert 0 <= shard_of(owner) < SHARDS


def test_a_vaults_pseudonyms_fill_all_shards_alike() -> None:
    vault = Vault(hashlib.sha256(b"any key").digest())
    counted = Counter(shard_of(vault.pseudonym("demo-bank", f"party-{number}")) for number in range(32_000))
    assert set(counted) == set(range(SHARDS))
    assert max(counted.values()) < 1_200, "a thousand each; 1,200 is beyond six standard deviations"
