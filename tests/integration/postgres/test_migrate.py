"""Migrations: applied once, all or nothing, and never behind the code."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from shared.postgres import migrate
from shared.settings import SERVICES
from tests.conftest import BlankDatabase

VERSION = '''
from alembic import op

revision = "{name}"
down_revision = {down!r}
branch_labels = {labels!r}
depends_on = None


def upgrade() -> None:
    op.execute("""{sql}""")
'''


def write(folder: Path, name: str, sql: str, down: str | None = None) -> None:
    folder.mkdir(exist_ok=True)
    labels = None if down else (name.rpartition("_")[0],)
    (folder / f"{name}.py").write_text(VERSION.format(name=name, down=down, labels=labels, sql=sql))


async def fetch(dsn: str, sql: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    write(tmp_path / "runtime", "runtime_0001", "CREATE TABLE outbox ();")
    write(tmp_path / "own", "toy_0001", "CREATE TABLE a (n int); INSERT INTO a VALUES (1); -- one: two; three")
    write(tmp_path / "own", "toy_0002", "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1; $$", "toy_0001")
    return [tmp_path / "runtime", tmp_path / "own"]


async def test_an_empty_database_gets_every_revision_and_the_second_time_none(
    blank_database: BlankDatabase, folders: list[Path]
) -> None:
    dsn = blank_database()
    assert await migrate.current(dsn) == []
    wanted = await migrate.pending(dsn, "toy", locations=folders)
    assert sorted(wanted) == ["runtime_0001", "toy_0001", "toy_0002"]
    assert wanted.index("toy_0001") < wanted.index("toy_0002")
    assert await migrate.upgrade(dsn, "toy", locations=folders) == wanted
    assert await migrate.upgrade(dsn, "toy", locations=folders) == []
    assert await migrate.current(dsn) == ["runtime_0001", "toy_0002"]
    assert await fetch(dsn, "SELECT f() + n FROM a") == 2


async def test_two_that_start_together_run_one_after_the_other(
    blank_database: BlankDatabase, folders: list[Path]
) -> None:
    dsn = blank_database()
    results = await asyncio.gather(*(migrate.upgrade(dsn, "toy", locations=folders) for _ in range(4)))
    assert sorted(map(len, results)) == [0, 0, 0, 3]


async def test_a_migration_that_fails_leaves_nothing_of_the_others(
    blank_database: BlankDatabase, folders: list[Path]
) -> None:
    dsn = blank_database()
    write(folders[1], "toy_0003", "CREATE TABLE b (); SELECT 1/0", "toy_0002")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate.upgrade(dsn, "toy", locations=folders)
    assert await migrate.current(dsn) == []
    assert await fetch(dsn, "SELECT to_regclass('a')") is None


async def test_a_new_revision_is_applied_on_top(blank_database: BlankDatabase, folders: list[Path]) -> None:
    dsn = blank_database()
    await migrate.upgrade(dsn, "toy", locations=folders)
    write(folders[1], "toy_0003", "CREATE TABLE b ()", "toy_0002")
    assert await migrate.pending(dsn, "toy", locations=folders) == ["toy_0003"]
    assert await migrate.upgrade(dsn, "toy", locations=folders) == ["toy_0003"]


async def test_a_database_newer_than_the_code_is_left_alone(blank_database: BlankDatabase, folders: list[Path]) -> None:
    dsn = blank_database()
    write(folders[1], "toy_0003", "CREATE TABLE b ()", "toy_0002")
    await migrate.upgrade(dsn, "toy", locations=folders)
    (folders[1] / "toy_0003.py").unlink()
    assert await migrate.pending(dsn, "toy", locations=folders) == []
    assert await migrate.upgrade(dsn, "toy", locations=folders) == []
    assert await migrate.current(dsn) == ["runtime_0001", "toy_0003"]


async def test_a_worker_refuses_a_database_that_is_behind(blank_database: BlankDatabase) -> None:
    dsn = blank_database()
    with pytest.raises(migrate.SchemaBehindError, match="intake lacks .*runtime_0001") as caught:
        await migrate.require(dsn, "intake")
    assert "runtime_0001" in caught.value.missing
    await migrate.upgrade(dsn, "intake")
    await migrate.require(dsn, "intake")


@pytest.mark.parametrize("service", SERVICES)
async def test_the_migrations_of_each_service_apply(blank_database: BlankDatabase, service: str) -> None:
    dsn = blank_database()
    assert await migrate.upgrade(dsn, service)
    await migrate.require(dsn, service)
