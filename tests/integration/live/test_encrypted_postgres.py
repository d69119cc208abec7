"""PostgreSQL over TLS, as a database's address asks for it: by the driver, by the routes and by the migrations.

The embedded server is built without TLS; what ends it here, as a pooler in front of a server does, is a proxy.
"""

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from sqlalchemy import text

from shared.embedded.kafka_server import HOST
from shared.http.database import engine_of
from shared.messaging.postgres_store import PostgresStore
from shared.postgres import migrate
from tests.conftest import BlankDatabase
from tests.integration.live.certificates import Authority

ASKS_FOR_TLS = struct.pack(">ii", 8, 80877103)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.in_folder(tmp_path / "ours")


@asynccontextmanager
async def ending_tls(authority: Authority, dsn: str) -> AsyncIterator[str]:
    """An address that speaks TLS only, in front of a server; without the query that says how it is used."""
    chain, key = authority.for_this_machine()
    files = authority.file.with_name("server.pem")
    files.write_text(chain + key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files)
    there = urlsplit(dsn)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.readexactly(8) != ASKS_FOR_TLS:
            writer.close()
            return
        writer.write(b"S")
        try:
            await writer.start_tls(context)
            behind = await asyncio.open_connection(there.hostname, there.port)
            await asyncio.gather(pump(reader, behind[1]), pump(behind[0], writer))
        except OSError:
            writer.close()

    async with await asyncio.start_server(serve, HOST, 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield there._replace(netloc=f"{there.username}:{there.password}@{HOST}:{port}").geturl()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what comes, until it ends."""
    while piece := await reader.read(65_536):
        writer.write(piece)
        await writer.drain()
    writer.close()


async def test_everybody_who_asks_for_tls_gets_it_and_knows_whom_they_talk_to(
    authority: Authority, blank_database: BlankDatabase
) -> None:
    async with ending_tls(authority, blank_database()) as address:
        url = f"{address}?sslmode=verify-full&sslrootcert={authority.file}"
        await migrate.upgrade(url, "intake")
        store = PostgresStore(url, "lane")
        assert (await store.acquire(3, "somebody")).epoch == 1
        await store.close()
        engine = engine_of(url)
        async with engine.connect() as connection:
            assert (await connection.execute(text("SELECT count(*) FROM actor"))).scalar() == 1
        await engine.dispose()


async def test_a_certificate_by_nobody_whom_we_trust_ends_it(
    authority: Authority, blank_database: BlankDatabase, tmp_path: Path
) -> None:
    strangers = Authority.in_folder(tmp_path / "strangers")
    async with ending_tls(authority, blank_database()) as address:
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncpg.connect(f"{address}?sslmode=verify-full&sslrootcert={strangers.file}")


async def test_who_asks_for_no_tls_is_turned_away(authority: Authority, blank_database: BlankDatabase) -> None:
    async with ending_tls(authority, blank_database()) as address:
        with pytest.raises((asyncpg.PostgresConnectionError, OSError)):
            await asyncpg.connect(f"{address}?sslmode=disable")
