"""A store's one connection to PostgreSQL, and the sorting of its errors into those that the runtime acts on."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TypeAlias

import asyncpg

from shared.messaging.store import StoreUnavailableError, UnsavableError
from shared.postgres.failures import DRIVER_ERRORS

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

_REFUSED = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    UnicodeEncodeError,
    OverflowError,
)


class PostgresLine:
    """Connects when it is first asked, and again once its owner was told that the connection was lost.

    Another connection may lead to a server that was promoted or restored meanwhile: whoever goes on without having read
    the truth again would build on what may never have been.
    """

    def __init__(self, dsn: str, session: Mapping[str, str]) -> None:
        """Hold no connection yet; `session` are the server's settings for it."""
        self._dsn, self._session = dsn, dict(session)
        self._connection: Connection | None = None

    @asynccontextmanager
    async def asked(self) -> AsyncIterator[Connection]:
        """The connection, with errors sorted. Raises StoreUnavailableError, among others where it was lost."""
        async with self.sorted():
            yield await self._connected()

    @asynccontextmanager
    async def sorted(self) -> AsyncIterator[None]:
        """Raise UnsavableError for content that is refused, StoreUnavailableError for what leaves an outcome open."""
        try:
            yield
        except _REFUSED as error:
            raise UnsavableError(type(error).__name__) from error
        except DRIVER_ERRORS as error:
            self._told()
            detail = (
                "" if isinstance(error, asyncpg.PostgresError) else f": {error}"
            )  # a server's error may quote a row
            raise StoreUnavailableError(f"{type(error).__name__}{detail}") from error

    async def _connected(self) -> Connection:
        if self._connection is not None and self._connection.is_closed():
            self._connection = None
            raise StoreUnavailableError("the connection was lost")
        if self._connection is None:
            self._connection = await asyncpg.connect(
                self._dsn,
                server_settings=self._session,
                statement_cache_size=500,
                command_timeout=60,
                timeout=10,
            )
        return self._connection

    def _told(self) -> None:
        """Its owner hears of an error now: a connection that was lost with it may be replaced."""
        if self._connection is not None and self._connection.is_closed():
            self._connection = None

    async def close(self) -> None:
        """Close, not waiting for a server that is gone."""
        connection, self._connection = self._connection, None
        if connection is None or connection.is_closed():
            return
        try:
            await connection.close(timeout=5)
        except DRIVER_ERRORS:
            connection.terminate()

    def terminate(self) -> None:
        """Drop the connection without a word to the server, as when a cable is pulled."""
        if self._connection is not None:
            self._connection.terminate()
