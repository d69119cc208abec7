"""The whole product, running, with the book of a small bank in it and events that it could not read."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.contracts import core_banking
from shared.messaging.broker import Lane, Outgoing
from shared.messaging.embedded_log import EmbeddedLog
from shared.postgres import databases
from shared.postgres.server import PostgresServer
from tests.integration.live.conftest import home
from tests.integration.live.process import Product, eventually

__all__ = ["home"]

AGENCY = {
    "agency_id": "east-recovery", "name": "East Recovery Ltd", "licence_number": "L-4711",
    "licence_until": "2027-06-30", "contract_number": "C-17", "contract_from": "2026-01-01",
    "contract_until": "2026-12-31", "published": True, "capacity": 5000, "commission_ppm": [180000],
}  # fmt: skip

LOANS, DAYS, SEED = "150", "8", "19"
"""Of these loans, one has long been overdue, so there is a matter."""


@pytest.fixture(scope="module")
def product(home: Path) -> Iterator[Product]:
    """A demo of a few days, kept running: cases, plans, matters, history, dead letters, all workers at work."""
    demo = Product(home, ("demo", "--loans", LOANS, "--days", DAYS, "--seed", SEED))
    demo.start()
    assert demo.process is not None
    try:
        assert demo.process.wait(150) == 0, demo.said()
    finally:
        demo.clean_up()
    (home / "data" / "demo").rename(home / "data" / "up")
    product = Product(home, settings={"FAIRDUE_WATCHDOG_SECONDS": "600"})
    product.start()
    try:
        product.await_ready()
        listed = product.post("outreach", "/v1/agencies", AGENCY, "supervisor", {"Idempotency-Key": "an-agency"})
        assert listed.status_code == 201, listed.text
        asyncio.run(_say_nonsense(PostgresServer(home / "data" / "up" / "postgres")))
        eventually(lambda: product.get("intake", "/v1/dead-letters").json()["items"])
        yield product
    finally:
        product.clean_up()


async def _say_nonsense(server: PostgresServer) -> None:
    """Put records that nobody can read on the public topic, behind the back of REST."""
    log = await EmbeddedLog.open(server.dsn(databases.BROKER, databases.BROKER))
    writer = await log.writer()
    await writer.append({Lane(core_banking.TOPIC, 0): [Outgoing(None, b"{", ())] * 5})
    await writer.close()
    await log.close()
