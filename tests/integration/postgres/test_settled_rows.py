"""To load a state never goes through what is settled: of such rows, those that are not have an index of their own."""

import asyncpg
import pytest

from services.installed import declared
from shared.messaging.layout import Layout, Table
from shared.settings import Settings
from tests.conftest import DatabaseOf

OF_WHAT_IS_NOT = """
SELECT EXISTS (
    SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
    WHERE i.indrelid = $1::regclass AND a.attname = $2 AND pg_get_expr(i.indpred, i.indrelid) = $3
)
"""

SETTLING = [
    pytest.param(service.name, kind.layout, table, id=f"{service.name} {table.name}")
    for service in declared(Settings.demo({}))
    for kind in service.actors
    for table in kind.layout.tables.values()
    if table.settled
]


@pytest.mark.parametrize(("service", "layout", "table"), SETTLING)
async def test_an_index_holds_an_owners_rows_that_are_not_settled(
    database_of: DatabaseOf, service: str, layout: Layout, table: Table
) -> None:
    connection = await asyncpg.connect(database_of(service))
    found = await connection.fetchval(OF_WHAT_IS_NOT, table.name, layout.owner, f"(NOT {table.settled})")
    await connection.close()
    assert found
