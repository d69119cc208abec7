"""A folder that PostgreSQL's account can reach."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.postgres.server import PostgresServer
from tests.folders import folder_of_servers


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """Where an installation of this module's own lies; its database server is ended at the end, whatever happened."""
    with folder_of_servers() as folder:
        yield folder
        server = PostgresServer(folder / "data" / "up" / "postgres")
        if server.is_running():
            server.stop()
