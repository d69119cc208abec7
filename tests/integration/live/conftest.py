"""A folder that PostgreSQL's account can reach."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from shared.postgres.server import PostgresServer


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """Where an installation of this module's own lies; its database server is ended at the end, whatever happened."""
    with TemporaryDirectory(prefix="fairdue-") as folder:
        yield Path(folder)
        server = PostgresServer(Path(folder) / "data" / "up" / "postgres")
        if server.is_running():
            server.stop()
