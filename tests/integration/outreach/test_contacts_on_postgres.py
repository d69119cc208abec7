"""Contacts on real PostgreSQL and a real sandbox log: one for a step, whatever is tried, and all of it to be read."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from services.outreach.contacts.adapters.sandbox import SandboxGateway
from services.outreach.contacts.adapters.sandbox_log import PostgresGatewayLog
from services.outreach.contacts.permits import Signer
from services.outreach.contacts.red_line_queries import red_lines
from services.outreach.service import declare, with_gateway
from shared.clock import VirtualClock
from shared.contracts import intake
from shared.contracts.segmentation import Channel
from shared.http.app import close, create_app
from shared.http.database import engine_of
from shared.messaging.memory_log import MemoryLog
from shared.messaging.postgres_store import PostgresStore
from shared.messaging.turn import Turn
from shared.messaging.worker import Worker
from shared.service import ActorKind
from shared.settings import SANDBOX
from tests.conftest import BlankDatabase, DatabaseOf
from tests.integration.outreach.rig import SETTINGS, Actor
from tests.unit.outreach.play import case, payment, treatment

ANNA = "a" * 32
SIGNER = Signer(bytes(32))
STEPS = treatment("EARLY", (Channel.SMS, 0), (Channel.PHONE, 0), (Channel.LETTER, 0))
ON = replace(SETTINGS, dispatch=True).with_databases({SANDBOX: "postgresql://nobody@127.0.0.1:1/nowhere"})
SERVICE = declare(ON)
NOTHING_CROSSED = {
    "contacts_without_permit": 0,
    "contacts_after_payment": 0,
    "quiet_hours_violations": 0,
    "duplicate_contacts": 0,
    "lane_gaps_unrepaired": 0,
}


class Sending:
    """One worker of outreach's lanes, whose errands are done between its turns."""

    def __init__(self, dsn: str, sandbox: str, kind: ActorKind | None = None) -> None:
        self.dsn, self.sandbox = dsn, sandbox
        self.log = PostgresGatewayLog(sandbox)
        kind = kind or with_gateway(
            SERVICE.actors[0], SandboxGateway(self.log, SIGNER.public_key), SIGNER, self.log.close
        )
        self.store = PostgresStore(dsn, "lane")
        self.clock = VirtualClock(datetime(2026, 3, 1, 16, tzinfo=UTC))
        self.actor = Actor(kind, self.store)
        turn = Turn("outreach", kind, self.store, SETTINGS.vault)
        self.worker = Worker("sending", turn, self.store, MemoryLog(self.clock.now), self.clock, batch=1000)
        self.worker.in_step = True

    async def hear(self, payload: object, version: int) -> None:
        """A fact of the debtor."""
        self.actor.now = self.clock.now()
        self.actor.standings = self.worker.standings
        await self.actor.hear(payload, ANNA, version)  # type: ignore[arg-type]
        self.worker.standings = self.actor.standings

    async def wait(self, **time: float) -> None:
        """Let time pass in steps of ten minutes, and everything happen that falls due."""
        until = self.clock.now() + timedelta(**time)
        while self.clock.now() < until:
            self.clock.set(min(until, self.clock.now() + timedelta(minutes=10)))
            while await self.worker.has_work() or self.worker.errands.waiting:
                await self.worker.turn((), due=1000)
                await self.worker.errands.settle()
                await self.worker.turn(())

    async def close(self) -> None:
        await self.worker.errands.close()
        await self.store.close()


@pytest.fixture
async def sending(database_of: DatabaseOf, blank_database: BlankDatabase) -> AsyncIterator[Sending]:
    sending = Sending(database_of("outreach"), blank_database())
    await sending.worker.take(range(32))
    yield sending
    await sending.close()


async def test_what_was_done_to_reach_a_person_can_be_read_with_every_rule(sending: Sending) -> None:
    await sending.hear(intake.CaseOpened(case=case()), 1)
    await sending.hear(STEPS, 1)
    await sending.wait(days=1)
    ledger = await read(sending, f"/v1/debtors/{ANNA}/contacts")
    assert sorted(each["channel"] for each in ledger["contacts"]) == ["letter", "phone", "sms"]
    assert {each["state"] for each in ledger["contacts"]} == {"made"}
    rules = {rule["rule"]: rule for rule in ledger["contacts"][0]["rules"]}
    assert rules["CN-W1"]["reason"] == ""
    assert set(rules["CN-W1"]["title"]) == {"en", "zh"}
    assert "GB/T 45251" in rules["CN-W1"]["citation"]
    taken = await sending.log.every()
    assert {(each.permit_id, each.outcome) for each in taken} == {
        (each["contact_id"], each["outcome"]) for each in ledger["contacts"]
    }
    assert await red_lines(sending.dsn, sending.sandbox, {"CN": "Asia/Shanghai"}) == NOTHING_CROSSED


async def test_a_payment_leaves_nothing_to_be_sent(sending: Sending) -> None:
    await sending.hear(intake.CaseOpened(case=case()), 1)
    await sending.hear(STEPS, 1)
    await sending.wait(minutes=10)
    await sending.hear(payment(), 2)
    await sending.wait(days=2)
    assert (await read(sending, f"/v1/debtors/{ANNA}/contacts"))["contacts"] == []
    assert await sending.log.every() == []


async def test_the_database_itself_refuses_a_second_contact_for_a_step(sending: Sending) -> None:
    await sending.hear(intake.CaseOpened(case=case()), 1)
    await sending.hear(STEPS, 1)
    await sending.wait(days=1)
    connection = await asyncpg.connect(sending.dsn)
    columns = [
        name
        for (name,) in await connection.fetch(
            "SELECT column_name FROM information_schema.columns WHERE table_name = 'contact'"
        )
        if name != "contact_id"
    ]
    again = f"INSERT INTO contact (contact_id, {', '.join(columns)}) SELECT 'twin', {', '.join(columns)} FROM contact"
    with pytest.raises(asyncpg.UniqueViolationError):
        await connection.execute(f"{again} WHERE channel = 'sms'")
    await connection.close()


async def test_nobody_unknown_has_a_ledger(sending: Sending) -> None:
    answer = await read(sending, "/v1/debtors/nobody/contacts", status=404)
    assert answer["field"] == "debtor_id"


async def read(sending: Sending, path: str, status: int = 200) -> dict[str, Any]:
    engine = engine_of(sending.dsn, pool_size=2)
    app = create_app(SERVICE, SETTINGS, engine=engine)
    token = next(one.token for one in SETTINGS.tokens if one.role == "operator")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        answer = await client.get(path, headers={"Authorization": f"Bearer {token}"})
    await close(app)
    await engine.dispose()
    assert answer.status_code == status, answer.text
    return answer.json()  # type: ignore[no-any-return]
