"""Segmentation on a real database: what handlers decide is stored, comes back the same, falls due, and can be read."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest

from services.segmentation.service import declare
from services.segmentation.store import LAYOUT, DebtorFile, StageDue
from shared.contracts.envelope import Event, Moment
from shared.contracts.intake import BusinessDateAdvanced, CaseOpened, CaseStatus, CaseSummary, LoanSummary
from shared.contracts.outreach import DelinquencyCause, OutcomeRecorded, OutcomeResult, PromiseMade
from shared.contracts.segmentation import Channel
from shared.http.app import close, create_app
from shared.http.database import engine_of
from shared.messaging.postgres_store import PostgresStore
from shared.messaging.store import Change, Effects
from shared.settings import Settings
from tests.conftest import DatabaseOf
from tests.integration.outreach.rig import Actor, answered, names

SETTINGS = Settings.demo()
SERVICE = declare(SETTINGS)
ON = date(2026, 3, 9)
AT = datetime(2026, 3, 9, 9, tzinfo=UTC)


def case_of(debtor_id: str, days_past_due: int) -> CaseSummary:
    """A case so many days past due."""
    due_on = ON - timedelta(days_past_due)
    loan = LoanSummary(
        loan_id="L1", product="loan", portfolio="p", currency="CNY", past_due=1, outstanding=2, oldest_due_on=due_on,
        scheme="s", bucket="b",
    )  # fmt: skip
    return CaseSummary(
        case_id=f"case of {debtor_id}", status=CaseStatus.OPEN, opened_on=ON, business_date=ON, oldest_due_on=due_on,
        jurisdiction="CN", district="D", loans=(loan,),
    )  # fmt: skip


def opened(debtor_id: str, days_past_due: int) -> DebtorFile:
    """The file of a debtor whose case was just opened, as the handlers leave it."""
    event = Event(
        id="e1", type="t", lender_id="bank", debtor_id=debtor_id, case_version=1, occurred_at=AT, recorded_at=AT,
        data=CaseOpened(case=case_of(debtor_id, days_past_due)),
    )  # fmt: skip
    file, _ = SERVICE.actors[0].handlers[CaseOpened](LAYOUT.empty(debtor_id), event, Moment(AT, ON))
    assert isinstance(file, DebtorFile)
    return file


async def save(store: PostgresStore, *changes: tuple[DebtorFile, DebtorFile]) -> None:
    """Commit the step from one state to another, per debtor."""
    transaction = await store.begin()
    await transaction.save(LAYOUT, [Change(3, after.debtor_id, before, after) for before, after in changes])
    await transaction.commit()


async def load(store: PostgresStore, debtor_id: str) -> DebtorFile:
    """Read one debtor's file back."""
    transaction = await store.begin()
    file = (await transaction.load(LAYOUT, {debtor_id: 3}, {}))[debtor_id]
    await transaction.rollback()
    assert isinstance(file, DebtorFile)
    return file


@pytest.fixture
def dsn(database_of: DatabaseOf) -> str:
    return database_of("segmentation")


@pytest.fixture
async def store(dsn: str) -> AsyncIterator[PostgresStore]:
    async with PostgresStore(dsn, "lane") as store:
        yield store


@pytest.fixture
async def client(dsn: str) -> AsyncIterator[httpx.AsyncClient]:
    engine = engine_of(dsn, pool_size=2)
    app = create_app(SERVICE, SETTINGS, engine=engine)
    token = next(one.token for one in SETTINGS.tokens if one.role == "operator")
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test", headers=headers) as client:
        yield client
    await close(app)
    await engine.dispose()


async def test_a_file_comes_back_as_it_was_stored_and_goes_when_it_is_cleared(store: PostgresStore) -> None:
    file = opened("d1", 8)
    await save(store, (LAYOUT.empty("d1"), file))
    assert await load(store, "d1") == file
    cleared = replace(file, assignment=None, enrolment=None, due=None)
    await save(store, (file, cleared))
    assert await load(store, "d1") == cleared


@pytest.mark.parametrize(
    ("on", "claimed"),
    [
        pytest.param(ON + timedelta(9), [], id="not on the day before the next stage"),
        pytest.param(ON + timedelta(10), [StageDue(ON + timedelta(10), "bank")], id="on the day of the next stage"),
    ],
)
async def test_the_next_stage_falls_due_by_the_business_date_of_the_lender(
    store: PostgresStore, on: date, claimed: list[StageDue]
) -> None:
    await save(store, (LAYOUT.empty("d1"), opened("d1", 8)))
    await store.acquire(3, "worker")
    transaction = await store.begin()
    await transaction.write(Effects(clocks={(3, "bank"): on, (3, "other"): on + timedelta(99)}))
    assert [due.row for due in await transaction.take_due(LAYOUT, [3], AT, 10)] == claimed
    await transaction.rollback()


