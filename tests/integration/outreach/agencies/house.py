"""Webhooks on a real database: the actor with its calls, the API in front of it, and agencies that ask."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import httpx

from services.outreach.agencies.webhooks.actor import webhooks
from services.outreach.agencies.webhooks.sending import Caller
from services.outreach.service import declare
from shared.assembly import topics_of
from shared.clock import VirtualClock
from shared.contracts.envelope import Fact
from shared.http.app import close, create_app
from shared.http.database import engine_of
from shared.messaging.memory_log import MemoryLog
from shared.messaging.postgres_store import PostgresStore
from shared.messaging.sharding import shard_of
from shared.messaging.turn import Turn
from shared.messaging.worker import Worker
from shared.settings import ApiToken, Settings
from tests.unit.outreach.agencies.webhook_play import DEBTOR, NINE, ended, event_of, record_of

NORTH = ApiToken("north", "agency", "a token of the agency north 0001")
SOUTH = ApiToken("south", "agency", "a token of the agency south 0002")
BOSS = ApiToken("boss", "supervisor", "a token of a supervisor here 03")
CLERK = ApiToken("clerk", "operator", "a token of an operator here 0004")
SETTINGS = replace(Settings.demo({"FAIRDUE_WEBHOOKS_TO_PRIVATE": "allow"}), tokens=(NORTH, SOUTH, BOSS, CLERK))
SERVICE = declare(SETTINGS)


@dataclass
class House:
    """One process that tells agencies."""

    dsn: str
    worker: Worker
    clock: VirtualClock
    client: httpx.AsyncClient
    facts: int = 0
    keys: int = 0

    async def hear(self, *facts: Fact, debtor_id: str = DEBTOR) -> None:
        """Facts about placements, as they come from the topic."""
        lane, records = shard_of(debtor_id), []
        for fact in facts:
            self.facts += 1
            records.append(record_of(event_of(fact, self.facts, debtor_id, self.clock.now()), self.facts, lane))
        turned = await self.worker.turn(records)
        assert turned is not None
        assert (turned.failures, turned.counts["buried"]) == ([], 0)

    async def work(self, **time: float) -> None:
        """Let time pass, and everything happen that falls due, the calls to their ends."""
        self.clock.set(self.clock.now() + timedelta(**time))
        while await self.worker.has_work() or self.worker.errands.waiting:
            await self.worker.turn((), commands=100, due=1000)
            await self.worker.errands.settle()
            await self.worker.turn(())

    async def begin(self) -> None:
        """Begin what is due, and wait for none of it."""
        while await self.worker.has_work():
            await self.worker.turn((), due=1000)

    async def post(self, who: ApiToken, path: str, body: Any = None, key: str = "") -> httpx.Response:
        """Write, and let the actor answer."""
        self.keys += 1
        headers = {"Authorization": f"Bearer {who.token}", "Idempotency-Key": key or f"key-{self.keys}"}
        return await self._answered(self.client.post(f"/v1{path}", json=body, headers=headers))

    async def get(self, who: ApiToken, path: str) -> httpx.Response:
        """Read."""
        return await self.client.get(f"/v1{path}", headers={"Authorization": f"Bearer {who.token}"})

    async def _answered(self, request: Awaitable[httpx.Response]) -> httpx.Response:
        task = asyncio.ensure_future(request)
        while not task.done():
            if await self.worker.has_work():
                await self.worker.turn((), commands=100)
            await asyncio.wait([task], timeout=0.01)
        return task.result()

    async def tells(self, who: ApiToken, url: str) -> str:
        """Have an agency told at an address; its secret."""
        answer = await self.post(who, "/agency/webhooks", {"url": url})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["secret"])

    async def deliveries(self, who: ApiToken, query: str = "") -> list[dict[str, Any]]:
        """What an agency is shown of its deliveries."""
        answer = await self.get(who, f"/agency/webhooks/deliveries{query}")
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    async def states(self, who: ApiToken) -> list[str]:
        """How they stand, the newest first."""
        return [each["state"] for each in await self.deliveries(who)]


@asynccontextmanager
async def house_of(dsn: str, clock: VirtualClock | None = None, seconds: float = 60.0) -> AsyncIterator[House]:
    """A process; it takes the actor from whoever holds it."""
    clock = clock or VirtualClock(NINE)
    caller = Caller(SETTINGS.vault, to_private=True, seconds=seconds)
    store = PostgresStore(dsn, "webhooks", take_over_after="200ms")
    turn = Turn("outreach", webhooks(caller), store, SETTINGS.vault)
    log = MemoryLog(clock.now)
    log.create(topics_of([SERVICE]))
    worker = Worker("house", turn, store, log, clock, batch=1000)
    worker.in_step = True
    engine = engine_of(dsn, pool_size=2)
    app = create_app(SERVICE, SETTINGS, engine=engine)
    transport = httpx.ASGITransport(app)
    try:
        await worker.take([0])
        async with httpx.AsyncClient(transport=transport, base_url="http://test", timeout=60) as client:
            yield House(dsn, worker, clock, client)
    finally:
        await worker.errands.close()
        await store.close()
        await close(app)
        await engine.dispose()


def placed(agency: ApiToken, number: int = 1) -> Fact:
    """A fact about a placement of an agency."""
    return ended(agency.name, f"p-{number}")
