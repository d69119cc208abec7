"""The places that the ports are held against: two where a store keeps its state, three where a log lies."""

from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from shared.messaging.broker import Broker
from shared.messaging.store import Effects, Store
from tests.contract import broker_cases
from tests.contract.store_cases import MemorySite, PostgresSite, Site, write
from tests.folders import folder_of_servers


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
    """A store that holds actor 3 at epoch 1, in its first incarnation by name."""
    found = stores.store()
    await found.acquire(3, "one")
    await write(found, Effects(renewed={3: 1}))
    return found


@pytest.fixture(scope="module", params=broker_cases.SITES)
def site(request: pytest.FixtureRequest) -> Iterator[broker_cases.Site]:
    """Where a log lies; each adapter's in turn."""
    with folder_of_servers() as folder:
        site: broker_cases.Site = request.param(folder)
        yield site
        site.stop()


@pytest.fixture(scope="module", params=broker_cases.SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[broker_cases.Server]:
    """A broker's server, running; each in turn."""
    with folder_of_servers() as folder:
        server: broker_cases.Server = request.param(folder)
        yield server
        server.stop()


@pytest.fixture
def mortal(server: broker_cases.Server) -> Iterator[broker_cases.Server]:
    """The server for tests that kill it; the next test finds it alive."""
    yield server
    server.start()


@pytest.fixture
async def broker(site: broker_cases.Site) -> AsyncIterator[Broker]:
    """The adapter under test, open on the site."""
    async with broker_cases.opened(site) as broker:
        yield broker
