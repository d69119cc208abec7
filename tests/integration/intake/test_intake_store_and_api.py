"""Intake on a real database: what handlers decide is stored and loaded again, and people can post and read."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest

from services.intake.connectors import cloud_events
from services.intake.connectors.sealing import Sealer
from services.intake.ingress.handlers import owner_of
from services.intake.service import declare
from shared.contracts.core_banking import TOPIC
from shared.contracts.envelope import Event, Moment, Told
from shared.http.app import close, create_app
from shared.http.database import engine_of
from shared.messaging.broker import BrokerUnavailableError, Lane, Outgoing, Record
from shared.messaging.postgres_store import PostgresStore
from shared.messaging.rows import columns_of
from shared.messaging.sharding import shard_of
from shared.messaging.store import Change
from shared.service import ActorKind
from shared.settings import Settings
from tests.conftest import DatabaseOf
from tests.unit.intake.play import closing, day, event, instalment, payment, reversal, snapshot

SETTINGS = Settings.demo()
SERVICE = declare(SETTINGS)
SEALER = Sealer.for_trying(SETTINGS.vault)
INGRESS, LANE, PROFILES = SERVICE.actors
ANNA = SETTINGS.vault.pseudonym("demo-bank", "anna")
AT = datetime(2024, 3, 5, 6, 7, 8, tzinfo=UTC)


class Actor:
    """Applies one event per transaction, from what the database holds and to it."""

    def __init__(self, store: PostgresStore, kind: ActorKind, shard: int = 3) -> None:
        self.store, self.kind, self.shard = store, kind, shard
        self.today = date(2024, 3, 5)

    async def hears(self, heard: Event[Any], owner: str) -> list[Told]:
        """Load, apply, save and commit."""
        named: dict[str, set[tuple[str, Any]]] = {}
        for name, key in self.kind.layout.named(heard):
            named.setdefault(name, set()).add((owner, key))
        transaction = await self.store.begin()
        before = (await transaction.load(self.kind.layout, {owner: self.shard}, named))[owner]
        after, told = self.kind.handlers[type(heard.data)](before, heard, Moment(AT, self.today))
        await transaction.save(self.kind.layout, [Change(self.shard, owner, before, after)])
        await transaction.commit()
        return list(told)

    async def state(self, owner: str) -> Any:
        """What is loaded of an owner."""
        transaction = await self.store.begin()
        state = (await transaction.load(self.kind.layout, {owner: self.shard}, {}))[owner]
        await transaction.rollback()
        return state


class Debtor(Actor):
    """A lane's actor for one debtor after another."""

    async def told(self, data: Any, debtor_id: str = ANNA) -> list[str]:
        heard = msgspec.structs.replace(event(data), debtor_id=debtor_id)
        return [type(each.data).__name__ for each in await self.hears(heard, debtor_id)]


@dataclass
class Paper:
    """A broker on paper, which fails when told."""

    kept: dict[Lane, list[Outgoing]] = field(default_factory=dict)
    fails: bool = False

    async def partitions(self, _topic: str) -> int:
        return 7

    async def writer(self) -> "Paper":
        return self

    async def append(self, batches: Mapping[Lane, Sequence[Outgoing]]) -> None:
        if self.fails:
            raise BrokerUnavailableError
        for lane, records in batches.items():
            self.kept.setdefault(lane, []).extend(records)

    async def close(self) -> None:
        """Nothing is held."""

    def events(self) -> list[Event[Any]]:
        """What ingress would read."""
        records = [each for lane in sorted(self.kept) for each in self.kept[lane]]
        decoded = [
            cloud_events.decode(Record(Lane(TOPIC, 0), 0, each.key, each.value, each.headers, AT), SEALER)
            for each in records
        ]
        return [each for each in decoded if each is not None]


@pytest.fixture
def dsn(database_of: DatabaseOf) -> str:
    return database_of("intake")


@pytest.fixture
async def lane(dsn: str) -> AsyncIterator[Debtor]:
    async with PostgresStore(dsn, "lane") as store:
        yield Debtor(store, LANE, shard_of(ANNA))


