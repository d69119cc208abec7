"""The partitioner agrees with Kafka's, on published values and on keys of every kind."""

import pytest
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import example, given
from hypothesis import strategies as st

from shared.messaging.partitioner import murmur2, partition_of

# Signed 32-bit values of Apache Kafka's own test, UtilsTest.testMurmur2.
PUBLISHED = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize("data", PUBLISHED, ids=lambda data: f"{data.decode()} hashes as in Kafka's own test")
def test_published_values(data: bytes) -> None:
    assert murmur2(data) == PUBLISHED[data] % 2**32


@given(st.binary(), st.integers(1, 4096))
@example(b"", 32)
@example("ключ".encode(), 7)
def test_a_kafka_client_finds_the_same_partition(key: bytes, partitions: int) -> None:
    theirs = DefaultPartitioner()(key, list(range(partitions)), [])
    assert partition_of(key, partitions) == theirs
