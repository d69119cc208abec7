"""A connection that the server has ended, in the moment before the driver notices."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import asyncpg
import pytest

from shared.messaging.postgres_store import PostgresStore
from shared.messaging.store import StoreUnavailableError
from tests.conftest import DatabaseOf


class LongLine:
    """Passes on what a server says, and keeps its farewell but not the end of the connection from the client."""

    def __init__(self, dsn: str) -> None:
        self._target = urlsplit(dsn)
        self.ended = asyncio.Event()
        self._serving: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        """How to connect through it."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        yield self._target._replace(netloc=f"{self._target.netloc.rpartition(':')[0]}:{port}").geturl()
        server.close()
        await asyncio.gather(*self._serving)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving.add(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection(self._target.hostname, self._target.port)
        saying = asyncio.create_task(_pass_on(reader, forth))
        await _pass_on(back, writer)
        self.ended.set()
        await saying
        for each in (writer, forth):
            each.close()
            with contextlib.suppress(ConnectionError):
                await each.wait_closed()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()


async def test_a_connection_that_was_ended_between_two_statements_is_a_store_that_is_away(
    database_of: DatabaseOf,
) -> None:
    dsn = database_of("legal")
    line = LongLine(dsn)
    async with line.open() as through, PostgresStore(through, "lane") as store:
        await store.acquire(1, "one")
        other = await asyncpg.connect(dsn)
        await other.execute("SELECT pg_terminate_backend(backend_pid) FROM actor")
        await other.close()
        await line.ended.wait()
        with pytest.raises(StoreUnavailableError):
            await store.begin()
