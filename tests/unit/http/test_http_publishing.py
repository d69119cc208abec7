"""Appending to the public topic: in order, acknowledged, and with a new writer after an error."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from shared.http import tracing
from shared.http.problems import Problem
from shared.http.publishing import writer_on_public_topic
from shared.messaging.broker import BrokerUnavailableError, Lane, Outgoing
from shared.messaging.partitioner import partition_of

TOPIC = "core-banking.loan-events.v1"


@dataclass
class Paper:
    """A broker on paper: it keeps what is appended, and fails when told."""

    kept: dict[Lane, list[Outgoing]] = field(default_factory=dict)
    writers: int = 0
    closed: int = 0
    fails_with: Exception | None = None

    async def partitions(self, _topic: str) -> int:
        """Seven, as banks have."""
        return 7

    async def writer(self) -> "PaperWriter":
        """A new writer."""
        self.writers += 1
        return PaperWriter(self)


@dataclass
class PaperWriter:
    """Must not be used after an error."""

    paper: Paper
    broken: bool = False

    async def append(self, batches: Mapping[Lane, Sequence[Outgoing]]) -> None:
        """Keep, or fail."""
        assert not self.broken
        if self.paper.fails_with is not None:
            self.broken = True
            raise self.paper.fails_with
        for lane, records in batches.items():
            self.paper.kept.setdefault(lane, []).extend(records)

    async def close(self) -> None:
        """Be counted."""
        self.paper.closed += 1


def on(paper: Any) -> Any:
    """The writer under test on a broker."""
    return writer_on_public_topic(paper)


async def test_records_of_one_key_keep_their_order_in_the_partition_that_kafka_would_choose() -> None:
    paper = Paper()
    records = [Outgoing(f"loan-{n % 3}".encode(), str(n).encode()) for n in range(9)]
    await on(paper).append(records)
    for n in range(3):
        lane = Lane(TOPIC, partition_of(b"loan-%d" % n, 7))
        assert [record for record in paper.kept[lane] if record.key == f"loan-{n}".encode()] == [
            record for record in records if record.key == f"loan-{n}".encode()
        ]


async def test_a_key_of_any_bytes_has_a_partition() -> None:
    paper = Paper()
    await on(paper).append([Outgoing(b"\xff\xfe", b"")])
    assert len(paper.kept) == 1


async def test_records_without_a_key_go_round() -> None:
    paper = Paper()
    await on(paper).append([Outgoing(None, b"") for _ in range(14)])
    assert [len(paper.kept[Lane(TOPIC, partition)]) for partition in range(7)] == [2] * 7


@pytest.mark.parametrize("error", [BrokerUnavailableError(), TimeoutError()])
async def test_after_an_error_the_writer_is_replaced(error: Exception) -> None:
    paper = Paper()
    topic = on(paper)
    paper.fails_with = error
    with pytest.raises(Problem) as refused:
        await topic.append([Outgoing(b"k", b"1")])
    assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "5"})
    paper.fails_with = None
    await topic.append([Outgoing(b"k", b"1")])
    assert (paper.writers, paper.closed) == (2, 1)


async def test_an_unexpected_error_also_replaces_the_writer_and_is_not_hidden() -> None:
    paper = Paper(fails_with=ValueError())
    topic = on(paper)
    with pytest.raises(ValueError):  # noqa: PT011  # the very error that the writer raised
        await topic.append([Outgoing(b"k", b"1")])
    assert paper.closed == 1


async def test_without_a_broker_the_answer_is_503() -> None:
    with pytest.raises(Problem) as refused:
        await on(None).append([Outgoing(b"k", b"1")])
    assert refused.value.status == 503


async def test_the_trace_of_the_request_goes_along() -> None:
    paper = Paper()
    trace = tracing.begin(None)
    own = (("traceparent", b"the caller's own"),)
    await on(paper).append([Outgoing(b"k", b"1"), Outgoing(b"k", b"2", own)])
    (records,) = paper.kept.values()
    assert [record.headers for record in records] == [(("traceparent", trace.encode()),), own]
