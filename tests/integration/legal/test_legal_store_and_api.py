"""Legal on a real database: what handlers decide is stored, settled rows are not loaded again, and all can be read."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime

import httpx
import pytest

from services.legal.service import declare
from services.legal.store import LAYOUT, DebtorFile
from shared.contracts.envelope import Event, Fact, Moment
from shared.contracts.intake import CaseCured, CaseOpened, CaseStatus, CaseSummary, LoanSummary
from shared.contracts.outreach import LegalReferred
from shared.http.app import close, create_app
from shared.http.database import engine_of
from shared.messaging.postgres_store import PostgresStore
from shared.messaging.store import Change
from shared.settings import Settings
from tests.conftest import DatabaseOf

SETTINGS = Settings.demo()
SERVICE = declare(SETTINGS)
ON = date(2026, 4, 26)
REFERRED = LegalReferred(plan_number=4, step_number=3)


def case(past_due: int, status: CaseStatus = CaseStatus.OPEN) -> CaseSummary:
    due_on = date(2026, 3, 1) if past_due else None
    loan = LoanSummary(
        loan_id="L1", product="loan", portfolio="p", currency="CNY", past_due=past_due, outstanding=900_000,
        oldest_due_on=due_on, scheme="s", bucket="b",
    )  # fmt: skip
    return CaseSummary(
        case_id="c1", status=status, opened_on=date(2026, 3, 2), business_date=ON, oldest_due_on=due_on,
        jurisdiction="CN", district="D", loans=(loan,),
    )  # fmt: skip


OPENED = CaseOpened(case=case(120_000))
CURED = CaseCured(case=case(0, CaseStatus.CURED))


class Lane:
    """Applies one fact per transaction, from what the database holds and to it."""

    def __init__(self, store: PostgresStore) -> None:
        self.store = store
        self.count = 0

    async def hears(self, fact: Fact, version: int, debtor_id: str = "d1") -> DebtorFile:
        """Load, apply, save and commit; give the file as the next transaction will load it."""
        self.count += 1
        at = datetime(2026, 4, 26, 9, self.count, tzinfo=UTC)
        event = Event(
            id=f"event-{self.count}", type="t", lender_id="bank", debtor_id=debtor_id, case_version=version,
            occurred_at=at, recorded_at=at, data=fact,
        )  # fmt: skip
        transaction = await self.store.begin()
        before = (await transaction.load(LAYOUT, {debtor_id: 3}, {}))[debtor_id]
        after, _ = SERVICE.actors[0].handlers[type(fact)](before, event, Moment(at, ON))
        await transaction.save(LAYOUT, [Change(3, debtor_id, before, after)])
        await transaction.commit()
        return await self.file(debtor_id)

    async def file(self, debtor_id: str) -> DebtorFile:
        """What is loaded of a debtor."""
        transaction = await self.store.begin()
        file = (await transaction.load(LAYOUT, {debtor_id: 3}, {}))[debtor_id]
        await transaction.rollback()
        assert isinstance(file, DebtorFile)
        return file


@pytest.fixture
def dsn(database_of: DatabaseOf) -> str:
    return database_of("legal")


@pytest.fixture
async def lane(dsn: str) -> AsyncIterator[Lane]:
    async with PostgresStore(dsn, "lane") as store:
        yield Lane(store)


@pytest.fixture
async def client(dsn: str) -> AsyncIterator[httpx.AsyncClient]:
    engine = engine_of(dsn, pool_size=2)
    app = create_app(SERVICE, SETTINGS, engine=engine)
    token = next(one.token for one in SETTINGS.tokens if one.role == "supervisor")
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test", headers=headers) as client:
        yield client
    await close(app)
    await engine.dispose()


async def test_a_referral_that_waits_is_loaded_until_it_is_answered(lane: Lane) -> None:
    waiting = await lane.hears(REFERRED, 1)
    assert [one.explanation for one in waiting.referrals.values()] == [None]
    answered = await lane.hears(OPENED, 1)
    assert answered.referrals == {}
    (matter,) = answered.matters.values()
    assert (matter.claim, matter.currency, matter.oldest_due_on) == (120_000, "CNY", date(2026, 3, 1))
    assert matter.explanation.inputs["claim.CNY"] == "120000"


async def test_a_closed_matter_is_not_loaded_again_and_is_still_there_to_be_read(
    lane: Lane, client: httpx.AsyncClient
) -> None:
    await lane.hears(OPENED, 1)
    await lane.hears(REFERRED, 1)
    assert (await lane.hears(CURED, 2)).matters == {}
    (matter,) = (await client.get("/v1/debtors/d1")).json()["matters"]
    assert (matter["closed"], matter["closed_on"], matter["closed_because"]) == (True, "2026-04-26", "case cured")


async def test_a_debtor_can_be_read_with_matters_referrals_and_explanations(
    lane: Lane, client: httpx.AsyncClient
) -> None:
    await lane.hears(OPENED, 1)
    await lane.hears(REFERRED, 1)
    await lane.hears(REFERRED, 1)
    answer = (await client.get("/v1/debtors/d1")).json()
    assert answer["case"] == {
        "debtor_id": "d1", "lender_id": "bank", "case_id": "c1", "case_version": 1, "status": "open",
    }  # fmt: skip
    assert [matter["claim"] for matter in answer["matters"]] == [120_000]
    assert [(one["referral_id"], one["accepted"], one["explanation"]["rule"]) for one in answer["referrals"]] == [
        ("event-2", True, "screening.yaml: minimum_claim and limitation_period"),
        ("event-3", False, "screening.yaml: no_open_matter"),
    ]


async def test_a_referral_without_a_case_can_be_read(lane: Lane, client: httpx.AsyncClient) -> None:
    await lane.hears(REFERRED, 1)
    answer = (await client.get("/v1/debtors/d1")).json()
    assert (answer["case"], answer["matters"]) == (None, [])
    assert [(one["answered"], one["explanation"]) for one in answer["referrals"]] == [(False, None)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        pytest.param("", {"d1", "d2", "d3"}, id="all"),
        pytest.param("&state=open", {"d1", "d3"}, id="the open ones"),
        pytest.param("&state=closed", {"d2"}, id="the closed ones"),
    ],
)
async def test_matters_are_listed_in_pages(lane: Lane, client: httpx.AsyncClient, query: str, found: set[str]) -> None:
    for debtor_id in ("d1", "d2", "d3"):
        await lane.hears(OPENED, 1, debtor_id)
        await lane.hears(REFERRED, 1, debtor_id)
    await lane.hears(CURED, 2, "d2")
    listed: list[tuple[str, str]] = []
    after: str | None = ""
    while after is not None:
        page = (await client.get(f"/v1/matters?limit=1{query}" + (f"&after={after}" if after else ""))).json()
        listed += [(item["matter_id"], item["debtor_id"]) for item in page["items"]]
        after = page.get("next")
    assert sorted(debtor_id for _, debtor_id in listed) == sorted(found)
    assert listed == sorted(listed)


@pytest.mark.parametrize(
    ("path", "status", "field"),
    [
        pytest.param("/v1/debtors/nobody", 404, None, id="a debtor nobody has heard of"),
        pytest.param("/v1/debtors/a%20b", 422, "debtor_id", id="an id that is none"),
        pytest.param("/v1/matters?state=half", 422, "state", id="a state that is none"),
        pytest.param("/v1/matters?after=x", 422, "after", id="a cursor that is none"),
    ],
)
async def test_wrong_questions_get_a_problem_that_names_the_field(
    client: httpx.AsyncClient, path: str, status: int, field: str | None
) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.json().get("field")) == (status, field)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/v1/matters", "/v1/debtors/d1"])
async def test_only_operators_and_supervisors_may_read(client: httpx.AsyncClient, path: str) -> None:
    refused = set()
    for caller in SETTINGS.tokens:
        answer = await client.get(path, headers={"Authorization": f"Bearer {caller.token}"})
        refused |= {caller.role} if answer.status_code == 403 else set()
    assert refused == {"core_bank", "agency"}
    assert (await client.get(path, headers={"Authorization": ""})).status_code == 401
