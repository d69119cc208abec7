"""An application on a real database with the runtime's tables, and an actor that answers its commands."""

import asyncio
import importlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import asyncpg
import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from shared.http.app import close, create_app
from shared.http.auth import Principal, Role, require
from shared.http.commands import Commands, IdempotencyKey
from shared.http.database import Connection, engine_of
from shared.service import Service
from shared.settings import Settings

BlankDatabase = Callable[[], str]
Answer = tuple[str, Mapping[str, Any]]


@pytest.fixture
async def dsn(blank_database: BlankDatabase) -> str:
    """A database with the runtime's tables."""
    found = blank_database()
    connection = await asyncpg.connect(found)
    await connection.execute(importlib.import_module("shared.messaging.migrations.versions.0001_runtime").SCHEMA)
    await connection.close()
    return found


@pytest.fixture
async def engine(dsn: str) -> AsyncIterator[AsyncEngine]:
    """The application's engine."""
    found = engine_of(dsn, pool_size=2)
    yield found
    await found.dispose()


@pytest.fixture
async def database(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """The test's own connection, to look and to plant."""
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


def example_routes() -> APIRouter:
    """A route that writes after it has read."""
    router = APIRouter(prefix="/v1")

    @router.post("/debtors/{debtor_id}/holds")
    async def hold(
        debtor_id: str,
        body: dict[str, Any],
        principal: Annotated[Principal, Depends(require(Role.OPERATOR, Role.CORE_BANK))],
        connection: Connection,
        commands: Commands,
        key: IdempotencyKey,
    ) -> dict[str, Any]:
        await connection.exec_driver_sql("SELECT 1")
        return await commands.submit(
            kind="lane", owner=debtor_id, lender_id="bank", name="place-hold", body=body, key=key, principal=principal
        )

    @router.post("/scribble")
    async def scribble(connection: Connection) -> None:
        await connection.exec_driver_sql("DELETE FROM command")

    @router.post("/statements")
    async def statements(connection: Connection, body: list[str]) -> None:
        for statement in body:
            await connection.exec_driver_sql(statement)

    @router.get("/items")
    async def item(connection: Connection, number: int) -> None:
        await connection.execute(text("SELECT CAST(:number AS bigint)"), {"number": number})

    return router


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Keep the log to ourselves; written out, an unexpected error takes seconds where nobody has set the log up."""
    with capture_logs():
        yield


@pytest.fixture
def service() -> Service:
    """A service with the example's routes."""
    return Service("example", (), example_routes, Path())


@pytest.fixture
def settings() -> Settings:
    """The settings of the demo, whose tokens are known."""
    return Settings.demo()


@pytest.fixture
def sign_in(settings: Settings) -> Callable[[Role], Mapping[str, str]]:
    """Headers for a caller of a role."""
    tokens = {token.role: token.token for token in settings.tokens}
    return lambda role: {"Authorization": f"Bearer {tokens[role.value]}"}


@pytest.fixture
def command_seconds() -> float:
    """How long the application waits for an actor: longer than any test, so that only an answer ends the wait."""
    return 60.0


@pytest.fixture
async def app(
    service: Service, settings: Settings, engine: AsyncEngine, command_seconds: float
) -> AsyncIterator[FastAPI]:
    """The application."""
    found = create_app(service, settings, engine=engine, command_seconds=command_seconds)
    yield found
    await close(found)


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://example") as found:
        yield found


@dataclass
class Actor:
    """Answers commands as a shard's actor does: woken by NOTIFY, one transaction each, with the answer's NOTIFY."""

    connection: asyncpg.Connection
    decide: Callable[[asyncpg.Record], Answer] = lambda _row: ("done", {"ok": True})
    notifies: bool = True
    heard: list[str] = field(default_factory=list)
    applied: list[str] = field(default_factory=list)
    _woken: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self, _connection: object, _pid: int, channel: str, payload: object) -> None:
        """Hear of a command."""
        self.heard.append(f"{channel}:{payload}")
        self._woken.set()

    async def work(self) -> None:
        """Answer what comes, until cancelled."""
        await self.connection.add_listener("command_lane", self.wake)
        while True:
            await self.answer_pending()
            await self._woken.wait()
            self._woken.clear()

    async def answer_pending(self) -> None:
        """Answer what waits."""
        async with self.connection.transaction():
            waiting = "SELECT * FROM command WHERE status = 'pending' ORDER BY created_at"
            for row in await self.connection.fetch(waiting):
                status, response = self.decide(row)
                self.applied.append(row["id"])
                await self.connection.execute(
                    "UPDATE command SET status = $2, response = $3, done_at = now() WHERE id = $1",
                    row["id"], status, json.dumps(response),
                )  # fmt: skip
                if self.notifies:
                    await self.connection.execute("SELECT pg_notify('command_done', $1)", row["id"])


@pytest.fixture
async def actor(dsn: str) -> AsyncIterator[Actor]:
    """An actor that is at work."""
    connection = await asyncpg.connect(dsn)
    found = Actor(connection)
    task = asyncio.create_task(found.work())
    yield found
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await connection.close()


Ask = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
def place_hold(client: httpx.AsyncClient, sign_in: Callable[[Role], Mapping[str, str]]) -> Ask:
    """Asks for a hold; takes key, body, role and debtor."""

    async def ask(
        key: str = "k1", body: object = None, *, role: Role = Role.OPERATOR, debtor: str = "d1"
    ) -> httpx.Response:
        headers = {**sign_in(role), "Idempotency-Key": key}
        return await client.post(f"/v1/debtors/{debtor}/holds", json=body or {"reason": "ill"}, headers=headers)

    return ask
