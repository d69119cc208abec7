"""The batch's upsert through psycopg 3: COPY to a stage, one statement from there."""

from collections.abc import Sequence
from typing import Any

import psycopg

from benchmarks.peers import job

COPY = f"COPY incoming ({', '.join(job.COLUMNS)}) FROM STDIN (FORMAT BINARY)"
TYPES = ("int2", "text", "int8", "int8", "int8", "text", "text")


class Upserts:
    """One connection with its stage."""

    def __init__(self, dsn: str) -> None:
        """Connect."""
        self._connection: Any = psycopg.connect(dsn, autocommit=True)
        self._connection.execute(job.STAGE)

    def apply(self, snapshots: Sequence[job.Snapshot]) -> list[job.Message]:
        """Commit a batch; what is to be told of it."""
        with self._connection.transaction(), self._connection.cursor() as cursor:
            with cursor.copy(COPY) as copy:
                copy.set_types(TYPES)
                for row in job.newest(snapshots):
                    copy.write_row(row)
            changed = cursor.execute(job.UPSERT).fetchall()
        return job.messages_of(snapshots, changed)
