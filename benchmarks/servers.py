"""The parts that everything measured runs on: a durable PostgreSQL, and a Kafka broker of one node, both our own."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from benchmarks.machine import Groups
from shared.embedded.kafka_server import KafkaServer
from shared.postgres.server import PostgresServer


@dataclass(frozen=True, slots=True)
class Servers:
    """Both, running. `kafka` is None where the log lies in the database."""

    folder: Path
    postgres: PostgresServer
    kafka: KafkaServer | None

    @property
    def bootstrap(self) -> str:
        """The address of the broker. Raises ValueError where there is none."""
        if self.kafka is None:
            raise ValueError("these servers have no Kafka")
        return self.kafka.bootstrap

    def groups(self, ours: dict[str, int]) -> Groups:
        """The processes that a run costs, with these as ours."""
        return Groups(ours, self.broker_pid, self.database_pid)

    @property
    def broker_pid(self) -> int | None:
        """The broker's process."""
        return int((self.kafka.directory / "pid").read_text()) if self.kafka is not None else None

    @property
    def database_pid(self) -> int:
        """The database's first process."""
        return int((self.postgres.cluster / "postmaster.pid").read_text().splitlines()[0])

    async def execute(self, database: str, statement: str) -> None:
        """Run a statement as the administrator."""
        connection = await asyncpg.connect(self.postgres.dsn(database))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def value(self, query: str, database: str = "postgres") -> Any:
        """The one value that a query finds, asked as the administrator."""
        connection = await asyncpg.connect(self.postgres.dsn(database))
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    async def wal_bytes(self) -> int:
        """How many bytes the database has written ahead so far."""
        return int(await self.value("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"))


_SHORT_SESSIONS = {"group.min.session.timeout.ms": "1000"}
"""Consumer groups of peers shall miss a member that was killed as soon as our leases do."""


@asynccontextmanager
async def servers(*, kafka: bool = True, fast: bool = False) -> AsyncIterator[Servers]:
    """Fresh servers in a folder that is removed at the end. `fast` gives up durability, for tests only."""
    folder = _folder()
    broker = KafkaServer(folder / "kafka", settings=_SHORT_SESSIONS, lasting=True) if kafka else None
    made = Servers(folder, PostgresServer(folder / "postgres", fast=fast), broker)
    try:
        await asyncio.to_thread(made.postgres.start)
        if made.kafka is not None:
            await asyncio.to_thread(made.kafka.start)
        yield made
    finally:
        if made.kafka is not None:
            await asyncio.to_thread(made.kafka.kill)
        await asyncio.to_thread(made.postgres.kill)
        shutil.rmtree(folder, ignore_errors=True)


def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="fairdue-bench-"))
    folder.chmod(0o755)  # the database's account has to reach it
    return folder
