"""`python -m services doctor` on a running system, in which everything that can be wrong is made wrong once."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from services.doctor import Limits
from services.live import examined
from shared.contracts import core_banking
from shared.messaging.broker import Lane, Outgoing
from shared.messaging.embedded_log import EmbeddedLog
from shared.postgres import databases
from shared.postgres.server import PostgresServer
from tests.integration.live.process import PATIENCE, ROOT, Product, eventually, overdue

pytestmark = pytest.mark.slow

NOWHERE = "postgresql://nobody:nothing@127.0.0.1:1/legal"


@pytest.fixture(scope="module")
def product(home: Path) -> Iterator[Product]:
    product = Product(home)
    product.start()
    product.await_ready(patience=150)
    assert product.say(overdue("patient")).status_code == 202
    eventually(lambda: product.of_debtor("analytics", product.debtor("patient")))
    yield product
    product.clean_up()


@pytest.fixture
def server(home: Path) -> PostgresServer:
    return PostgresServer(home / "data" / "up" / "postgres")


def environment(product: Product, **more: str) -> dict[str, str]:
    return {"FAIRDUE_MODE": "demo", "FAIRDUE_DATA": str(product.folder / "data"), **more}


async def found(product: Product, *, lag: int = 1000, stale: float = 60, **more: str) -> list[str]:
    return await examined(environment(product, **more), [], Limits(lag, stale))


@asynccontextmanager
async def planted(server: PostgresServer, service: str, wrong: str, *, mend: str) -> AsyncIterator[None]:
    """Something wrong in a service's tables, for a while."""
    connection = await asyncpg.connect(server.dsn(service, service))
    try:
        await connection.execute(wrong)
        yield
        await connection.execute(mend)
    finally:
        await connection.close()


def done(product: Product) -> tuple[int, str]:
    """The command itself: its exit code, and what it says."""
    ran = subprocess.run(
        [sys.executable, "-m", "services", "doctor"],
        cwd=ROOT, env={**os.environ, **environment(product)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return ran.returncode, ran.stdout


def test_a_system_that_is_well(product: Product) -> None:
    assert done(product) == (0, "nothing is wrong\n")


async def test_a_quarantine_and_its_letter(product: Product, server: PostgresServer) -> None:
    wrong = """INSERT INTO quarantine VALUES ('lane', 3, 'debtor', 'letter', '2026-01-02T03:04:05Z');
    INSERT INTO dead_letter VALUES ('letter', 'lane', 3, 't', 3, 1, 'b', 'debtor', 'e', 'x', 'is no date', 'as_of', '',
    'open', '2026-01-02T03:04:05Z')"""
    mend = "DELETE FROM quarantine WHERE owner = 'debtor'; DELETE FROM dead_letter WHERE id = 'letter'"
    async with planted(server, "intake", wrong, mend=mend):
        assert await found(product) == [
            "intake: lane: 1 debtors are in quarantine, the first since 2026-01-02 03:04:05+00:00",
            "intake: lane: 1 dead letters are open, one because: is no date",
        ]
        code, said = done(product)
        assert (code, len(said.splitlines())) == (1, 2)


async def test_a_gap(product: Product, server: PostgresServer) -> None:
    wrong = "INSERT INTO gap VALUES ('lane', 3, 't', 3, 'nobody/lane/3', 1, 7, 9, '2026-01-02T03:04:05Z')"
    async with planted(server, "legal", wrong, mend="DELETE FROM gap"):
        assert await found(product) == ["legal: lane: 1 gaps are open, the oldest since 2026-01-02 03:04:05+00:00"]


async def test_a_shard_that_has_stopped(product: Product, server: PostgresServer) -> None:
    wrong = "UPDATE actor SET stopped_reason = 'too many' WHERE (kind, number) = ('lane', 5)"
    async with planted(server, "analytics", wrong, mend="UPDATE actor SET stopped_reason = NULL"):
        assert await found(product) == ["analytics: shard lane/5 has stopped: too many"]


async def test_a_command_that_nobody_applies(product: Product, server: PostgresServer) -> None:
    wrong = """INSERT INTO command VALUES ('c', 'client', 'k', 'nobody', 3, 'n', 'o', 'b', 'a', '{}', '',
    'pending', NULL, now() - interval '2 minutes')"""
    async with planted(server, "intake", wrong, mend="DELETE FROM command WHERE id = 'c'"):
        assert await found(product) == ["intake: nobody: 1 commands have waited for more than a minute"]


async def test_facts_that_the_broker_has_not_taken(product: Product, server: PostgresServer) -> None:
    wrong = "INSERT INTO lane_out VALUES ('nobody', 3, 't', 3, 5000, 1000, '')"
    async with planted(server, "outreach", wrong, mend="DELETE FROM lane_out WHERE kind = 'nobody'"):
        assert await found(product) == ["outreach: 4000 facts are committed and not on their topic"]


async def test_migrations_that_are_pending(product: Product, server: PostgresServer) -> None:
    connection = await asyncpg.connect(server.dsn("legal", "legal"))
    try:
        (name,) = [
            row[0] for row in await connection.fetch("SELECT version_num FROM alembic_version WHERE version_num ~ '^l'")
        ]
    finally:
        await connection.close()
    wrong = f"DELETE FROM alembic_version WHERE version_num = '{name}'"
    async with planted(server, "legal", wrong, mend=f"INSERT INTO alembic_version VALUES ('{name}')"):
        (line,) = await found(product)
        assert line.startswith("legal: migrations are pending: legal_0001")


async def test_parts_that_do_not_answer(product: Product) -> None:
    (line,) = await found(product, DATABASE_URL_LEGAL=NOWHERE)
    assert line.startswith("legal: the database does not answer (")
    (line,) = await found(product, BROKER_URL="kafka://127.0.0.1:1")
    assert line.startswith("broker: does not answer (")


async def test_a_system_that_stands_still(product: Product, server: PostgresServer) -> None:
    assert product.process is not None
    product.process.send_signal(signal.SIGSTOP)
    try:
        await _say_raw(server, 3)
        lines = await found(product, lag=2)
        assert "intake: ingress: 3 records are unread" in lines

        signs = ("outreach: lane: 32 of 32 shards have no worker", "intake: 32 lanes are stale, the stalest for ")
        deadline = time.monotonic() + PATIENCE
        while missing := _without(signs, await found(product, lag=2, stale=5)):
            assert time.monotonic() < deadline, missing
            await asyncio.sleep(0.1)
    finally:
        product.process.send_signal(signal.SIGCONT)


def _without(signs: Iterable[str], lines: Iterable[str]) -> list[str]:
    known = list(lines)
    return [sign for sign in signs if not any(line.startswith(sign) for line in known)]


async def _say_raw(server: PostgresServer, records: int) -> None:
    """Put records on the public topic as they are."""
    log = await EmbeddedLog.open(server.dsn(databases.BROKER, databases.BROKER))
    writer = await log.writer()
    await writer.append({Lane(core_banking.TOPIC, 0): [Outgoing(None, b"{}") for _ in range(records)]})
    await writer.close()
    await log.close()


async def test_a_system_that_is_not_there(tmp_path: Path) -> None:
    nowhere = {"FAIRDUE_MODE": "demo", "FAIRDUE_DATA": str(tmp_path)}
    assert await examined(nowhere, [], Limits()) == [f"nothing runs in {tmp_path / 'up' / 'postgres'}"]
