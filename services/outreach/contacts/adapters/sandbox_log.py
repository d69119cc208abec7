"""The sandbox gateway's log in PostgreSQL, in a database that no service has."""

import asyncio
from collections.abc import Sequence

import asyncpg

from services.outreach.contacts.adapters.sandbox import Taken
from services.outreach.contacts.ports import UnansweredError
from shared.postgres.failures import DRIVER_ERRORS
from shared.postgres.sessions import left_as_it_is

SCHEMA = """
CREATE TABLE IF NOT EXISTS taken (
    key text PRIMARY KEY, permit_id text NOT NULL, debtor_id text NOT NULL, channel text NOT NULL,
    template text NOT NULL, taken_at timestamptz NOT NULL, outcome text NOT NULL
);
ALTER TABLE taken ADD COLUMN IF NOT EXISTS id bigint GENERATED ALWAYS AS IDENTITY;
CREATE INDEX IF NOT EXISTS taken_id ON taken (id);
CREATE INDEX IF NOT EXISTS taken_debtor ON taken (debtor_id);
"""
TAKE = """
INSERT INTO taken (key, permit_id, debtor_id, channel, template, taken_at, outcome)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING key
"""
FIND = "SELECT key, permit_id, debtor_id, channel, template, taken_at, outcome FROM taken WHERE key = $1"
EVERY = "SELECT key, permit_id, debtor_id, channel, template, taken_at, outcome FROM taken ORDER BY taken_at, key"
DROP = "DELETE FROM taken WHERE key = $1 RETURNING key"
CONNECTIONS = 4


class PostgresGatewayLog:
    """The log behind a few connections, which are opened when they are first needed."""

    def __init__(self, dsn: str) -> None:
        """Remember where it lies."""
        self._dsn = dsn
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._opening = asyncio.Lock()

    async def take(self, taken: Taken) -> Taken:
        """Keep a message unless its key is known; return what is kept under it. Raises UnansweredError."""
        row = (taken.key, taken.permit_id, taken.debtor_id, taken.channel, taken.template, taken.taken_at)
        try:
            pool = await self._opened()
            is_new = await pool.fetchval(TAKE, *row, taken.outcome)
            found = None if is_new else await pool.fetchrow(FIND, taken.key)
        except DRIVER_ERRORS as error:
            raise UnansweredError from error
        return taken if found is None else Taken(**found)

    async def find(self, key: str) -> Taken | None:
        """What is kept under a key. Raises UnansweredError."""
        try:
            found = await (await self._opened()).fetchrow(FIND, key)
        except DRIVER_ERRORS as error:
            raise UnansweredError from error
        return None if found is None else Taken(**found)

    async def drop(self, key: str) -> bool:
        """Keep a message no longer; whether it was kept. Raises UnansweredError."""
        try:
            return await (await self._opened()).fetchval(DROP, key) is not None
        except DRIVER_ERRORS as error:
            raise UnansweredError from error

    async def every(self) -> Sequence[Taken]:
        """All that was ever taken, in order."""
        return [Taken(**row) for row in await (await self._opened()).fetch(EVERY)]

    async def close(self) -> None:
        """Close the connections."""
        if self._pool is not None:
            await self._pool.close()

    async def _opened(self) -> "asyncpg.Pool[asyncpg.Record]":
        async with self._opening:
            if self._pool is None:
                pool = await asyncpg.create_pool(self._dsn, min_size=1, max_size=CONNECTIONS, reset=left_as_it_is)
                await pool.execute(SCHEMA)
                self._pool = pool
        return self._pool
