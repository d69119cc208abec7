"""Outreach's API and the worker of its lanes in one event loop: people ask over HTTP, and the actors answer."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import uvicorn
from fastapi import APIRouter

from services.outreach import api
from services.outreach.agencies.webhooks import api as webhooks_api
from services.outreach.contacts.permits import Signer
from services.outreach.service import declare
from shared.clock import VirtualClock
from shared.contracts import intake
from shared.contracts.envelope import Fact
from shared.http.app import create_app
from shared.http.database import engine_of
from shared.messaging.memory_log import MemoryLog
from shared.messaging.postgres_store import PostgresStore
from shared.messaging.turn import Turn
from shared.messaging.worker import Worker
from shared.settings import Settings
from tests.integration.outreach.rig import SETTINGS, Actor
from tests.unit.outreach.play import case

ANNA = "a" * 32
MORNING = datetime(2026, 3, 2, 2, tzinfo=UTC)
"""Ten in the morning in China."""
SIGNER = Signer(SETTINGS.personal_data_key)
TOKENS: dict[str, str] = {token.role: token.token for token in SETTINGS.tokens}

AT_ONCE = 100
"""Requests on their way at once; of more, a busy machine answers some with 503, for want of connections."""


class Office:
    """A bank's collectors at work: the API on a port of its own, and one worker that applies what they ask for."""

    def __init__(self, dsn: str, settings: Settings = SETTINGS) -> None:
        self.settings = settings
        self.tokens = {**TOKENS, **{token.name: token.token for token in settings.tokens}}
        self.clock = VirtualClock(MORNING)
        service = declare(replace(settings, worked_by_people=("phone",)))
        self.service = replace(service, routes=self._routes)
        self.store = PostgresStore(dsn, "lane")
        self.actor = Actor(service.actors[0], self.store)
        turn = Turn("outreach", service.actors[0], self.store, settings.vault)
        self.worker = Worker("office", turn, self.store, MemoryLog(self.clock.now), self.clock, batch=1000)
        self.worker.in_step = True
        self.engine = engine_of(dsn, pool_size=20)
        self.keys = 0
        self.client = httpx.AsyncClient()
        self.doors = asyncio.Semaphore(AT_ONCE)

    def _routes(self) -> APIRouter:
        """All that outreach answers, by the clock of the office."""
        router = APIRouter()
        router.include_router(api.routes(SIGNER, self.clock, lambda: self.settings.keys))
        router.include_router(webhooks_api.routes(self.settings.vault))
        return router

    async def hear(self, payload: Fact, version: int, debtor_id: str = ANNA) -> None:
        """A fact of a debtor."""
        self.actor.now, self.actor.standings = self.clock.now(), self.worker.standings
        await self.actor.hear(payload, debtor_id, version)
        self.worker.standings = self.actor.standings

    async def know(self, debtor_id: str = ANNA) -> None:
        """A debtor with an open case."""
        await self.hear(intake.CaseOpened(case=case()), 1, debtor_id)

    async def pass_to(self, instant: datetime) -> None:
        """Let time pass, and everything happen that has fallen due by then."""
        self.clock.set(instant)
        while await self.worker.has_work():
            await self.worker.turn((), commands=1000, due=1000)

    async def post(self, path: str, body: Any = None, *, role: str = "operator", key: str = "") -> httpx.Response:
        """Write, and let the actors answer."""
        request = asyncio.ensure_future(self.ask(path, body, role=role, key=key))
        await self.serve(request)
        return request.result()

    async def ask(self, path: str, body: Any = None, *, role: str = "operator", key: str = "") -> httpx.Response:
        """Write, and wait for whoever serves."""
        self.keys += 1
        headers = {"Authorization": f"Bearer {self.tokens[role]}", "Idempotency-Key": key or f"key-{self.keys}"}
        async with self.doors:  # httpx's own queue of those who wait takes ever longer to look through
            return await self.client.post(path, json=body, headers=headers)

    async def get(self, path: str) -> Any:
        """What is answered to an operator."""
        found = await self.read(path, "operator")
        assert found.status_code == 200, found.text
        return found.json()

    async def read(self, path: str, role: str) -> httpx.Response:
        """Ask for something, whether it is answered or not."""
        return await self.client.get(path, headers={"Authorization": f"Bearer {self.tokens[role]}"})

    async def serve(self, until: "asyncio.Future[Any]") -> None:
        """Apply commands until somebody has what they waited for."""
        while not until.done():
            if await self.worker.has_work():
                await self.worker.turn((), commands=1000)
            await asyncio.wait([until], timeout=0.03)


@asynccontextmanager
async def office_of(dsn: str, settings: Settings = SETTINGS) -> AsyncIterator[Office]:
    """An office on a database, with its API on a port of the loopback."""
    office = Office(dsn, settings)
    await office.worker.take(range(32))
    listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
    app = create_app(office.service, settings, engine=office.engine)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_keep_alive=600, timeout_graceful_shutdown=2))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=AT_ONCE)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    try:
        async with httpx.AsyncClient(base_url=url, limits=limits, timeout=300, trust_env=False) as client:
            office.client = client
            yield office
    finally:
        server.should_exit = True
        with suppress(asyncio.CancelledError):
            await serving
        await office.engine.dispose()
        await office.store.close()
