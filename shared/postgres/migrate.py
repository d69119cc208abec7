"""Brings a service's database to the form that its code expects, and says whether it has it.

    await upgrade("postgresql://…/intake", "intake")        # ["runtime_0001", "intake_0001"], then []

A revision is named `<branch>_<number>`; the runtime's tables are the branch "runtime", a service's own tables the
branch of its name. The whole upgrade is one transaction under an advisory lock: two that start together run one after
the other, and the second finds nothing to do.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

_ROOT = Path(__file__).parents[2]
_RUNTIME = _ROOT / "shared" / "messaging" / "migrations" / "versions"
_LOCK = 0x66616972647565


class SchemaBehindError(Exception):
    """A database lacks migrations that the code needs; nothing may run on it before `migrate` did."""

    def __init__(self, service: str, missing: Sequence[str]) -> None:
        super().__init__(f"the database of {service} lacks {', '.join(missing)}: run the migrations first")
        self.missing = tuple(missing)


def locations_of(service: str) -> tuple[Path, ...]:
    """The folders that hold a service's migrations: the runtime's, and its own where it has some."""
    own = _ROOT / "services" / service / "migrations" / "versions"
    return tuple(folder for folder in (_RUNTIME, own) if folder.is_dir())


async def upgrade(dsn: str, service: str, *, locations: Sequence[Path] | None = None) -> list[str]:
    """Apply what is missing, all or nothing, and return its revisions in order. Newer schemas are left alone."""
    config = _config(locations_of(service) if locations is None else locations)
    engine = _engine(dsn)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            return await connection.run_sync(_upgrade, config)
    finally:
        await engine.dispose()


async def current(dsn: str) -> list[str]:
    """The newest revision of each branch that the database has, sorted; none in an empty database."""
    engine = _engine(dsn)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_current)
    finally:
        await engine.dispose()


async def pending(dsn: str, service: str, *, locations: Sequence[Path] | None = None) -> list[str]:
    """The revisions that the code knows and the database lacks, in the order in which they would be applied."""
    config = _config(locations_of(service) if locations is None else locations)
    return _missing(config, await current(dsn))


async def require(dsn: str, service: str) -> None:
    """Return where the database has everything that the code needs. Raises SchemaBehindError."""
    missing = await pending(dsn, service)
    if missing:
        raise SchemaBehindError(service, missing)


def _engine(dsn: str) -> AsyncEngine:
    # SQLAlchemy and asyncpg read the query part of an address differently; asyncpg's reading is the one for all paths.
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(dsn), poolclass=NullPool
    )
    event.listen(engine.sync_engine, "do_execute", _execute_script)
    return engine


def _execute_script(_cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
    """Send a script of several statements as it stands: a prepared statement, the usual way, can hold only one."""
    if parameters or ";" not in statement.strip().rstrip(";"):
        return False
    context.root_connection.connection.dbapi_connection.run_async(lambda driver: driver.execute(statement))
    return True


def _config(locations: Sequence[Path]) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "environment"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("version_locations", os.pathsep.join(map(str, locations)).replace("%", "%%"))
    return config


def _upgrade(connection: Connection, config: Config) -> list[str]:
    missing = _missing(config, _current(connection))
    if missing:
        config.attributes["connection"] = connection
        command.upgrade(config, "heads")
    return missing


def _current(connection: Connection) -> list[str]:
    if connection.scalar(text("SELECT to_regclass('alembic_version')")) is None:
        return []
    return list(connection.scalars(text("SELECT version_num FROM alembic_version ORDER BY version_num")))


def _missing(config: Config, present: Sequence[str]) -> list[str]:
    """Compare by branch and number: a database may be newer than the code, and then knows revisions that we do not."""
    reached = dict(map(_branch_and_number, present))
    known = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    return [name for name in reversed(known) if _number(name) > reached.get(_branch(name), 0)]


def _branch_and_number(revision: str) -> tuple[str, int]:
    return _branch(revision), _number(revision)


def _branch(revision: str) -> str:
    return revision.rpartition("_")[0]


def _number(revision: str) -> int:
    return int(revision.rpartition("_")[2])