async def test_a_debtor_can_be_read_with_the_explanation(store: PostgresStore, client: httpx.AsyncClient) -> None:
    await save(store, (LAYOUT.empty("d1"), opened("d1", 8)))
    answer = await client.get("/v1/debtors/d1")
    assert answer.status_code == 200
    body = answer.json()
    why = body.pop("explanation")
    assert body == {
        "debtor_id": "d1", "lender_id": "bank", "case_id": "case of d1", "case_version": 1, "status": "open",
        "oldest_due_on": "2026-03-01", "stage": "EARLY", "entered_on": "2026-03-09", "next_stage_on": "2026-03-19",
        "tier": "low",
        "strategy": "s2_ladder", "strategy_version": 1, "enrolled_on": "2026-03-09", "decided_for": 1,
        "decided_on": "2026-03-09",
    }  # fmt: skip
    assert (why["rule"], why["version"], why["inputs"]["days_past_due"]) == ("s2_ladder.yaml: EARLY", "1", "8")


async def test_a_debtor_whose_case_is_not_open_has_no_stage(store: PostgresStore, client: httpx.AsyncClient) -> None:
    await save(store, (LAYOUT.empty("d1"), replace(opened("d1", 8), assignment=None, due=None)))
    answer = (await client.get("/v1/debtors/d1")).json()
    assert (answer["stage"], answer["explanation"], answer["next_stage_on"]) == (None, None, None)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        pytest.param("", ["d1", "d2", "d3", "d4"], id="all"),
        pytest.param("&stage=EARLY", ["d1", "d3"], id="those in one stage"),
        pytest.param("&stage=NPL", [], id="none in that stage"),
    ],
)
async def test_debtors_are_listed_in_pages(
    store: PostgresStore, client: httpx.AsyncClient, query: str, found: list[str]
) -> None:
    days = {"d1": 8, "d2": 1, "d3": 17, "d4": 18}
    await save(store, *((LAYOUT.empty(debtor), opened(debtor, past_due)) for debtor, past_due in days.items()))
    listed: list[str] = []
    after: str | None = ""
    while after is not None:
        page = (await client.get(f"/v1/debtors?limit=1{query}" + (f"&after={after}" if after else ""))).json()
        listed += [item["debtor_id"] for item in page["items"]]
        after = page.get("next")
    assert listed == found


@pytest.mark.parametrize(
    ("path", "status", "field"),
    [
        pytest.param("/v1/debtors/nobody", 404, None, id="a debtor nobody has heard of"),
        pytest.param("/v1/debtors/a%20b", 422, "debtor_id", id="an id that is none"),
        pytest.param("/v1/debtors?stage=LATE", 422, "stage", id="a stage that is not there"),
        pytest.param("/v1/debtors?limit=0", 422, "limit", id="a page of nothing"),
    ],
)
async def test_wrong_questions_get_a_problem_that_names_the_field(
    client: httpx.AsyncClient, path: str, status: int, field: str | None
) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.json().get("field")) == (status, field)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_the_strategies_can_be_read_with_versions_dates_and_steps(client: httpx.AsyncClient) -> None:
    stages = (await client.get("/v1/stages")).json()
    assert stages["stages"][-1] == {"name": "NPL", "first_day": 91, "last_day": None}
    strategies = (await client.get("/v1/strategies")).json()
    assert [(one["id"], one["version"], one["effective_from"]) for one in strategies] == [
        ("s2_ladder", 1, "2000-01-01"),
        ("s3_timetable", 1, "2000-01-01"),
    ]
    names = [stage["name"] for stage in stages["stages"]]
    assert [list(one["stages"]) for one in strategies] == [names, names]
    assert [list(one["stages"]["PRE_LEGAL"]) for one in strategies] == [["everybody"], ["low", "medium", "high"]]


async def test_the_experiments_and_the_tiers_can_be_read(client: httpx.AsyncClient) -> None:
    (experiment,) = (await client.get("/v1/experiments")).json()
    assert sum(arm["share"] for arm in experiment["arms"]) == 10_000
    assert (experiment["champion"], experiment["arms"][2]["strategy"]) == ("ladder", None)
    assert experiment["hold_out"] == {"last_day_past_due": 17, "last_day_since_opening": 21}
    tiers = (await client.get("/v1/tiers")).json()
    assert (tiers["rules"][-1]["tier"], len(tiers["matrix"])) == ("low", 12)


async def test_the_assignment_of_a_debtor_explains_itself(store: PostgresStore, client: httpx.AsyncClient) -> None:
    await save(store, (LAYOUT.empty("d2"), opened("d2", 8)))
    found = (await client.get("/v1/debtors/d2/assignment")).json()
    assert (found["experiment"], found["experiment_version"], found["arm"]) == ("s2_against_s3", 1, "timetable")
    assert found["arm_explanation"]["rule"] == "s2_against_s3.yaml: timetable"
    assert 6500 <= int(found["arm_explanation"]["inputs"]["place"]) < 9500
    assert (found["strategy"], found["tier"], found["segment"]) == ("s3_timetable:low", "low", "ask")
    assert found["tier_explanation"]["rule"] == "tiers.yaml: nothing speaks against"
    assert (found["known"], found["promises"], found["override"]) == (None, [], None)


