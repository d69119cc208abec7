"""The two places where a store keeps what it is given."""

from collections.abc import AsyncIterator, Callable

import pytest

from shared.messaging.store import Store
from tests.contract.store_cases import MemorySite, PostgresSite, Site


@pytest.fixture(params=["memory", "postgres"])
async def stores(request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    """A database, in memory and on a real server."""
    found: Site
    if request.param == "memory":
        found = MemorySite()
    else:
        database_of: Callable[[str], str] = request.getfixturevalue("database_of")
        found = await PostgresSite.on(database_of("legal"))
    yield found
    await found.close()


@pytest.fixture
async def store(stores: Site) -> Store:
    """A store that holds actor 3 at epoch 1."""
    found = stores.store()
    await found.acquire(3, "one")
    return found
