"""What tests get: sockets closed for unit tests, a real PostgreSQL and a real Kafka for the others.

    async def test_a_case_is_stored(database_of):
        connection = await asyncpg.connect(database_of("intake"))

`database_of` and `blank_database` are plain functions and make a fresh database at each call, dropped after the test.
No connection is shared between tests or loops: each test connects on its own loop.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import hypothesis
import pytest

from shared.embedded.kafka_server import KafkaServer, missing
from shared.postgres import databases, migrate
from shared.postgres.server import PostgresServer
from tests.folders import folder_of_servers
from tests.skips import pytest_addoption, pytest_runtest_logreport, pytest_sessionfinish, pytest_terminal_summary

__all__ = ["pytest_addoption", "pytest_runtest_logreport", "pytest_sessionfinish", "pytest_terminal_summary"]

DatabaseOf: TypeAlias = Callable[[str], str]
BlankDatabase: TypeAlias = Callable[[], str]

# How fast examples come depends on the machine, and is not what these tests are about.
hypothesis.settings.register_profile(
    "fairdue", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], print_blob=True
)
hypothesis.settings.load_profile("fairdue")

_WITH_SOCKETS = {"integration", "contract", "e2e", "chaos", "stateful"}
_TESTS = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Open sockets for the folders whose tests need them; all others run with sockets closed."""
    for item in items:
        if item.path.is_relative_to(_TESTS) and item.path.relative_to(_TESTS).parts[0] in _WITH_SOCKETS:
            item.add_marker("enable_socket")
        if "kafka" in getattr(item, "fixturenames", ()):
            item.add_marker("kafka")


class Administrator:
    """Makes and drops databases, on a thread of its own so that sync and async tests can ask alike."""

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._templates: set[str] = set()
        self._numbers = count(1)

    def template_of(self, service: str) -> str:
        """The name of a database with the service's migrations applied, made on first use."""
        name = f"template_{service}"
        if service not in self._templates:
            self._wait(databases.provide(self.server, [service]))
            self.drop(name)  # half made, where a migration failed before
            self.execute(f"CREATE DATABASE {name} OWNER {databases.quoted(service)}")
            self._wait(migrate.upgrade(self.server.dsn(name, service), service))
            self._templates.add(service)
        return name

    def create(self, template: str, user: str | None = None) -> tuple[str, str]:
        """Make a database, as files, which takes half as long as through the log; its name and how to connect to it."""
        name = f"test_{next(self._numbers)}"
        owner = f"OWNER {databases.quoted(user)}" if user else ""
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY {owner}")
        return name, self.server.dsn(name, user)

    def drop(self, name: str) -> None:
        """Remove a database, whoever is still connected."""
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def execute(self, sql: str) -> None:
        """Run one statement as the superuser."""
        self._wait(self._execute(sql))

    def close(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _execute(self, sql: str) -> None:
        # A connection per statement: tests kill and restart the server.
        connection = await asyncpg.connect(self.server.dsn("postgres"))
        try:
            await connection.execute(sql)
        finally:
            await connection.close()

    def _wait(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=120)


@pytest.fixture
def server_folder() -> Iterator[Path]:
    """A folder for a server of one's own: pytest's folders are closed to other accounts again by each of its runs."""
    with folder_of_servers() as folder:
        yield folder


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The server that all tests share; tests that kill a server make one of their own in `server_folder`."""
    with folder_of_servers() as folder:
        server = PostgresServer(folder, fast=True)
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="session")
def administrator(postgres_server: PostgresServer) -> Iterator[Administrator]:
    """Makes databases on the shared server."""
    administrator = Administrator(postgres_server)
    yield administrator
    administrator.close()


@pytest.fixture
def database_of(administrator: Administrator) -> Iterator[DatabaseOf]:
    """`database_of("intake")`: a fresh, migrated database of that service, and how to connect to it as its role."""
    made: list[str] = []

    def make(service: str) -> str:
        name, dsn = administrator.create(administrator.template_of(service), service)
        made.append(name)
        return dsn

    yield make
    for name in made:
        administrator.drop(name)


@pytest.fixture
def blank_database(administrator: Administrator) -> Iterator[BlankDatabase]:
    """`blank_database()`: a fresh, empty database, and how to connect to it as the superuser."""
    made: list[str] = []

    def make() -> str:
        name, dsn = administrator.create("template0")
        made.append(name)
        return dsn

    yield make
    for name in made:
        administrator.drop(name)


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaServer]:
    """A real Kafka broker that all tests share; tests name their topics so that they do not meet."""
    if reason := missing():
        pytest.skip(f"no Kafka: {reason}")
    with folder_of_servers() as folder, KafkaServer(folder) as server:
        yield server
