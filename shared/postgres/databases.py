"""One database and one role per service on the embedded server; no role may enter another's database."""

from collections.abc import Iterable

import asyncpg

from shared.postgres.server import PostgresServer
from shared.settings import SANDBOX, SERVICES

BROKER = "broker"
"""The database of the embedded log."""

AGENCY_ROLE = "fairdue_agency"
"""As whom outreach reads for an agency; nobody logs in by it, it owns nothing, and sees one tenant's rows."""

STEPPER = "stepper"
"""The database in which stepped mode keeps its tick."""

EVERY_DATABASE = (*SERVICES, BROKER, STEPPER, SANDBOX)


async def provide(server: PostgresServer, names: Iterable[str] = EVERY_DATABASE) -> dict[str, str]:
    """Make the databases and roles that are missing, and return how to connect to each; the server must run."""
    connection = await asyncpg.connect(server.dsn("postgres"))
    try:
        await connection.execute("REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC")
        for name in names:
            await _provide_role(connection, name, server.passwords.of(name))
            await _provide_database(connection, name)
            if name == "outreach":
                await _provide_agency_role(connection, name)
    finally:
        await connection.close()
    return {name: server.dsn(name, name) for name in names}


async def drop(server: PostgresServer, names: Iterable[str] = EVERY_DATABASE) -> None:
    """Remove the databases with everything in them, whoever is connected; their roles stay."""
    connection = await asyncpg.connect(server.dsn("postgres"))
    try:
        for name in names:
            await connection.execute(f"DROP DATABASE IF EXISTS {quoted(name)} WITH (FORCE)")
    finally:
        await connection.close()


def quoted(name: str) -> str:
    """A name as an identifier of SQL, which knows no parameters where databases and roles are made."""
    return '"' + name.replace('"', '""') + '"'


async def _provide_role(connection: "asyncpg.Connection[asyncpg.Record]", name: str, password: str) -> None:
    known = await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", name)
    verb = "ALTER" if known else "CREATE"
    literal = password.replace("'", "''")
    await connection.execute(f"{verb} ROLE {quoted(name)} LOGIN PASSWORD '{literal}'")


async def _provide_database(connection: "asyncpg.Connection[asyncpg.Record]", name: str) -> None:
    if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
        await connection.execute(f"CREATE DATABASE {quoted(name)} OWNER {quoted(name)}")
    await connection.execute(f"REVOKE ALL ON DATABASE {quoted(name)} FROM PUBLIC")


async def _provide_agency_role(connection: "asyncpg.Connection[asyncpg.Record]", name: str) -> None:
    """What a service's own role may not make, since it may make no roles at all."""
    if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", AGENCY_ROLE):
        await connection.execute(f"CREATE ROLE {AGENCY_ROLE} NOLOGIN NOSUPERUSER NOBYPASSRLS")
    await connection.execute(f"GRANT {AGENCY_ROLE} TO {quoted(name)} WITH INHERIT FALSE, SET TRUE")
