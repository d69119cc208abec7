"""The product's commands as programs of their own, in a data directory of their own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from shared.postgres.server import PostgresServer

ROOT = Path(__file__).parents[2]
PRODUCT, QUICK = "services", "tests.e2e.quick"
LONGEST = 500
"""Seconds after which a command is taken to hang."""


@contextmanager
def data_directory(*runs: str) -> Iterator[Path]:
    """A folder that a server's account can reach; the servers of these runs are ended with it."""
    with TemporaryDirectory(prefix="fairdue-e2e-") as folder:
        try:
            yield Path(folder)
        finally:
            for run in runs:
                PostgresServer(Path(folder) / run / "postgres").kill()


def environment(data: Path, **more: str) -> dict[str, str]:
    """This process's environment less what would configure the product, and the data directory."""
    ours = ("FAIRDUE_", "DATABASE_URL_", "BROKER_URL", "KAFKA_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "FAIRDUE_DATA": str(data), **more}


def began(data: Path, module: str, *arguments: str | int | Path) -> subprocess.Popen[str]:
    """A command that runs."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=ROOT, env=environment(data), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def done(data: Path, module: str, *arguments: str | int | Path) -> tuple[str, str]:
    """A command run to its good end; what it wrote to its outputs."""
    process = began(data, module, *arguments)
    out, err = process.communicate(timeout=LONGEST)
    assert process.returncode == 0, err[-4000:]
    return out, err
