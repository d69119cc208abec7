"""`python -m services migrate` against a database that is not there: one line that says what to do, and no password."""

import asyncio
import os
import subprocess
import sys
from urllib.parse import urlsplit

import asyncpg
import pytest

from shared.postgres import migrate
from shared.postgres.refusals import DatabaseRefusedError
from shared.postgres.server import PostgresServer
from tests.conftest import Administrator, BlankDatabase
from tests.integration.live.process import ROOT
from tests.unit.shared.test_settings import PRODUCTION

PASSWORD = "kanarienvogel-4711"


def migrated(dsn: str) -> tuple[int, str, str]:
    """How `migrate legal` ends, and what it says."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("FAIRDUE", "DATABASE"))}
    chosen = {**inherited, **PRODUCTION, "DATABASE_URL_LEGAL": dsn}
    ended = subprocess.run(
        [sys.executable, "-m", "services", "migrate", "legal"],
        cwd=ROOT, env=chosen, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    return ended.returncode, ended.stdout, ended.stderr


def address(server: PostgresServer, *, role: str, database: str, port: int | None = None) -> str:
    """Where a database would be, over TCP and with a password."""
    parts = urlsplit(server.dsn("postgres"))
    return f"postgresql://{role}:{PASSWORD}@127.0.0.1:{port or parts.port}/{database}?sslmode=disable"


def refused(dsn: str) -> str:
    code, out, err = migrated(dsn)
    (line,) = err.splitlines()
    assert (code, out) == (2, "")
    assert PASSWORD not in line
    assert line.startswith("fairdue: the database of legal (")
    return line


@pytest.fixture
def role(administrator: Administrator) -> str:
    """A role that may log in with the password, and owns nothing."""
    administrator.execute("DROP ROLE IF EXISTS stranger")
    administrator.execute(f"CREATE ROLE stranger LOGIN PASSWORD '{PASSWORD}'")
    return "stranger"


def test_a_database_that_does_not_exist_is_named(postgres_server: PostgresServer, role: str) -> None:
    line = refused(address(postgres_server, role=role, database="nowhere"))
    assert "(nowhere at 127.0.0.1:" in line
    assert "as stranger): it does not exist; create it" in line


def test_a_wrong_password_is_not_repeated(postgres_server: PostgresServer, role: str) -> None:
    dsn = address(postgres_server, role=role, database="postgres").replace(PASSWORD, f"{PASSWORD}-wrong")
    assert "the server does not let us in; check role and password in DATABASE_URL_LEGAL" in refused(dsn)


def test_a_role_that_may_make_no_tables_is_told_so(postgres_server: PostgresServer, role: str) -> None:
    line = refused(address(postgres_server, role=role, database="postgres"))
    assert "the role may not make tables there" in line


def test_a_server_that_is_away_is_named(postgres_server: PostgresServer) -> None:
    line = refused(address(postgres_server, role="legal", database="legal", port=1))
    assert "(legal at 127.0.0.1:1, as legal): the server does not answer (" in line
    assert line.endswith("start it, or mend the address in DATABASE_URL_LEGAL")


FILLED = "INSERT INTO cursor_in VALUES ('lane', 0, 'intake.facts', 0, 1)"
OF_BEFORE = """
UPDATE alembic_version SET version_num = 'runtime_0003' WHERE version_num LIKE 'runtime%';
ALTER TABLE history DROP CONSTRAINT history_pkey, ADD PRIMARY KEY (id);
CREATE INDEX history_debtor ON history (debtor_id, id)
"""


@pytest.mark.parametrize(
    ("filled", "code", "out", "err"),
    [
        ("", 0, "runtime_0004", ""),
        (FILLED, 2, "", "it was filled by a version with other shards; begin with empty"),
    ],
    ids=["an empty one is brought up to date", "a filled one is refused"],
)
def test_a_store_of_before_shards_went_by_the_order_of_ids(
    blank_database: BlankDatabase, filled: str, code: int, out: str, err: str
) -> None:
    dsn = blank_database()

    async def as_it_was() -> None:
        await migrate.upgrade(dsn, "legal")
        connection = await asyncpg.connect(dsn)
        await connection.execute(f"{OF_BEFORE}; {filled}")
        await connection.close()

    asyncio.run(as_it_was())
    ended, said, complained = migrated(dsn)
    assert ended == code
    assert (out in said, err in complained) == (True, True)
    assert asyncio.run(migrate.pending(dsn, "legal")) == (["runtime_0004", "runtime_0005"] if filled else [])


@pytest.mark.parametrize(
    "dsn",
    [
        pytest.param(f"postgresql://u:1/{PASSWORD}@host/db", id="an unescaped slash"),
        pytest.param(f"postgresql://u:1@{PASSWORD}@host/db", id="an unescaped at sign"),
        pytest.param(f"postgresql://host/db?password={PASSWORD}", id="a password among the options"),
        pytest.param(f"postgresql://host/db%20{PASSWORD}", id="what is no name"),
    ],
)
def test_an_address_that_is_not_plain_is_not_shown_at_all(dsn: str) -> None:
    said = str(DatabaseRefusedError("legal", dsn, asyncpg.InvalidPasswordError()))
    assert said.startswith("the database of legal: ")
    assert PASSWORD not in said
