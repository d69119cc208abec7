"""Outreach on a real database: a case becomes a plan, a visit and a hold, each can be read, and a payment stops all."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from services.outreach.allocator.store import LAYOUT as BOOKS
from services.outreach.plans.store import LAYOUT as PLANS
from shared.contracts import intake
from shared.contracts.segmentation import Channel
from shared.http.app import close, create_app
from shared.http.database import engine_of
from shared.messaging.layout import Layout, Table
from shared.messaging.postgres_store import PostgresStore
from shared.messaging.rows import columns_of
from tests.conftest import DatabaseOf
from tests.integration.outreach.rig import ALLOCATOR, LANE, LENDER, MONDAY, SERVICE, SETTINGS, Actor, answered, names
from tests.unit.outreach.play import case, payment, treatment

ANNA, BERTA = "a" * 32, "b" * 32
VISIT = treatment("PRE_LEGAL", (Channel.LETTER, 0), (Channel.VISIT, 1), (Channel.LEGAL_REFERRAL, 2))

Get = Callable[[str], Awaitable[Any]]


@pytest.fixture
def dsn(database_of: DatabaseOf) -> str:
    return database_of("outreach")


@pytest.fixture
async def lane(dsn: str) -> AsyncIterator[Actor]:
    async with PostgresStore(dsn, "lane") as store:
        actor = Actor(LANE, store)
        await actor.take()
        yield actor


@pytest.fixture
async def allocator(dsn: str) -> AsyncIterator[Actor]:
    async with PostgresStore(dsn, "allocator") as store:
        actor = Actor(ALLOCATOR, store)
        await actor.take()
        yield actor


@pytest.fixture
async def client(dsn: str) -> AsyncIterator[httpx.AsyncClient]:
    engine = engine_of(dsn, pool_size=2)
    app = create_app(SERVICE, SETTINGS, engine=engine)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        client.headers["Authorization"] = f"Bearer {token_of('operator')}"
        yield client
    await close(app)
    await engine.dispose()


@pytest.fixture
def get(client: httpx.AsyncClient) -> Get:
    async def answer(path: str) -> Any:
        found = await client.get(path)
        assert found.status_code == 200, found.text
        return found.json()

    return answer


def token_of(role: str) -> str:
    return next(one.token for one in SETTINGS.tokens if one.role == role)


async def start(lane: Actor, debtor_id: str = ANNA) -> None:
    await lane.hear(intake.CaseOpened(case=case()), debtor_id, 1)
    await lane.hear(VISIT, debtor_id, 1)
    assert names(await lane.wait(minutes=2)) == ["PlanStarted"]


@pytest.mark.parametrize(
    ("layout", "table"),
    [pytest.param(layout, table, id=table.name) for layout in (PLANS, BOOKS) for table in layout.tables.values()],
)
async def test_each_table_has_the_columns_of_its_rows(dsn: str, layout: Layout, table: Table) -> None:
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch(
        "SELECT column_name, udt_name, is_nullable FROM information_schema.columns WHERE table_name = $1", table.name
    )
    await connection.close()
    found = {row["column_name"]: (row["udt_name"], row["is_nullable"] == "YES") for row in rows}
    short = {"bigint": "int8", "boolean": "bool"}
    hints = table.row.__annotations__
    expected = {
        column.name: (short.get(column.sql, column.sql), "None" in str(hints[column.name]))
        for column in columns_of(table)
    }
    expected |= {"id": ("int8", False)} if table.use == "journal" else {}
    expected |= {"shard": ("int2", False)} | ({layout.owner: ("text", False)} if table.use != "tally" else {})
    assert found == expected


async def test_a_case_runs_through_its_plan_and_its_visit_to_the_referral(
    lane: Actor, allocator: Actor, get: Get
) -> None:
    await lane.hear(intake.BusinessDateAdvanced(business_date=MONDAY))
    await start(lane)
    assert names(await lane.wait(days=1)) == ["StepEnded"]
    await lane.hear(intake.BusinessDateAdvanced(business_date=MONDAY + timedelta(1)))
    requested = await lane.wait(days=1)
    assert names(requested) == ["VisitRequested"]
    assert await lane.relay(requested, allocator) == []
    closed = await lane.hear(intake.BusinessDateAdvanced(business_date=MONDAY + timedelta(2)))
    assert names(closed) == ["RequestsClosed"] * 32
    scheduled = await allocator.hear(closed[0].data)
    assert [(event.debtor_id, event.data.crew) for event in scheduled] == [(ANNA, "SH-E1")]
    assert names(await allocator.relay(scheduled, lane)) == ["StepEnded"]
    assert names(await lane.wait(days=1)) == ["StepEnded", "LegalReferred"]
    debtor = await get(f"/v1/debtors/{ANNA}")
    assert debtor["plan"]["state"] == "completed"
    assert [(step["channel"], step["state"]) for step in debtor["plan"]["steps"]] == [
        ("letter", "not_dispatched"),
        ("visit", "assigned"),
        ("legal_referral", "referred"),
    ]
    (visit,) = (await get("/v1/visits?crew=SH-E1&visit_on=2026-03-04"))["items"]
    assert (visit["debtor_id"], visit["state"], visit["distance_km"]) == (ANNA, "assigned", 1)
    first = await get("/v1/visits?limit=1&state=assigned")
    assert [one["step_number"] for one in first["items"]] == [2]
    assert await get(f"/v1/visits?limit=1&after={first['next']}") == {"items": [], "next": None}


async def test_a_payment_stops_all_and_the_next_plan_has_the_next_number(lane: Actor, get: Get) -> None:
    await start(lane)
    stopped = await lane.hear(payment(), ANNA, 2)
    assert [(event.data.plan_number, event.data.cancelled) for event in stopped] == [(1, (1, 2, 3))]
    assert await lane.wait(days=30) == []
    await lane.hear(VISIT, ANNA, 1)
    await lane.hear(VISIT, ANNA, 2)
    assert [event.data.plan_number for event in await lane.wait(minutes=2)] == [2]
    plans = (await get(f"/v1/plans?debtor_id={ANNA}"))["items"]
    assert [(plan["plan_number"], plan["state"], plan["end_reason"]) for plan in plans] == [
        (1, "stopped", "payment posted"),
        (2, "active", ""),
    ]
    assert await get("/v1/refused-treatments") == [{"reason": "older than the last stop", "treatments": 1}]


async def test_what_is_held_about_a_debtor_can_be_read(lane: Actor, get: Get) -> None:
    await start(lane)
    debtor = await get(f"/v1/debtors/{ANNA}")
    assert debtor["guard"] == {
        "lender_id": LENDER,
        "case_version": 1,
        "status": "open",
        "stop_version": 0,
        "jurisdiction": "CN",
        "district": "CN-310115",
        "past_due": 50_000,
        "currency": "CNY",
        "plans_made": 1,
    }
    assert debtor["treatment"]["stage"] == "PRE_LEGAL"
    assert debtor["treatment"]["steps"][1] == {"number": 2, "channel": "visit", "after_days": 1, "template": ""}
    assert [step["state"] for step in debtor["plan"]["steps"]] == ["scheduled"] * 3
    assert debtor["holds"] == []


async def test_a_hold_is_placed_asked_for_again_and_lifted_over_rest(
    lane: Actor, client: httpx.AsyncClient, get: Get
) -> None:
    await lane.hear(intake.BusinessDateAdvanced(business_date=MONDAY))
    await start(lane)
    path, body = f"/v1/debtors/{ANNA}/holds", {"reason": "dispute", "until": "2026-04-01"}
    placed = await answered(lane, client.post(path, json=body, headers={"Idempotency-Key": "k1"}))
    assert (placed.status_code, placed.json()["stopped_plan"]) == (201, 1)
    again = await client.post(path, json=body, headers={"Idempotency-Key": "k1"})
    assert again.json() == placed.json()
    (hold,) = (await get(f"/v1/debtors/{ANNA}"))["holds"]
    assert (hold["reason"], hold["placed_by"], hold["released"]) == ("dispute", "operator/demo operator", False)
    release = f"{path}/{placed.json()['hold_id']}/release"
    lifted = await answered(lane, client.post(release, json={"reason": "agreed"}, headers={"Idempotency-Key": "k2"}))
    assert lifted.status_code == 200
    twice = await answered(lane, client.post(release, json={"reason": "agreed"}, headers={"Idempotency-Key": "k3"}))
    assert (twice.status_code, twice.json()["detail"]) == (409, "the hold was lifted already")
    assert names(await lane.wait(minutes=2)) == ["PlanStarted"]


@pytest.mark.parametrize(
    ("body", "field", "status"),
    [
        pytest.param({"reason": "call 13800138000"}, "reason", 422, id="a reason with a number in it"),
        pytest.param({"reason": ""}, "reason", 422, id="no reason"),
        pytest.param({"reason": "x", "until": "soon"}, "until", 422, id="an end that is no date"),
        pytest.param({"reason": "x", "colour": "red"}, "colour", 422, id="a field that nobody knows"),
        pytest.param({"reason": "x", "until": "2026-03-02"}, "until", 409, id="an end that the books have reached"),
    ],
)
async def test_a_hold_that_is_refused_names_the_field(
    lane: Actor, client: httpx.AsyncClient, body: dict[str, str], field: str, status: int
) -> None:
    await lane.hear(intake.BusinessDateAdvanced(business_date=MONDAY))
    await lane.hear(intake.CaseOpened(case=case()), ANNA, 1)
    path, headers = f"/v1/debtors/{ANNA}/holds", {"Idempotency-Key": "k"}
    refused = await answered(lane, client.post(path, json=body, headers=headers))
    assert refused.status_code == status
    assert field in refused.json()["field"]


@pytest.mark.parametrize(
    ("method", "path", "role", "status"),
    [
        pytest.param("GET", f"/v1/debtors/{BERTA}", "operator", 404, id="a debtor who is not known"),
        pytest.param("POST", f"/v1/debtors/{BERTA}/holds", "operator", 404, id="a hold for one who is not known"),
        pytest.param("GET", "/v1/plans", "agency", 403, id="plans are not for agencies"),
        pytest.param("GET", f"/v1/debtors/{ANNA}", "agency", 403, id="debtors are not for agencies"),
        pytest.param("POST", f"/v1/debtors/{ANNA}/holds", "core_bank", 403, id="the bank places no holds here"),
        pytest.param("GET", "/v1/visits?state=gone", "operator", 422, id="a state that does not exist"),
        pytest.param("GET", "/v1/plans?after=gaFh", "operator", 422, id="a cursor that no page gave"),
    ],
)
async def test_what_is_not_answered(client: httpx.AsyncClient, method: str, path: str, role: str, status: int) -> None:
    headers = {"Authorization": f"Bearer {token_of(role)}", "Idempotency-Key": "k"}
    body = {"reason": "x"} if method == "POST" else None
    answer = await client.request(method, path, json=body, headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("application/problem+json")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        pytest.param("", [(ANNA, 1), (ANNA, 2), (BERTA, 1)], id="all"),
        pytest.param("&state=active", [(ANNA, 2), (BERTA, 1)], id="those in one state"),
        pytest.param("&stage=EARLY", [], id="those of one stage"),
        pytest.param(f"&debtor_id={BERTA}", [(BERTA, 1)], id="those of one debtor"),
    ],
)
async def test_plans_are_listed_page_by_page(lane: Actor, get: Get, query: str, found: list[tuple[str, int]]) -> None:
    await start(lane, ANNA)
    await start(lane, BERTA)
    await lane.hear(payment(), ANNA, 2)
    await lane.hear(VISIT, ANNA, 2)
    await lane.wait(minutes=2)
    seen, after = [], ""
    while True:
        page = await get(f"/v1/plans?limit=1{query}{after}")
        seen += [(plan["debtor_id"], plan["plan_number"]) for plan in page["items"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert seen == found
