import asyncio
from collections.abc import Sequence

import pytest

from shared.clock import SystemClock
from shared.messaging.broker import Lane, Record
from shared.messaging.memory_database import MemoryDatabase
from shared.messaging.memory_log import MemoryLog
from shared.messaging.memory_store import MemoryStore
from shared.messaging.reading import Reading
from shared.messaging.turn import Turn
from shared.messaging.worker import Worker
from tests.unit.messaging.toy import IN, KIND, VAULT


def a_worker() -> Worker:
    clock, store = SystemClock(), MemoryStore(MemoryDatabase(), KIND.name)
    return Worker("idle", Turn("toy", KIND, store, VAULT), store, MemoryLog(clock.now), clock, batch=10)


class Arriving(Reading):
    """So many records come at each time of asking."""

    def __init__(self, *counts: int) -> None:
        super().__init__(a_worker(), MemoryLog(SystemClock().now), [IN])
        self.counts, self.asked = list(counts), list[int]()

    async def fetch(self, limit: int, wait: float) -> Sequence[Record]:
        self.asked.append(limit)
        return [
            Record(Lane(IN, 0), n, None, b"", (), SystemClock().now()) for n in range(min(limit, self.counts.pop(0)))
        ]


@pytest.mark.parametrize(
    ("counts", "times", "asked"),
    [
        ((0,), 3, [10]),
        ((5,), 3, [10]),
        ((1, 0), 3, [10, 9]),
        ((1, 2, 0), 3, [10, 9, 7]),
        ((1, 1, 1, 1), 3, [10, 9, 8, 7]),
        ((1, 1), 1, [10, 9]),
        ((1, 5), 3, [10, 9]),
    ],
    ids=[
        "nothing is there, and there is nothing to wait for",
        "half of what may come at once is there",
        "nobody comes",
        "some come, then nobody",
        "some come each time, but it does not wait for ever",
        "who is in a hurry waits once",
        "then enough is there",
    ],
)
async def test_what_is_alone_waits_for_company_while_some_comes(
    counts: tuple[int, ...], times: int, asked: list[int]
) -> None:
    reading = Arriving(*counts)
    records = await reading.gather(10, 0.0, 0.001, times)
    assert (reading.asked, len(records)) == (asked, sum(counts))


async def test_without_a_time_to_linger_nobody_waits() -> None:
    reading = Arriving(1)
    assert len(await reading.gather(10, 0.0, 0.0, 3)) == 1


async def test_a_worker_that_holds_nothing_leaves_the_loop_to_others() -> None:
    worker, log = a_worker(), MemoryLog(SystemClock().now)
    others = asyncio.Event()
    asyncio.get_running_loop().call_soon(others.set)
    assert await Reading(worker, log, [IN]).fetch(10, 0.0) == ()
    assert others.is_set()
