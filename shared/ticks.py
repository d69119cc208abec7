"""The durable tick of a stepped run: which run it is, which day and slot it stands on, and how far round the flow."""

from collections.abc import Mapping
from typing import TypeAlias

import asyncpg
import msgspec

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

SCHEMA = """
CREATE TABLE IF NOT EXISTS stepped_run (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton), parameters jsonb NOT NULL, day int NOT NULL DEFAULT 0,
    slot int NOT NULL DEFAULT 0, place int NOT NULL DEFAULT 0, finished boolean NOT NULL DEFAULT false
)
"""
BEGIN = """
INSERT INTO stepped_run (parameters) VALUES ($1)
ON CONFLICT (singleton) DO UPDATE SET parameters = excluded.parameters, day = 0, slot = 0, place = 0, finished = false
"""
MOVE = "UPDATE stepped_run SET day = $1, slot = $2, place = $3, finished = $4"


class Ticks:
    """Where a stepped run stands."""

    def __init__(self, connection: Connection) -> None:
        """Use `open` instead."""
        self._connection = connection
        self.day = self.slot = self.place = 0

    @classmethod
    async def open(cls, dsn: str) -> "Ticks":
        """Connect, and make the table where it is missing."""
        connection = await asyncpg.connect(dsn)
        await connection.execute(SCHEMA)
        return cls(connection)

    async def unfinished(self, parameters: Mapping[str, object]) -> bool:
        """Whether a run with just these parameters was begun and has not ended; then stand where it stands."""
        row = await self._connection.fetchrow("SELECT * FROM stepped_run")
        if row is None or row["finished"] or msgspec.json.decode(row["parameters"]) != dict(parameters):
            return False
        self.day, self.slot, self.place = row["day"], row["slot"], row["place"]
        return True

    async def begin(self, parameters: Mapping[str, object]) -> None:
        """Begin a new run, forgetting any other."""
        await self._connection.execute(BEGIN, msgspec.json.encode(parameters).decode())
        self.day = self.slot = self.place = 0

    async def at(self, place: int) -> None:
        """Stand at a place in the flow, within the present day and slot."""
        if place != self.place:
            self.place = place
            await self._keep()

    async def advance(self, day: int, slot: int) -> None:
        """Begin another tick."""
        self.day, self.slot, self.place = day, slot, 0
        await self._keep()

    async def finish(self) -> None:
        """The run has ended; the same parameters begin a new one."""
        await self._keep(finished=True)

    async def _keep(self, *, finished: bool = False) -> None:
        await self._connection.execute(MOVE, self.day, self.slot, self.place, finished)

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()
