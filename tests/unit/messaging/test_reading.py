import asyncio

from shared.clock import SystemClock
from shared.messaging.memory_database import MemoryDatabase
from shared.messaging.memory_log import MemoryLog
from shared.messaging.memory_store import MemoryStore
from shared.messaging.reading import Reading
from shared.messaging.turn import Turn
from shared.messaging.worker import Worker
from tests.unit.messaging.toy import IN, KIND, VAULT


async def test_a_worker_that_holds_nothing_leaves_the_loop_to_others() -> None:
    clock, store = SystemClock(), MemoryStore(MemoryDatabase(), KIND.name)
    log = MemoryLog(clock.now)
    worker = Worker("idle", Turn("toy", KIND, store, VAULT), store, log, clock, batch=10)
    others = asyncio.Event()
    asyncio.get_running_loop().call_soon(others.set)
    assert await Reading(worker, log, [IN]).fetch(10, 0.0) == ()
    assert others.is_set()
