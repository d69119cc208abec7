"""The witness in the databases sees what may never be committed, and nothing else."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from tests.conftest import Administrator, DatabaseOf

WITNESS = Path(__file__).with_name("witness.sql")


@pytest.fixture
async def connection(
    database_of: DatabaseOf, administrator: Administrator
) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    """A worker's connection that holds one actor, with what it has read and told so far."""
    dsn = database_of("legal")
    owner = await asyncpg.connect(administrator.server.dsn(dsn.rpartition("/")[2]))
    await owner.execute(WITNESS.read_text())
    await owner.close()
    worker = await asyncpg.connect(dsn)
    await worker.execute("""
        INSERT INTO actor (kind, number, epoch, owner, backend_pid) VALUES ('lane', 1, 1, 'one', pg_backend_pid());
        INSERT INTO cursor_in VALUES ('lane', 1, 'intake.events', 1, 5);
        INSERT INTO source_mark VALUES ('lane', 1, 'intake.events', 1, 'intake/lane/1', 1, 5);
        INSERT INTO lane_out VALUES ('lane', 1, 'legal.events', 1, 5, 4, '');
    """)
    yield worker
    await worker.close()


async def violations(administrator: Administrator, worker: "asyncpg.Connection[asyncpg.Record]") -> list[int]:
    database = await worker.fetchval("SELECT current_database()")
    connection = await asyncpg.connect(administrator.server.dsn(database))
    try:
        return [number for (number,) in await connection.fetch("SELECT invariant FROM witness.violation ORDER BY 1")]
    finally:
        await connection.close()


ALLOWED = """
    UPDATE cursor_in SET next_offset = 6;
    UPDATE source_mark SET last_seq = 6;
    UPDATE source_mark SET incarnation = 2, last_seq = 1;
    UPDATE lane_out SET out_seq = 6, acked_seq = 6;
    UPDATE actor SET epoch = 2, owner = 'two';
    UPDATE actor SET owner = NULL, backend_pid = NULL;
"""

FORBIDDEN = [
    pytest.param("UPDATE cursor_in SET next_offset = 4", 5, id="a cursor goes back"),
    pytest.param("UPDATE source_mark SET last_seq = 4", 5, id="a mark goes back"),
    pytest.param("UPDATE actor SET owner = 'two'", 6, id="a holder comes without an epoch of its own"),
    pytest.param("UPDATE actor SET epoch = 0, owner = 'two'", 6, id="an epoch falls"),
    pytest.param("UPDATE lane_out SET acked_seq = 6", 8, id="more is acknowledged than told"),
    pytest.param("UPDATE lane_out SET out_seq = 4", 8, id="a counter goes back"),
    pytest.param(
        "UPDATE actor SET epoch = 2, backend_pid = 0; UPDATE cursor_in SET next_offset = 6", 7, id="a zombie writes"
    ),
]


async def test_what_is_in_order_is_no_violation(
    connection: "asyncpg.Connection[asyncpg.Record]", administrator: Administrator
) -> None:
    await connection.execute(ALLOWED)
    assert await violations(administrator, connection) == []


@pytest.mark.parametrize(("statements", "invariant"), FORBIDDEN)
async def test_what_may_never_be_is_written_down(
    connection: "asyncpg.Connection[asyncpg.Record]", administrator: Administrator, statements: str, invariant: int
) -> None:
    await connection.execute(statements)
    assert await violations(administrator, connection) == [invariant]
