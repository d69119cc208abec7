"""The red lines as the running service shows them: one crossing of each is planted, and read from /metrics."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from services.outreach.contacts.red_line_counts import AT_ONCE, PIECES
from services.outreach.contacts.red_line_watch import RedLineWatch
from shared.contracts import intake
from shared.http.app import close, create_app
from shared.http.database import engine_of
from shared.messaging.memory_log import MemoryLog
from shared.messaging.postgres_store import PostgresStore
from shared.messaging.turn import Turn
from shared.messaging.worker import ASK_AGAIN_AFTER, UNREPAIRED_AFTER, Worker
from tests.conftest import BlankDatabase, DatabaseOf
from tests.integration.outreach.rig import SETTINGS
from tests.integration.outreach.test_contacts_on_postgres import ANNA, SERVICE, STEPS, Sending
from tests.unit.outreach.play import case, payment

ZONES = {"CN": "Asia/Shanghai"}
NIGHT = "2026-03-02T15:00:00+00:00"  # 23:00 in China
LINES = {
    **dict.fromkeys(
        (("contacts_without_permit", "ledger"), ("contacts_without_permit", "gateway_log"),
         ("contacts_after_payment", "ledger"), ("quiet_hours_violations", "ledger"),
         ("quiet_hours_violations", "gateway_log"), ("duplicate_contacts", "ledger"),
         ("duplicate_contacts", "gateway_log")), 0.0),
}  # fmt: skip
CONTACT = """
INSERT INTO contact SELECT (jsonb_populate_record(c, $1::jsonb)).* FROM contact c WHERE channel = 'sms' LIMIT 1
"""
FACT = """
INSERT INTO history (shard, debtor_id, event_id, type, case_version, actor, caused_by, occurred_at, recorded_at, data)
VALUES (1, $1, 'planted', $2, 0, '', '', now(), now(), $3)
"""
PERMITTED, MADE, STOPPED = (f"outreach.{name}.v1" for name in ("contact-permitted", "contact-made", "plan-stopped"))
TAKEN = (
    "INSERT INTO taken (key, permit_id, debtor_id, channel, template, taken_at, outcome) VALUES ($1,$2,$3,$4,'',$5,'')"
)


class Planting:
    """A debtor with three lawful contacts, the watch over them, and somebody who writes beside the product."""

    def __init__(self, sending: Sending, outreach: Any, sandbox: Any) -> None:
        self.sending, self.outreach, self.sandbox = sending, outreach, sandbox
        self.watch = RedLineWatch(sending.dsn, sending.sandbox, ZONES)

    async def contact(self, **other: Any) -> None:
        """A copy of the message that was sent, with what is different."""
        planted = {"contact_id": "planted", "idempotency_key": "planted", "step_number": 99, **other}
        await self.outreach.execute(CONTACT, json.dumps(planted))

    async def fact(self, name: str, **data: Any) -> None:
        await self.outreach.execute(FACT, ANNA, name, json.dumps(data))

    async def taken(self, key: str, permit: str, channel: str, at: str = "2026-03-02T04:00:00+00:00") -> None:
        await self.sandbox.execute(TAKEN, key, permit, ANNA, channel, datetime.fromisoformat(at))

    async def shown(self, *names: str) -> dict[tuple[str, str], float]:
        """What a scraper reads once the watch has looked, by name and source."""
        await self.watch.look()
        text = await scraped(self.sending.dsn)
        samples = [each for family in text_string_to_metric_families(text) for each in family.samples]
        wanted = names or {line for line, _ in LINES}
        return {(each.name, each.labels.get("source", "")): each.value for each in samples if each.name in wanted}


async def scraped(dsn: str) -> str:
    engine = engine_of(dsn, pool_size=1)
    app = create_app(SERVICE, SETTINGS, engine=engine)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        answer = await client.get("/metrics")
    await close(app)
    await engine.dispose()
    return answer.text


@pytest.fixture
async def planting(database_of: DatabaseOf, blank_database: BlankDatabase) -> AsyncIterator[Planting]:
    sending = Sending(database_of("outreach"), blank_database())
    await sending.worker.take(range(32))
    await sending.hear(intake.CaseOpened(case=case()), 1)
    await sending.hear(STEPS, 1)
    await sending.wait(days=1)
    outreach, sandbox = await asyncpg.connect(sending.dsn), await asyncpg.connect(sending.sandbox)
    planting = Planting(sending, outreach, sandbox)
    yield planting
    await planting.watch.close()
    await outreach.close()
    await sandbox.close()
    await sending.close()


async def plant(planting: Planting, name: str) -> None:  # one case each, read as a table
    match name:
        case "a message that the ledger knows nothing of":
            await planting.taken("unheard of", "forged", "letter")
        case "a contact whose permit was never told":
            await planting.contact()
            await planting.fact(MADE, contact_id="planted")
        case "a contact of a plan that was stopped":
            await planting.fact(STOPPED, plan_number=1)
            await planting.contact()
            await planting.fact(PERMITTED, contact_id="planted")
        case "a message at night":
            await planting.contact(permitted_at=NIGHT, expires_at="2026-03-02T15:01:00+00:00")
            await planting.fact(PERMITTED, contact_id="planted")
            await planting.taken("planted", "planted", "sms", NIGHT)
        case "a contact at night that no log of ours knows":
            await planting.contact(permitted_at=NIGHT)
            await planting.fact(PERMITTED, contact_id="planted")
        case "a step with two contacts":
            await planting.contact(step_number=1)
            await planting.fact(PERMITTED, contact_id="planted")
        case "a permit used twice":
            permit = await planting.outreach.fetchval("SELECT contact_id FROM contact WHERE channel = 'letter'")
            await planting.taken("once more", permit, "letter")
        case _:
            raise AssertionError(name)


@pytest.mark.parametrize(
    ("name", "crossed"),
    [
        ("a message that the ledger knows nothing of", {("contacts_without_permit", "gateway_log")}),
        ("a contact whose permit was never told", {("contacts_without_permit", "ledger")}),
        ("a contact of a plan that was stopped", {("contacts_after_payment", "ledger")}),
        ("a message at night", {("quiet_hours_violations", "gateway_log")}),
        ("a contact at night that no log of ours knows", {("quiet_hours_violations", "ledger")}),
        ("a step with two contacts", {("duplicate_contacts", "ledger")}),
        (
            "a permit used twice",
            {("duplicate_contacts", "gateway_log"), ("contacts_without_permit", "gateway_log")},
        ),
    ],
)
async def test_a_planted_crossing_is_read_from_the_metrics(
    planting: Planting, name: str, crossed: set[tuple[str, str]]
) -> None:
    planting.watch.begin()
    assert await planting.shown() == LINES
    await plant(planting, name)
    assert await planting.shown() == {**LINES, **dict.fromkeys(crossed, 1.0)}
    again = RedLineWatch(planting.sending.dsn, planting.sending.sandbox, ZONES)
    await again.look()  # as a process does that has just been started
    await again.close()
    assert {key for key, times in (await planting.shown()).items() if times} == crossed


async def test_every_series_is_there_before_anything_is_counted(planting: Planting) -> None:
    await plant(planting, "a message that the ledger knows nothing of")
    planting.watch.begin()
    text = await scraped(planting.sending.dsn)
    for line, source in LINES:
        assert f'{line}{{service="outreach",source="{source}"}} 0.0' in text


async def test_without_a_log_of_the_gateway_the_ledger_alone_is_counted(planting: Planting) -> None:
    watch = RedLineWatch(planting.sending.dsn, None, ZONES)
    await plant(planting, "a message at night")
    await watch.look()
    await watch.close()
    text = await scraped(planting.sending.dsn)
    assert 'quiet_hours_violations{service="outreach",source="ledger"} 1.0' in text


async def test_what_was_given_its_place_first_and_committed_last_is_not_passed_over(planting: Planting) -> None:
    await planting.shown()
    late = planting.outreach.transaction()
    await late.start()
    await plant(planting, "a contact of a plan that was stopped")
    other = await asyncpg.connect(planting.sending.dsn)
    await other.execute(FACT, "b" * 32, MADE, "{}")
    await other.close()
    assert await planting.shown() == LINES
    assert await planting.shown("red_line_backlog_rows") == {
        ("red_line_backlog_rows", "ledger"): 3.0,
        ("red_line_backlog_rows", "gateway_log"): 0.0,
    }
    await late.commit()
    assert (await planting.shown())["contacts_after_payment", "ledger"] == 1.0


async def test_a_ledger_that_was_never_counted_is_caught_up_with_over_several_looks(planting: Planting) -> None:
    once, many = AT_ONCE * PIECES, AT_ONCE * PIECES * 2
    await planting.outreach.execute(
        FACT.replace("VALUES (1, $1, 'planted', $2, 0, '', '', now(), now(), $3)",
                     "SELECT 1, $1 || n % 100, n, $2, 0, '', '', now(), now(), $3 FROM generate_series(1, $4::int) n"),
        "nobody ", MADE, "{}", many,
    )  # fmt: skip
    rows = await planting.outreach.fetchval("SELECT max(id) FROM history")
    behind = [(await planting.shown("red_line_backlog_rows"))["red_line_backlog_rows", "ledger"] for _ in range(2)]
    await plant(planting, "a contact of a plan that was stopped")
    assert (await planting.shown())["contacts_after_payment", "ledger"] == 1.0
    assert behind == [rows - once, rows - 2 * once]


async def test_another_process_that_counts_is_not_waited_for(planting: Planting) -> None:
    await planting.shown()
    await plant(planting, "a step with two contacts")
    async with planting.outreach.transaction():
        await planting.outreach.fetch("SELECT FROM red_line_log FOR UPDATE")
        assert await asyncio.wait_for(planting.shown(), 20) == LINES
    assert (await planting.shown())["duplicate_contacts", "ledger"] == 1.0


async def test_a_contact_that_a_payment_came_too_late_for_is_exposure_and_no_red_line(planting: Planting) -> None:
    names = ("exposed_contacts", "longest_exposure_seconds")
    nothing = {("exposed_contacts", ""): 0.0, ("longest_exposure_seconds", ""): 0.0}
    assert await planting.shown(*names) == nothing
    rows = await planting.outreach.fetch("SELECT permitted_at FROM contact ORDER BY permitted_at")
    stopped_at = planting.sending.clock.now()
    before_the_last = rows[-1]["permitted_at"] - timedelta(seconds=1)
    await planting.sending.hear(payment(received_at=before_the_last), 2)
    exposed = {
        ("exposed_contacts", ""): 1.0,
        ("longest_exposure_seconds", ""): (stopped_at - before_the_last).total_seconds(),
    }
    assert await planting.shown(*names) == pytest.approx(exposed, abs=0.001)
    assert await planting.shown() == LINES


async def test_an_open_gap_that_nobody_closes_is_shown_by_its_service(database_of: DatabaseOf) -> None:
    dsn = database_of("outreach")
    connection = await asyncpg.connect(dsn)
    await connection.execute(
        "INSERT INTO gap (kind, number, topic, partition, source, incarnation, from_seq, seen_seq)"
        " VALUES ('lane', 0, 'intake.events', 0, 'intake/lane/0', 1, 1, 2)"
    )
    await connection.close()
    store = PostgresStore(dsn, "lane")
    clock = Elapsing()
    turn = Turn("outreach", SERVICE.actors[0], store, SETTINGS.vault)
    worker = Worker("gap", turn, store, MemoryLog(clock.now), clock, batch=10)
    worker.meter.begin()
    await worker.take([0])
    for seconds, shown in ((0.0, 0.0), (ASK_AGAIN_AFTER, 0.0), (UNREPAIRED_AFTER, 1.0)):
        clock.seconds += seconds
        assert worker.ask_for_gaps() == 1
        assert f'lane_gaps_unrepaired{{kind="lane",service="outreach"}} {shown}' in await scraped(dsn)
    worker.meter.unrepaired(0)
    await worker.errands.close()
    await store.close()


class Elapsing:
    """A clock that is moved by hand."""

    seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 3, 2, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def elapsed(self) -> float:
        return self.seconds
