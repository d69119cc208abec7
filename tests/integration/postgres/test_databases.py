"""Each service has its own database, and no other."""

import asyncpg
import pytest

from shared.postgres import databases
from shared.postgres.server import PostgresServer


async def test_each_role_owns_its_database_and_may_not_enter_another(postgres_server: PostgresServer) -> None:
    names = ["intake", "legal", databases.BROKER]
    urls = await databases.provide(postgres_server, names)
    assert list(urls) == names
    connection = await asyncpg.connect(urls["intake"])
    await connection.execute("CREATE TABLE own ()")
    await connection.execute("DROP TABLE own")
    assert not await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    await connection.close()
    for other in ("legal", "broker", "postgres", "template1"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(postgres_server.dsn(other, "intake"))


async def test_providing_again_changes_nothing(postgres_server: PostgresServer) -> None:
    first = await databases.provide(postgres_server, ["stepper"])
    connection = await asyncpg.connect(first["stepper"])
    await connection.execute("CREATE TABLE kept ()")
    await connection.close()
    assert await databases.provide(postgres_server, ["stepper"]) == first
    connection = await asyncpg.connect(first["stepper"])
    assert await connection.fetchval("SELECT to_regclass('kept') IS NOT NULL")
    await connection.close()


async def test_dropping_removes_a_database_even_while_somebody_is_connected(postgres_server: PostgresServer) -> None:
    urls = await databases.provide(postgres_server, ["doomed"])
    connection = await asyncpg.connect(urls["doomed"])
    await databases.drop(postgres_server, ["doomed"])
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await asyncpg.connect(urls["doomed"])
    connection.terminate()
