"""Analytics on a real database, with a story told to it where a test wants one."""

from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest

from services.analytics.service import declare
from shared.http.app import close, create_app
from shared.http.database import engine_of
from shared.messaging.postgres_store import PostgresStore
from tests.conftest import DatabaseOf
from tests.integration.analytics.stories import LAST, SETTINGS, Story, applied, clock_set, token_of


@pytest.fixture
def dsn(database_of: DatabaseOf) -> str:
    return database_of("analytics")


@pytest.fixture
async def target(dsn: str) -> AsyncIterator[PostgresStore]:
    async with PostgresStore(dsn, "lane") as opened:
        yield opened


@pytest.fixture
async def connection(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    opened = await asyncpg.connect(dsn)
    yield opened
    await opened.close()


@pytest.fixture
async def client(dsn: str) -> AsyncIterator[httpx.AsyncClient]:
    engine = engine_of(dsn, pool_size=2)
    app = create_app(declare(SETTINGS), SETTINGS, engine=engine)
    headers = {"Authorization": f"Bearer {token_of('operator')}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test", headers=headers) as opened:
        yield opened
    await close(app)
    await engine.dispose()


@pytest.fixture
async def story(target: PostgresStore) -> Story:
    made = Story(7)
    for facts in made.facts:
        await applied(target, facts[0][1].debtor_id, facts)
    await clock_set(target, LAST)
    return made
