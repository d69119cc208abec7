"""`python -m services up`, as a new user starts it: one process, asked over HTTP, killed, and started again."""

import asyncio
import re
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from shared.contracts import core_banking
from shared.messaging.broker import Lane, Outgoing
from shared.messaging.embedded_log import EmbeddedLog
from shared.messaging.housekeeping import partition
from shared.observability import metrics
from shared.postgres import databases
from shared.postgres.server import PostgresServer
from shared.service import SHARDS
from shared.settings import SERVICES
from tests.integration.live.process import TOKENS, Product, eventually, overdue, today
from tests.unit.segmentation.play import document

pytestmark = pytest.mark.slow

NEEDS_A_FAULT = {
    "lane_watermark_age_seconds": "outside intake nobody relays watermarks yet; it is shown for intake",
    "provider_calls_total": "in a demo nobody but the sandbox is asked, which is behind no breaker",
    "provider_circuit_state": "the same",
    "trace_spans_total": "no collector of traces is named here; test_traces.py has one",
    "webhook_calls_total": "no agency has set a webhook",
    **dict.fromkeys(
        (
            "reconciled_at_seconds",
            "reconciliation_drift_accounts",
            "reconciliation_drift_minor_units",
            "reconciliation_refused_rows",
        ),
        "nobody holds a book against ours here; the test of the Compose file does",
    ),
}
"""Metrics that this healthy run need not show, and why."""

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def server(home: Path) -> PostgresServer:
    """The database server that `up` starts; only looked at."""
    return PostgresServer(home / "data" / "up" / "postgres")


@pytest.fixture(scope="module")
def product(home: Path) -> Iterator[Product]:
    """The system, running and ready, with a first debtor whose plan is on its way."""
    product = Product(home)
    product.start()
    product.await_ready()
    assert product.say(overdue("first")).status_code == 202
    yield product
    product.clean_up()


async def rows(server: PostgresServer, service: str, query: str) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(server.dsn(service, service))
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def say_raw(server: PostgresServer, *records: Outgoing) -> None:
    """Put records on the public topic as they are, behind the back of REST."""
    log = await EmbeddedLog.open(server.dsn(databases.BROKER, databases.BROKER))
    writer = await log.writer()
    await writer.append({Lane(core_banking.TOPIC, 0): records})
    await writer.close()
    await log.close()


def test_addresses_and_tokens_are_printed(product: Product) -> None:
    said = product.said()
    for service in SERVICES:
        assert re.search(rf"^{service} +http://127.0.0.1:{product.ports[service]}/docs$", said, re.MULTILINE)
    for role, token in TOKENS.items():
        assert re.search(rf"^{role} +Authorization: Bearer {token}$", said, re.MULTILINE)


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_answers_and_holds_all_its_shards(product: Product, service: str) -> None:
    assert product.get(service, "/livez").json() == {"service": service, "live": True}
    assert product.get(service, "/docs").status_code == 200
    ready = product.get(service, "/readyz").json()
    assert ready["ready"]
    assert {check["name"] for check in ready["checks"]} >= {"database", "broker", "worker lane"}
    assert product.held(service)["lane"] == 32


def test_a_bank_event_is_followed_through_all_five(product: Product) -> None:
    debtor_id = product.debtor("first")
    case = eventually(lambda: product.case(debtor_id))
    assert (case["status"], case["days_past_due"]) == ("open", 14)
    segmented = eventually(lambda: product.of_debtor("segmentation", debtor_id).get("stage"))
    assert segmented == "EARLY"
    eventually(lambda: product.of_debtor("outreach", debtor_id).get("treatment"))
    assert product.of_debtor("outreach", debtor_id)["treatment"]["stage"] == "EARLY"
    assert eventually(lambda: product.of_debtor("legal", debtor_id))["case"]["status"] == "open"
    counted = eventually(lambda: product.of_debtor("analytics", debtor_id))
    assert counted["loans"][0]["past_due"] == 10_000


def test_a_hold_is_placed_once_however_often_it_is_sent(product: Product) -> None:
    product.say(overdue("held"))
    debtor_id = product.debtor("held")
    eventually(lambda: product.of_debtor("outreach", debtor_id))

    def place(reason: str) -> httpx.Response:
        path = f"/v1/debtors/{debtor_id}/holds"
        return product.post("outreach", path, {"reason": reason}, headers={"Idempotency-Key": "hold-1"})

    first, second = place("dispute"), place("dispute")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert place("another reason").status_code == 422
    holds = product.of_debtor("outreach", debtor_id)["holds"]
    assert [hold["hold_id"] for hold in holds] == [first.json()["hold_id"]]


