"""A database that is there and lets nobody in, as while it starts up: said in one line, like one that is away."""

import pytest

from shared.messaging.store import StoreUnavailableError
from shared.runtime import require_schema
from tests.conftest import Administrator, BlankDatabase


async def test_a_database_that_refuses_connections_does_not_answer(
    blank_database: BlankDatabase, administrator: Administrator
) -> None:
    dsn = blank_database()
    administrator.execute(f"ALTER DATABASE {dsn.rpartition('/')[2]} ALLOW_CONNECTIONS false")
    with pytest.raises(StoreUnavailableError, match="^the database of intake does not answer: "):
        await require_schema("intake", dsn)
