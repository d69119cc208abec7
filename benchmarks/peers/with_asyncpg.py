"""The batch's upsert through asyncpg: COPY to a stage, one statement from there."""

from collections.abc import Sequence
from typing import Any

import asyncpg

from benchmarks.peers import job


class Upserts:
    """One connection with its stage."""

    def __init__(self, connection: Any) -> None:
        """Use `connected`."""
        self._connection = connection

    @classmethod
    async def connected(cls, dsn: str) -> "Upserts":
        """Connect."""
        connection: Any = await asyncpg.connect(dsn)
        await connection.execute(job.STAGE)
        return cls(connection)

    async def apply(self, snapshots: Sequence[job.Snapshot]) -> list[job.Message]:
        """Commit a batch; what is to be told of it."""
        async with self._connection.transaction():
            rows = job.newest(snapshots)
            await self._connection.copy_records_to_table("incoming", records=rows, columns=job.COLUMNS)
            changed = await self._connection.fetch(job.UPSERT)
        return job.messages_of(snapshots, changed)