@pytest.fixture
async def ingress(dsn: str) -> AsyncIterator[Actor]:
    async with PostgresStore(dsn, "ingress") as store:
        yield Actor(store, INGRESS)


@pytest.fixture
def paper() -> Paper:
    return Paper()


@pytest.fixture
async def client(dsn: str, paper: Any) -> AsyncIterator[httpx.AsyncClient]:
    engine = engine_of(dsn, pool_size=2)
    app = create_app(SERVICE, SETTINGS, engine=engine, broker=paper)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=signed("supervisor")) as client:
        yield client
    await close(app)
    await engine.dispose()


def signed(role: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {next(one.token for one in SETTINGS.tokens if one.role == role)}"}


# -- tables ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SERVICE.actors, ids=lambda kind: kind.name)
async def test_the_tables_have_the_columns_that_the_rows_need(dsn: str, kind: ActorKind) -> None:
    names = {"int8": "bigint", "bool": "boolean", "int2": "smallint"}
    connection = await asyncpg.connect(dsn)
    try:
        for table in kind.layout.tables.values():
            found = await connection.fetch(
                "SELECT column_name, udt_name FROM information_schema.columns WHERE table_name = $1", table.name
            )
            expected = {column.name: column.sql for column in columns_of(table)}
            expected |= {"shard": "smallint", kind.layout.owner: "text"}
            assert {row["column_name"]: names.get(row["udt_name"], row["udt_name"]) for row in found} == expected
    finally:
        await connection.close()


async def test_a_case_lives_through_its_transactions(lane: Debtor) -> None:
    paid = payment("2024-03-06", 500, settled_due_on=day("2024-03-01"))
    assert await lane.told(paid) == ["PaymentPosted"]
    assert await lane.told(snapshot("2024-03-05", instalment("2024-02-01", 500))) == ["CaseOpened", "CaseCured"]
    assert await lane.told(reversal(paid, "2024-03-07")) == ["PaymentReversed", "CaseReopened"]
    assert await lane.told(reversal(paid, "2024-03-07")) == []
    assert await lane.told(snapshot("2024-03-08", instalment("2024-02-01", 500))) == []
    state = await lane.state(ANNA)
    assert state.payments == {}, "settled payments are not loaded"
    assert state.bucket_due.due_on == day("2024-02-01") + timedelta(61)
    assert await lane.told(paid) == [], "though they are still known when named"
    assert await lane.told(closing("2024-03-09")) == ["CaseClosed"]
    state = await lane.state(ANNA)
    assert (state.case.status, state.case.version, state.bucket_due) == ("closed", 5, None)


async def test_what_waits_for_its_loan_is_released_from_the_database(ingress: Actor) -> None:
    paid = payment("2024-03-06T07:08:09.123456", 500).payment
    overdue = snapshot("2024-03-05", instalment("2024-03-01", 500)).loan
    heard = msgspec.structs.replace(event(paid), id="1", type="core-banking.payment-posted.v1", debtor_id="")
    assert await ingress.hears(heard, owner_of(heard)) == []
    named = msgspec.structs.replace(event(overdue), id="2", type="core-banking.loan-overdue.v1", debtor_id=ANNA)
    told = await ingress.hears(named, owner_of(named))
    assert [getattr(each.data, "payment", None) for each in told] == [paid, None]
    state = await ingress.state(owner_of(heard))
    assert (state.entry.debtor_id, state.parked, state.expiry) == (ANNA, {}, None)


# -- reading -----------------------------------------------------------------------------------------------------


async def test_a_case_is_shown_on_the_business_date_of_its_lane(
    lane: Debtor, client: httpx.AsyncClient, dsn: str
) -> None:
    await lane.told(snapshot("2024-03-05", instalment("2024-03-01", 500, fee=20), outstanding=9_000))
    await lane.told(payment("2024-03-06", 50))
    shown = (await client.get(f"/v1/cases/{ANNA}")).json()
    assert (shown["business_date"], shown["days_past_due"], shown["loans"][0]["bucket"]) == ("2024-03-05", 4, "M1")
    connection = await asyncpg.connect(dsn)
    await connection.execute("INSERT INTO lane_clock VALUES ('lane', $1, 'demo-bank', '2024-04-05')", shard_of(ANNA))
    await connection.close()
    shown = (await client.get(f"/v1/cases/{ANNA}")).json()
    (loan,) = shown["loans"]
    assert (shown["business_date"], shown["days_past_due"], shown["status"], shown["version"]) == (
        "2024-04-05",
        35,
        "open",
        2,
    )
    assert (loan["bucket"], loan["past_due"], loan["outstanding"]) == ("M2", 470, 8_950)
    assert [(each["principal"], each["fee"]) for each in loan["unpaid"]] == [(470, 0)]


async def test_cases_are_listed_by_status_and_bucket_in_pages(lane: Debtor, client: httpx.AsyncClient) -> None:
    debtors = ["a" * 32, "b" * 32, "c" * 32]
    for debtor_id, due_on in zip(debtors, ("2024-03-01", "2024-02-01", "2024-02-02"), strict=True):
        await lane.told(snapshot("2024-03-05", instalment(due_on, 500)), debtor_id)
    await lane.told(closing("2024-03-06"), debtors[2])

    async def found(query: str) -> list[str]:
        listed: list[str] = []
        after: str | None = ""
        while after is not None:
            more = f"&after={after}" if after else ""
            page = (await client.get(f"/v1/cases?limit=1&{query}{more}")).json()
            listed += [item["debtor_id"] for item in page["items"]]
            after = page.get("next")
        return listed

    assert await found("") == debtors
    assert await found("status=open") == debtors[:2]
    assert await found("status=closed") == debtors[2:]
    assert await found("bucket=M2") == [debtors[1]]
    assert await found("bucket=M2&status=closed") == []
    assert await found("lender_id=other") == []


async def test_the_history_of_a_debtor_is_read_in_pages(client: httpx.AsyncClient, dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    for number in range(3):
        await connection.execute(
            "INSERT INTO history (shard, debtor_id, event_id, type, case_version, actor, caused_by, occurred_at,"
            " recorded_at, data) VALUES (1, $1, $2, 't', $3, 'system', 'c', $4, $4, $5)",
            *(ANNA, f"e{number}", number, AT, json.dumps({"case": number})),
        )
    await connection.close()
    first = (await client.get(f"/v1/cases/{ANNA}/history?limit=2")).json()
    assert [(item["id"], item["case_version"], item["data"]) for item in first["items"]] == [
        ("e0", 0, {"case": 0}),
        ("e1", 1, {"case": 1}),
    ]
    second = (await client.get(f"/v1/cases/{ANNA}/history?limit=2&after={first['next']}")).json()
    assert [item["id"] for item in second["items"]] == ["e2"]
    assert second.get("next") is None


async def test_a_party_is_named_as_its_debtor(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/debtors?lender_id=demo-bank&party_id=anna")).json() == {"debtor_id": ANNA}


@pytest.mark.parametrize(
    ("path", "status", "field"),
    [
        pytest.param(f"/v1/cases/{'0' * 32}", 404, "debtor_id", id="a debtor without a case"),
        pytest.param("/v1/cases/anna", 422, "debtor_id", id="an id that is none"),
        pytest.param("/v1/cases?status=half", 422, "status", id="a status that is none"),
        pytest.param("/v1/cases?after=x", 422, "after", id="a cursor that is none"),
        pytest.param(f"/v1/cases/{ANNA}/history?after=oWE", 422, "after", id="a cursor of another list"),
        pytest.param("/v1/debtors?lender_id=demo-bank", 422, "party_id", id="no party"),
    ],
)
async def test_wrong_questions_get_a_problem_that_names_the_field(
    client: httpx.AsyncClient, path: str, status: int, field: str
) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.json()["field"]) == (status, field)


# -- posting -----------------------------------------------------------------------------------------------------

PAYMENT: dict[str, Any] = {
    "specversion": "1.0",
    "type": "core-banking.payment-posted.v1",
    "id": "1",
    "source": "/bank",
    "data": {
        "lender_id": "demo-bank",
        "loan_id": "loan-1",
        "party_id": "anna",
        "payment_id": "payment-1",
        "amount": 500,
        "currency": "EUR",
        "posted_at": "2024-03-06T10:00:00+01:00",
    },
}


def _payment(number: int, **changes: Any) -> dict[str, Any]:
    return {**PAYMENT, "id": str(number), "data": {**PAYMENT["data"], "payment_id": f"payment-{number}", **changes}}


@pytest.mark.parametrize("count", [1, 2], ids=["one event", "an array"])
async def test_posted_events_are_in_the_topic_as_ingress_reads_them(
    client: httpx.AsyncClient, paper: Paper, count: int
) -> None:
    body: Any = [_payment(1), _payment(2)] if count > 1 else _payment(1)
    answer = await client.post("/v1/loan-events", json=body, headers=signed("core_bank"))
    assert (answer.status_code, answer.json()) == (202, {"accepted": count})
    found = paper.events()
    assert [each.data.payment_id for each in found] == ["payment-1", "payment-2"][:count]
    assert {each.debtor_id for each in found} == {ANNA}
    assert len(paper.kept) == 1, "the events of one loan keep their order"


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        pytest.param(_payment(1, amount="x"), 422, "amount", id="one bad event"),
        pytest.param([_payment(1), _payment(2, currency="eur")], 422, "[1].currency", id="a bad one among good ones"),
        pytest.param([_payment(1), 5], 422, "[1]", id="an array with something else"),
        pytest.param([], 422, "body", id="nothing"),
        pytest.param([_payment(1)] * 501, 422, "body", id="too many"),
        pytest.param("[{", 400, "body", id="no JSON"),
        pytest.param("", 422, "body", id="an empty body"),
    ],
)
async def test_if_one_event_is_bad_nothing_is_published(
    client: httpx.AsyncClient, paper: Paper, body: Any, status: int, field: str
) -> None:
    content = body if isinstance(body, str) else json.dumps(body)
    answer = await client.post("/v1/loan-events", content=content, headers=signed("core_bank"))
    assert (answer.status_code, answer.json()["field"]) == (status, field)
    assert paper.kept == {}


