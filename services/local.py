"""The embedded installation: PostgreSQL below the data directory, with a database and a role for each service."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from shared.environment import SettingsError
from shared.frozen import replace
from shared.postgres import databases, migrate
from shared.postgres.failures import DRIVER_ERRORS
from shared.postgres.refusals import DatabaseRefusedError
from shared.postgres.server import PostgresServer
from shared.service import Service
from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class Local:
    """A running embedded server."""

    server: PostgresServer
    urls: Mapping[str, str]

    def settings(self, settings: Settings) -> Settings:
        """The same settings on these databases."""
        return settings.with_databases(self.urls)

    def broker_url(self, settings: Settings) -> str:
        """Where the log is: the embedded one in a database of its own, or the one that was asked for."""
        return self.urls[databases.BROKER] if settings.embedded_broker else settings.broker_url

    async def stop(self) -> None:
        """Stop the server."""
        await asyncio.to_thread(self.server.stop)


async def start(folder: Path, *, fast: bool = False) -> Local:
    """Start or adopt the server of a folder, and make the databases that are missing. `fast` is for tests only.

    Raises PostgresServerError, and SettingsError where the data directory cannot hold it.
    """
    server = PostgresServer(folder, fast=fast)
    try:
        await asyncio.to_thread(server.start)
    except OSError as error:
        raise SettingsError(
            "FAIRDUE_DATA", f"{folder} cannot be made: {error.strerror or type(error).__name__}"
        ) from error
    return Local(server, await databases.provide(server))


def is_running(folder: Path) -> bool:
    """Whether somebody has started the server of a folder. Blocks."""
    return PostgresServer(folder).is_running()


async def afresh(local: Local) -> Local:
    """Empty databases in place of those that are there."""
    await databases.drop(local.server)
    return replace(local, urls=await databases.provide(local.server))


async def migrated(local: Local, services: Sequence[Service]) -> None:
    """Bring every service's database up to date. Raises DatabaseRefusedError."""
    for service in services:
        await upgraded(local.urls[service.name], service.name)


async def upgraded(dsn: str, service: str) -> list[str]:
    """Bring a database up to date, and return the revisions that it lacked. Raises DatabaseRefusedError."""
    try:
        return await migrate.upgrade(dsn, service)
    except (*DRIVER_ERRORS, DBAPIError) as error:
        raise DatabaseRefusedError(service, dsn, error) from error
