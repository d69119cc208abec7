"""The address of a production database is read by the driver, the same for REST as for workers and migrations."""

import asyncpg
import pytest
from sqlalchemy import text

from shared.http.database import engine_of, is_down
from shared.postgres import migrate
from shared.postgres.server import PostgresServer


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file of certificates, as an installation would name its authority's."""
    import certifi  # noqa: PLC0415  # it comes with httpx

    return certifi.where()


async def test_a_server_without_tls_is_refused_where_the_address_asks_for_it(
    postgres_server: PostgresServer, certificate: str
) -> None:
    address = f"{postgres_server.dsn('postgres')}?sslmode=verify-full&sslrootcert={certificate}"
    engine = engine_of(address)
    with pytest.raises(ConnectionError, match="rejected SSL upgrade"):
        async with engine.connect():
            pass
    await engine.dispose()
    with pytest.raises(ConnectionError, match="rejected SSL upgrade"):
        await migrate.current(address)
    with pytest.raises(ConnectionError, match="rejected SSL upgrade"):
        await asyncpg.connect(address)


async def test_the_settings_of_the_session_hold_beside_those_of_the_address(postgres_server: PostgresServer) -> None:
    engine = engine_of(f"{postgres_server.dsn('postgres')}?sslmode=disable&search_path=elsewhere", application="asked")
    async with engine.connect() as connection:
        names = ("application_name", "statement_timeout", "TimeZone", "search_path")
        shown = [await connection.scalar(text(f"SHOW {name}")) for name in names]
        assert shown == ["asked", "20s", "UTC", "elsewhere"]
    await engine.dispose()


async def test_a_server_that_is_not_there_counts_as_down() -> None:
    engine = engine_of("postgresql://nobody:nothing@127.0.0.1:1/nothing?sslmode=prefer")
    with pytest.raises(OSError, match="refused|Connect") as caught:
        async with engine.connect():
            pass
    assert is_down(caught.value)
    await engine.dispose()
