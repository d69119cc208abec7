"""A service's database, as the routes see it: read-only connections, and a clear answer when it is down."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import asyncpg
from fastapi import Depends, Request
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from shared.http.problems import unavailable

CONNECT_SECONDS = 5.0
STATEMENT_SECONDS = 20.0

_DOWN = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InternalClientError,  # a connection that the server has ended, before its end is noticed
    PoolTimeoutError,
)


def engine_of(url: str, *, application: str = "fairdue", pool_size: int = 5) -> AsyncEngine:
    """An engine on a database; it connects when first used. One slot more is for the listener of commands.

    The address goes to the driver as it stands, query and all: SQLAlchemy would read `sslmode` and its like otherwise.
    """
    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda: asyncpg.connect(
            url,
            timeout=CONNECT_SECONDS,
            command_timeout=STATEMENT_SECONDS,
            server_settings={
                "application_name": application,
                "statement_timeout": f"{int(STATEMENT_SECONDS * 1000)}",
                "TimeZone": "UTC",
            },
        ),
        pool_size=pool_size + 1,
        max_overflow=pool_size,
        pool_timeout=CONNECT_SECONDS,
        pool_pre_ping=True,
    )


def is_down(error: BaseException) -> bool:
    """Whether an error says that the database cannot answer now, rather than that a statement is wrong."""
    if isinstance(error, DBAPIError):
        cause = error.orig.__cause__ if error.orig is not None else None
        return error.connection_invalidated or (cause is not None and is_down(cause))
    if isinstance(error, asyncpg.InterfaceError):  # the driver's word for wrong arguments, too
        return "closed" in str(error)
    return isinstance(error, _DOWN)


@asynccontextmanager
async def answering() -> AsyncIterator[None]:
    """Turn "the database cannot be reached" into a problem with status 503; every other error passes."""
    try:
        yield
    except Exception as error:
        if is_down(error):
            raise unavailable("database") from error
        raise


async def read_only(request: Request) -> AsyncIterator[AsyncConnection]:
    """A connection in a read-only transaction, which sees one state of the database throughout the request."""
    engine: AsyncEngine = request.app.state.engine
    async with answering(), engine.connect() as connection:
        await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        request.state.connection = connection
        yield connection


async def release(request: Request) -> None:
    """Give the request's read-only connection back early, if it has one; nothing more can be read through it."""
    connection: AsyncConnection | None = getattr(request.state, "connection", None)
    if connection is not None:
        await connection.close()


Connection = Annotated[AsyncConnection, Depends(read_only)]
"""A read-only connection to the service's own database."""