ANNA = "d2"


@pytest.fixture
async def lane(store: PostgresStore) -> Actor:
    """Segmentation's lanes, with a case of Anna's that is eight days past due."""
    actor = Actor(SERVICE.actors[0], store, now=AT, service="segmentation")
    await actor.take()
    await actor.hear(BusinessDateAdvanced(business_date=ON))
    await actor.hear(CaseOpened(case=case_of(ANNA, 8)), ANNA, 1)
    return actor


async def test_staff_set_a_tier_asked_for_twice_and_its_end_comes_by_itself(
    lane: Actor, client: httpx.AsyncClient
) -> None:
    path, body = f"/v1/debtors/{ANNA}/tier", {"tier": "high", "reason": "evidence was found", "until": "2026-03-12"}
    answer = await answered(lane, client.post(path, json=body, headers={"Idempotency-Key": "k1"}))
    assert answer.status_code == 201
    assert answer.json() == {"tier": "high", "previous_tier": "low", "strategy": "s3_timetable:high"}
    again = await client.post(path, json=body, headers={"Idempotency-Key": "k1"})
    assert again.json() == answer.json()
    found = (await client.get(f"/v1/debtors/{ANNA}/assignment")).json()
    assert found["override"] == {
        "tier": "high", "reason": "evidence was found", "placed_by": "operator/demo operator",
        "placed_on": "2026-03-09", "until": "2026-03-12",
    }  # fmt: skip
    assert found["next_review_on"] == "2026-03-12"
    assert await lane.hear(BusinessDateAdvanced(business_date=date(2026, 3, 12))) == []
    assert names(await lane.wait(minutes=1)) == ["TierAssigned", "TreatmentAssigned"]


async def test_what_contacts_and_promises_said_is_stored_and_shown(lane: Actor, client: httpx.AsyncClient) -> None:
    said = OutcomeRecorded(
        contact_id="k1", channel=Channel.PHONE, result=OutcomeResult.PROMISED,
        reason_code=DelinquencyCause.BUSINESS_TROUBLE, recorded_by="operator/ann",
    )  # fmt: skip
    assert names(await lane.hear(said, ANNA)) == ["TierAssigned", "TreatmentAssigned"]
    made = PromiseMade(promise_id="p1", amount=1, currency="CNY", promised_on=date(2026, 3, 20))
    assert names(await lane.hear(made, ANNA)) == ["TreatmentAssigned"]
    found = (await client.get(f"/v1/debtors/{ANNA}/assignment")).json()
    assert (found["tier"], found["strategy"]) == ("medium", "s3_timetable:promise")
    assert (found["known"]["cause"], found["known"]["recorded_on"]) == ("business_trouble", "2026-03-09")
    assert found["promises"] == [{"promise_id": "p1", "promised_on": "2026-03-20", "ends_on": "2026-03-24"}]


@pytest.mark.parametrize(
    ("debtor", "changes", "field", "status"),
    [
        pytest.param(ANNA, {"tier": "top"}, "tier", 422, id="a tier that is none"),
        pytest.param(ANNA, {"reason": "call 13800138000"}, "reason", 422, id="a reason with a number in it"),
        pytest.param(ANNA, {"until": "soon"}, "until", 422, id="an end that is no date"),
        pytest.param(ANNA, {"until": None}, "until", 422, id="no end"),
        pytest.param(ANNA, {"until": "2026-03-09"}, "until", 409, id="an end that the books have reached"),
        pytest.param("nobody", {}, None, 404, id="a debtor nobody has heard of"),
    ],
)
async def test_a_tier_that_is_refused_names_the_field(
    lane: Actor, client: httpx.AsyncClient, debtor: str, changes: dict[str, object], field: str | None, status: int
) -> None:
    body = {"tier": "high", "reason": "evidence was found", "until": "2026-03-12"} | changes
    request = client.post(f"/v1/debtors/{debtor}/tier", json=body, headers={"Idempotency-Key": "k1"})
    answer = await answered(lane, request)
    assert (answer.status_code, answer.json().get("field")) == (status, field)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/debtors",
        "/v1/debtors/d1",
        "/v1/debtors/d1/assignment",
        "/v1/stages",
        "/v1/strategies",
        "/v1/experiments",
        "/v1/tiers",
    ],
)
async def test_only_operators_and_supervisors_may_read(client: httpx.AsyncClient, path: str) -> None:
    statuses = {}
    for caller in SETTINGS.tokens:
        answer = await client.get(path, headers={"Authorization": f"Bearer {caller.token}"})
        statuses[caller.role] = answer.status_code
    assert {role for role, status in statuses.items() if status == 403} == {"core_bank", "agency"}
    assert (await client.get(path, headers={"Authorization": ""})).status_code == 401
