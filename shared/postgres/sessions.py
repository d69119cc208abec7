"""Connections that are kept: a watch's between its looks, opened again once it was lost, and those of a small pool."""

import contextlib
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import asyncpg

from shared.postgres.failures import DRIVER_ERRORS

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

_LIMITS: Final = {"lock_timeout": "2s", "statement_timeout": "30s"}


async def left_as_it_is(_connection: object) -> None:
    """Clear nothing up, for a pool whose users leave nothing behind: one statement less for each that they say."""


@dataclass(slots=True)
class Session:
    """One connection, which waits for no lock and for no slow answer. `name` is what the server shows of it."""

    dsn: str
    name: str
    _connection: "Connection | None" = field(default=None, repr=False)

    async def connected(self) -> Connection:
        """The connection, or a new one. Raises asyncpg's errors and OSError."""
        if self._connection is None or self._connection.is_closed():
            settings = {**_LIMITS, "application_name": self.name}
            self._connection = await asyncpg.connect(self.dsn, timeout=10, command_timeout=60, server_settings=settings)
        return self._connection

    async def close(self) -> None:
        """Let go of it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(*DRIVER_ERRORS, TimeoutError):
                await connection.close(timeout=2)
