"""The fixtures that other tests stand on."""

import asyncpg

from tests.conftest import BlankDatabase, DatabaseOf


async def test_a_service_gets_a_database_of_its_own_with_its_tables(database_of: DatabaseOf) -> None:
    first, second = database_of("intake"), database_of("intake")
    connection = await asyncpg.connect(first)
    assert await connection.fetchval("SELECT current_user") == "intake"
    owners = await connection.fetch("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'")
    assert [owner for (owner,) in owners] == ["intake"]
    await connection.close()
    assert first != second


async def test_a_blank_database_is_empty(blank_database: BlankDatabase) -> None:
    connection = await asyncpg.connect(blank_database())
    assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    await connection.close()