async def test_without_a_broker_nothing_is_accepted(client: httpx.AsyncClient, paper: Paper) -> None:
    paper.fails = True
    answer = await client.post("/v1/loan-events", json=_payment(1), headers=signed("core_bank"))
    assert answer.status_code == 503


async def test_a_business_date_is_published_for_the_lender(client: httpx.AsyncClient, paper: Paper) -> None:
    news = {"lender_id": "demo-bank", "business_date": "2024-03-06"}
    answer = await client.post("/v1/business-dates", json=news, headers=signed("operator"))
    assert answer.status_code == 202
    assert [(each.lender_id, each.data.business_date) for each in paper.events()] == [("demo-bank", date(2024, 3, 6))]
    for wrong, name in (({"business_date": "1066-10-14"}, "business_date"), ({"lender_id": "a b"}, "lender_id")):
        answer = await client.post("/v1/business-dates", json=news | wrong, headers=signed("operator"))
        assert (answer.status_code, answer.json()["field"]) == (422, name)


@pytest.mark.parametrize(
    ("method", "path", "refused"),
    [
        ("POST", "/v1/loan-events", {"agency", "operator", "supervisor"}),
        ("POST", "/v1/business-dates", {"agency", "supervisor"}),
        ("GET", "/v1/cases", {"agency", "core_bank"}),
        ("GET", f"/v1/cases/{ANNA}", {"agency", "core_bank"}),
        ("GET", f"/v1/cases/{ANNA}/history", {"agency", "core_bank"}),
        ("GET", "/v1/debtors?lender_id=demo-bank&party_id=anna", {"agency"}),
    ],
)
async def test_who_may_do_what(client: httpx.AsyncClient, method: str, path: str, refused: set[str]) -> None:
    answers = {one.role: await client.request(method, path, headers=signed(one.role)) for one in SETTINGS.tokens}
    assert {role for role, answer in answers.items() if answer.status_code == 403} == refused
    assert (await client.request(method, path, headers={"Authorization": ""})).status_code == 401