def test_a_strategy_of_two_persons_reaches_every_lane(product: Product, server: PostgresServer) -> None:
    text = msgspec.to_builtins(document(effective=today() + timedelta(30)))
    proposed = product.post("segmentation", "/v1/strategies", text, headers={"Idempotency-Key": "proposal-1"})
    assert proposed.status_code == 201
    path, body = "/v1/strategies/s2_ladder/2/approve", {"digest": proposed.json()["digest"]}
    alone = product.post("segmentation", path, body, headers={"Idempotency-Key": "approval-1"})
    assert alone.status_code == 403
    headers = {"Idempotency-Key": "approval-2"}
    assert product.post("segmentation", path, body, "supervisor", headers).json()["state"] == "approved"

    def heard_by() -> list[tuple[Any, ...]]:
        directives = "SELECT number FROM directive WHERE kind = 'lane' AND name = 'strategy s2_ladder 2'"
        return asyncio.run(rows(server, "segmentation", directives))

    eventually(lambda: len(heard_by()) == SHARDS)
    shown = product.get("segmentation", "/v1/strategies/s2_ladder/2").json()
    assert (shown["state"], [entry["step"] for entry in shown["entries"]]) == ("approved", ["proposed", "approved"])


async def test_a_bad_record_costs_one_debtor_and_no_neighbour(product: Product, server: PostgresServer) -> None:
    bad = b'{"lender_id": "demo-bank", "party_id": "unlucky", "loan_id": "loan-unlucky", "as_of": "yesterday"}'
    headers = {
        "ce_specversion": "1.0", "ce_type": "core-banking.loan-overdue.v1", "ce_id": "bad-1", "ce_source": "test",
        "content-type": "application/json", "traceparent": TRACE,
    }  # fmt: skip
    await say_raw(server, Outgoing(None, bad, tuple((name, value.encode()) for name, value in headers.items())))
    product.say(overdue("neighbour"))
    debtor_id, neighbour = product.debtor("unlucky"), product.debtor("neighbour")

    (letter,) = eventually(lambda: product.get("intake", "/v1/dead-letters?status=open").json()["items"])
    assert (letter["kind"], letter["owner"], letter["status"]) == ("ingress", debtor_id, "open")
    assert letter["field"]
    assert eventually(lambda: product.case(neighbour))["status"] == "open"
    (quarantine,) = eventually(lambda: product.get("intake", "/v1/quarantines").json()["items"])
    assert (quarantine["owner"], quarantine["letter_id"]) == (debtor_id, letter["id"])

    product.say(overdue("unlucky"))
    eventually(lambda: _sample(product, "intake", "parked_events") == 1)
    assert _sample(product, "intake", "quarantined_debtors") == 1
    assert product.case(debtor_id) == {}

    path = f"/v1/dead-letters/{letter['id']}"
    again = product.post("intake", f"{path}/replay", {}, headers={"Idempotency-Key": "replay-1"})
    assert again.status_code == 409
    given_up = product.post(
        "intake", f"{path}/discard", {"reason": "sent anew"}, "supervisor", {"Idempotency-Key": "discard-1"}
    )
    assert given_up.status_code == 200
    assert eventually(lambda: product.case(debtor_id))["status"] == "open"
    eventually(lambda: not product.get("intake", "/v1/quarantines").json()["items"])
    _check_what_was_logged(product.said(), letter["id"], debtor_id)


def _check_what_was_logged(said: str, letter_id: str, debtor_id: str) -> None:
    lines = {name: re.findall(rf"^.*\] {name} .*$", said, re.MULTILINE) for name in ("dead_letter", "quarantined")}
    assert [line for line in lines["dead_letter"] if letter_id in line and debtor_id in line and TRACE in line]
    assert [line for line in lines["quarantined"] if "kind=lane" in line and debtor_id in line]
    assert re.search(rf"\] released .*{letter_id}", said)
    assert "yesterday" not in said
    assert "unlucky" not in said


def _sample(product: Product, service: str, name: str) -> float:
    """The sum over a metric's samples, without what prometheus_client adds to it."""
    families = text_string_to_metric_families(product.get(service, "/metrics").text)
    samples = [sample for family in families for sample in family.samples]
    return sum(sample.value for sample in samples if sample.name == name)


def test_every_metric_that_is_declared_is_fed(product: Product) -> None:
    def fed() -> set[str]:
        shown = "\n".join(product.get(service, "/metrics").text for service in SERVICES)
        return {re.split(r"[{ ]", line)[0] for line in shown.splitlines() if not line.startswith("#")}

    def unfed() -> list[str]:
        names = fed()
        return [
            one.name
            for one in metrics.ALL
            if not {one.name, f"{one.name}_count"} & names and one.name not in NEEDS_A_FAULT
        ]

    eventually(lambda: not unfed())
    counted = {"events_applied_total", "facts_told_total", "batch_events_count", "takeovers_total", "commands_total"}
    for name in counted:
        assert any(_sample(product, service, name) > 0 for service in SERVICES), name


RED_LINES = (
    *("contacts_without_permit", "contacts_after_payment", "quiet_hours_violations", "duplicate_contacts"),
    "lane_gaps_unrepaired",
)
GHOST = """
INSERT INTO contact SELECT (jsonb_populate_record(NULL::contact, jsonb_build_object(
    'shard', 1, 'debtor_id', 'ghost', 'contact_id', 'ghost', 'plan_number', 0, 'step_number', 1, 'channel', 'letter',
    'purpose', '', 'template', '', 'asked_by', '', 'idempotency_key', 'ghost', 'state', 'made', 'permitted_at', now(),
    'expires_at', now(), 'case_version', 1, 'pack', '', 'pack_version', '', 'rules', '[]'::jsonb, 'tries', 1,
    'lookups', 0, 'outcome', 'sent', 'provider_reference', '', 'reason', '', 'settled', false,
    'by_hand', false, 'party', 'debtor', 'contact_point', '', 'point', '', 'wording', ''))).*
"""
ITS_END = """
INSERT INTO history (shard, debtor_id, event_id, type, case_version, actor, caused_by, occurred_at, recorded_at, data)
VALUES (1, 'ghost', 'ghost', 'outreach.contact-made.v1', 0, '', '', now(), now(), '{}')
"""


async def test_a_red_line_that_is_crossed_shows_in_the_metrics(product: Product, server: PostgresServer) -> None:
    assert {line: _sample(product, "outreach", line) for line in RED_LINES} == dict.fromkeys(RED_LINES, 0.0)
    for statement in (GHOST, ITS_END):
        await rows(server, "outreach", statement)
    eventually(lambda: _sample(product, "outreach", "contacts_without_permit") == 1)


def test_lag_comes_to_nought(product: Product) -> None:
    for service in SERVICES:
        eventually(lambda service=service: product.lag(service) == 0)  # type: ignore[misc]


@pytest.mark.parametrize("service", ["intake", "segmentation", "outreach"])
async def test_what_is_told_lies_in_the_partition_of_its_day(
    product: Product, server: PostgresServer, service: str
) -> None:
    places = {name for (name,) in await rows(server, service, "SELECT DISTINCT tableoid::regclass::text FROM outbox")}
    assert places
    assert "outbox_default" not in places
    made = {name for (name,) in await rows(server, service, "SELECT relname FROM pg_class WHERE relkind = 'r'")}
    assert partition(today()) in made


def test_killed_and_started_again_nothing_is_lost(product: Product, server: PostgresServer) -> None:
    before = product.case(product.debtor("first"))
    parties = [f"late-{number}" for number in range(40)]
    assert product.say(*(overdue(party) for party in parties)).status_code == 202
    assert product.end(signal.SIGKILL) == -signal.SIGKILL
    assert server.is_running()
    product.start()
    product.await_ready()
    for party in parties:
        debtor_id = product.debtor(party)
        assert eventually(lambda debtor_id=debtor_id: product.case(debtor_id))["version"] == 1  # type: ignore[misc]
        eventually(lambda debtor_id=debtor_id: product.of_debtor("analytics", debtor_id))  # type: ignore[misc]
    assert product.case(product.debtor("first")) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_of_it_cleanly_and_the_next_start_has_the_same_data(
    product: Product, server: PostgresServer, number: signal.Signals
) -> None:
    before = {party: product.case(product.debtor(party)) for party in ("first", "held", "late-7")}
    assert product.end(number) == 0
    assert not server.is_running()
    assert "Traceback" not in product.said()
    product.start()
    product.await_ready()
    assert {party: product.case(product.debtor(party)) for party in before} == before
    assert product.held("intake") == {"ingress": 7, "lane": 32, "profiles": 32}


def test_a_plan_is_made_a_moment_after_the_treatment_whatever_was_killed_meanwhile(product: Product) -> None:
    debtor_id = product.debtor("first")
    plan = eventually(lambda: product.of_debtor("outreach", debtor_id)["plan"], 100.0)
    assert plan["state"] == "active"
    assert [step["channel"] for step in plan["steps"]] == ["phone", "sms"]
    eventually(lambda: product.of_debtor("analytics", debtor_id)["plans"])


def test_a_port_that_is_taken_is_named_in_one_line(product: Product, tmp_path: Path, home: Path) -> None:
    second = Product(home, ("run", "intake", "--role", "api"), {"FAIRDUE_MODE": "demo"}, product.ports)
    second.start()
    assert second.process is not None
    assert second.process.wait(30) == 2
    assert second.said().splitlines()[-1].startswith("fairdue: FAIRDUE_PORT_INTAKE: ")
    assert "Traceback" not in second.said()
