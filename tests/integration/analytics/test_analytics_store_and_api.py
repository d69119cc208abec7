"""Analytics on a real database: what is counted is stored, can be read, and comes out the same from the facts again."""

import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from services.analytics import __main__ as command_line
from services.analytics import store
from services.analytics.domain.rows import DebtorRecord
from services.analytics.service import HANDLERS, declare, rebuild
from services.analytics.store import LAYOUT
from shared.contracts import catalogue, intake, legal, outreach, segmentation
from shared.contracts.envelope import Event, Fact, Moment
from shared.contracts.intake import CaseStatus, CaseSummary, Disposition, LoanSummary
from shared.contracts.outreach import PlannedStep, StepState
from shared.contracts.segmentation import Channel, Explanation
from shared.http.app import close, create_app
from shared.http.database import engine_of
from shared.messaging.postgres_store import PostgresStore
from shared.messaging.store import Change, Effects
from shared.settings import Settings
from tests.conftest import DatabaseOf

SETTINGS = Settings.demo()
AT = datetime(2026, 1, 1, 1, tzinfo=UTC)
FIRST, LAST = date(2026, 1, 5), date(2026, 6, 30)
BUCKETS = ("current", "0", "1", "5", "closed")
DEBTORS = 40


def event_of(debtor_id: str, version: int, fact: Fact, number: int) -> Event[Any]:
    return Event(
        id=f"{debtor_id}/{number}",
        type=catalogue.wire_name(type(fact)),
        lender_id="bank",
        debtor_id=debtor_id,
        case_version=version,
        occurred_at=AT + timedelta(minutes=number),
        recorded_at=AT + timedelta(minutes=number),
        data=fact,
    )


def case_of(debtor_id: str, on: date, buckets: dict[str, str]) -> CaseSummary:
    loans = tuple(
        LoanSummary(
            loan_id=loan_id,
            product="card" if loan_id.endswith("1") else "car",
            portfolio="p",
            currency="CNY" if loan_id.endswith("1") else "EUR",
            past_due=0 if bucket in ("current", "closed") else 100,
            outstanding=1_000,
            oldest_due_on=on,
            scheme="s",
            bucket=bucket,
            closed_as="paid" if bucket == "closed" else "",
        )
        for loan_id, bucket in buckets.items()
    )
    ended = all(bucket == "closed" for bucket in buckets.values())
    return CaseSummary(
        case_id=f"case of {debtor_id}",
        status=CaseStatus.CLOSED if ended else CaseStatus.OPEN,
        opened_on=FIRST,
        business_date=on,
        oldest_due_on=on,
        jurisdiction="CN",
        district="D",
        loans=loans,
        disposition=Disposition.PAID if ended else None,
    )


class Story:
    """Random facts about some debtors, and what a plain reading of them comes to."""

    def __init__(self, seed: int) -> None:
        self._choose = random.Random(seed)
        self.expected: Counter[str] = Counter()
        self.stands: dict[str, dict[str, str]] = {}
        self.facts = [self._facts_of(f"d{n:02d}") for n in range(DEBTORS)]

    def _facts_of(self, debtor_id: str) -> list[tuple[date, Event[Any]]]:
        day, told = FIRST, list[tuple[date, Event[Any]]]()
        buckets = {f"{debtor_id}/1": "0", f"{debtor_id}/2": "current"}
        for number in range(self._choose.randrange(1, 25)):
            loan_id = self._choose.choice(list(buckets))
            buckets[loan_id] = self._choose.choice(BUCKETS)
            case = case_of(debtor_id, day, buckets)
            fact = self._fact(case, number)
            if not isinstance(fact, outreach.PlanStarted):
                self._show(case)
            told.append((day, event_of(debtor_id, number + 1, fact, number)))
            day = min(day + timedelta(days=self._choose.randrange(20)), LAST)
        return told

    def _show(self, case: CaseSummary) -> None:
        for loan in case.loans:
            bucket = "closed:paid" if loan.closed_as else loan.bucket
            self.stands.setdefault(loan.loan_id, {})[f"{case.business_date:%Y-%m}"] = bucket

    def _fact(self, case: CaseSummary, number: int) -> Fact:
        if number == 0:
            self.expected["opened"] += 1
            return intake.CaseOpened(case=case)
        if case.disposition:
            self.expected["closed"] += 1
            return intake.CaseClosed(case=case)
        if self._choose.random() < 0.3:
            self.expected["payments"] += 1
            self.expected["paid"] += number
            return intake.PaymentPosted(
                case=case, loan_id="l", payment_id=str(number), amount=number, currency="CNY", posted_at=AT
            )
        if self._choose.random() < 0.3:
            self.expected["running"] += 1
            steps = (PlannedStep(number=1, channel=Channel.SMS, due_at=AT),)
            return outreach.PlanStarted(
                plan_number=number, stage="EARLY", strategy="s", strategy_version=1, steps=steps
            )
        return intake.CaseUpdated(case=case)


async def applied(
    target: PostgresStore, debtor_id: str, facts: Sequence[tuple[date, Event[Any]]], *, batch: int = 3
) -> None:
    """Apply facts as the runtime does: load, decide event by event, save, commit."""
    for start in range(0, len(facts), batch):
        transaction = await target.begin()
        shard = hash_of(debtor_id)
        before = (await transaction.load(LAYOUT, {debtor_id: shard}, {}))[debtor_id]
        after = before
        for on, event in facts[start : start + batch]:
            after, _ = HANDLERS[type(event.data)](after, event, Moment(event.recorded_at, on))
        await transaction.save(LAYOUT, [Change(shard, debtor_id, before, after)])
        await transaction.commit()


def hash_of(debtor_id: str) -> int:
    return sum(debtor_id.encode()) % 32


async def clock_set(target: PostgresStore, on: date) -> None:
    transaction = await target.begin()
    await transaction.write(Effects(clocks={(3, "bank"): on}))
    await transaction.commit()


@pytest.fixture
def dsn(database_of: DatabaseOf) -> str:
    return database_of("analytics")


@pytest.fixture
async def target(dsn: str) -> AsyncIterator[PostgresStore]:
    async with PostgresStore(dsn, "lane") as opened:
        yield opened


@pytest.fixture
async def connection(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    opened = await asyncpg.connect(dsn)
    yield opened
    await opened.close()


@pytest.fixture
async def client(dsn: str) -> AsyncIterator[httpx.AsyncClient]:
    engine = engine_of(dsn, pool_size=2)
    app = create_app(declare(SETTINGS), SETTINGS, engine=engine)
    headers = {"Authorization": f"Bearer {token_of('operator')}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test", headers=headers) as opened:
        yield opened
    await close(app)
    await engine.dispose()


def token_of(role: str) -> str:
    return next(one.token for one in SETTINGS.tokens if one.role == role)


@pytest.fixture
async def story(target: PostgresStore) -> Story:
    made = Story(7)
    for facts in made.facts:
        await applied(target, facts[0][1].debtor_id, facts)
    await clock_set(target, LAST)
    return made


def scanned(story: Story) -> Counter[tuple[str, str, str]]:
    """Month-end transitions by looking at every loan."""
    found: Counter[tuple[str, str, str]] = Counter()
    months = [f"2026-{month:02d}" for month in range(1, 7)]
    for stands in story.stands.values():
        before = "new"
        for month in months:
            now = stands.get(month, before)
            if now != "new":
                found[month, before, now] += 1
            before = now
    return found


async def test_transitions_are_those_of_a_scan_of_all_loans(story: Story, connection: asyncpg.Connection) -> None:
    found = {(month, origin, end): loans for month, origin, end, loans in await store.transitions(connection, "s")}
    assert found == dict(scanned(story))
    assert await store.transitions(connection, "another scheme") == []


async def test_totals_are_told_in_the_labels_of_a_panel(story: Story, connection: asyncpg.Connection) -> None:
    expected: Counter[tuple[str, str]] = Counter()
    for (_, origin, end), loans in scanned(story).items():
        if not (origin == end == "closed:paid"):
            expected["closed" if origin == "closed:paid" else origin, "C" if end == "closed:paid" else end] += loans
    assert await store.transition_totals(connection) == [(*key, loans) for key, loans in sorted(expected.items())]
    assert await store.transition_totals(connection, "another scheme") == []


async def test_the_summary_is_what_a_plain_reading_of_the_facts_comes_to(
    story: Story, connection: asyncpg.Connection
) -> None:
    summary = await store.summary(connection)
    expected = story.expected
    assert list(summary) == ["book", "cases", "plans", "steps", "visits", "matters", "payments", "reversals"]
    assert summary["cases"] == {"opened": DEBTORS, "reopened": 0, "cured": 0, "closed": {"paid": expected["closed"]}}
    assert summary["payments"] == {"CNY": {"amount": expected["paid"], "count": expected["payments"]}}
    assert summary["plans"] == {"running": expected["running"]}
    assert summary["steps"] == {"sms": {"scheduled": expected["running"]}}
    assert summary["visits"] == {"requested": 0, "scheduled": 0, "not_scheduled": 0}
    rows = await connection.fetch("SELECT bucket, currency, past_due FROM loan WHERE bucket NOT LIKE 'closed%'")
    assert sum(bucket["loans"] for bucket in summary["book"]["s"].values()) == len(rows)
    past_due: Counter[str] = Counter()
    for row in rows:
        past_due[row["currency"]] += row["past_due"]
    summed: Counter[str] = Counter()
    for bucket in summary["book"]["s"].values():
        summed.update(bucket["past_due"])
    assert summed == past_due


async def test_a_rebuild_gives_the_same_numbers(story: Story, connection: asyncpg.Connection) -> None:
    rebuilt = await rebuild(connection)
    assert rebuilt.differences == ()
    assert (rebuilt.debtors, rebuilt.facts) == (DEBTORS, sum(map(len, story.facts)))


@pytest.mark.parametrize(
    ("tampering", "table"),
    [
        pytest.param("UPDATE roll SET loans = loans + 1 WHERE (shard, month) = (SELECT shard, month FROM roll LIMIT 1)",
                     "roll", id="moves"),
        pytest.param("UPDATE cash SET total = 0", "cash", id="money"),
        pytest.param("DELETE FROM happening", "happening", id="happenings"),
        pytest.param("UPDATE loan SET bucket = '9' WHERE debtor_id = 'd00'", "loan", id="a loan"),
        pytest.param("UPDATE plan SET steps = '[]'", "plan", id="steps"),
        pytest.param("DELETE FROM fact WHERE debtor_id = 'd00'", "collection_case", id="facts that are gone"),
    ],
)  # fmt: skip
async def test_a_rebuild_finds_what_does_not_follow_from_the_facts(
    story: Story, connection: asyncpg.Connection, tampering: str, table: str
) -> None:
    await connection.execute(tampering)
    rebuilt = await rebuild(connection)
    assert table in {difference.table for difference in rebuilt.differences}


async def test_a_rebuild_goes_through_all_debtors_in_parts(story: Story, connection: asyncpg.Connection) -> None:
    rebuilt = await store.rebuild(connection, HANDLERS, chunk=7)
    assert (rebuilt.debtors, rebuilt.differences) == (DEBTORS, ())


async def test_the_state_comes_back_as_it_was_stored(target: PostgresStore) -> None:
    explained = Explanation(rule="r", version="1", inputs={})
    case = case_of("d1", FIRST, {"d1/1": "0"})
    facts: list[Fact] = [
        intake.CaseOpened(case=case),
        segmentation.CaseSegmented(stage="EARLY", previous_stage="", days_past_due=3, explanation=explained),
        outreach.PlanStarted(
            plan_number=1,
            stage="EARLY",
            strategy="s",
            strategy_version=1,
            steps=(PlannedStep(number=1, channel=Channel.VISIT, due_at=AT),),
        ),
        outreach.StepEnded(
            plan_number=1, step_number=1, channel=Channel.VISIT, state=StepState.ASSIGNED, reason="crew 1"
        ),
        legal.MatterOpened(matter_id="m", claim=1, currency="CNY", oldest_due_on=FIRST, explanation=explained),
    ]
    events = [(FIRST, event_of("d1", 1, fact, number)) for number, fact in enumerate(facts)]
    await applied(target, "d1", events, batch=1)
    expected: DebtorRecord = LAYOUT.empty("d1")
    for on, event in events:
        expected, _ = HANDLERS[type(event.data)](expected, event, Moment(AT, on))
    transaction = await target.begin()
    loaded = (await transaction.load(LAYOUT, {"d1": hash_of("d1")}, {}))["d1"]
    await transaction.rollback()
    assert (loaded.case, loaded.loans, loaded.plans) == (expected.case, expected.loans, expected.plans)


async def test_the_clock_moves_stays_into_months_without_a_fact(
    target: PostgresStore, connection: asyncpg.Connection
) -> None:
    await applied(
        target, "d1", [(FIRST, event_of("d1", 1, intake.CaseOpened(case=case_of("d1", FIRST, {"d1/1": "5"})), 0))]
    )
    assert await store.transitions(connection, "s") == [("2026-01", "new", "5", 1)]
    await clock_set(target, date(2026, 3, 2))
    assert await store.transitions(connection, "s") == [
        ("2026-01", "new", "5", 1),
        ("2026-02", "5", "5", 1),
        ("2026-03", "5", "5", 1),
    ]


# -- over HTTP ---------------------------------------------------------------------------------------------------------


async def test_a_debtor_can_be_read(story: Story, client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/debtors/d03")
    assert answer.status_code == 200
    body = answer.json()
    assert body["case"]["case_id"] == "case of d03"
    assert [loan["loan_id"] for loan in body["loans"]] == ["d03/1", "d03/2"]
    assert sum(body["facts"].values()) == len(story.facts[3])


async def test_a_debtor_that_was_never_heard_of_is_a_problem(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/debtors/nobody")
    assert (answer.status_code, answer.json()["title"]) == (404, "No such debtor")


async def test_roll_rates_come_in_pages_and_every_part_adds_up(story: Story, client: httpx.AsyncClient) -> None:
    whole = (await client.get("/v1/roll-rates", params={"limit": 500})).json()
    assert whole["next"] is None
    paged: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        query = {"limit": "7"} | ({"after": after} if after else {})
        page = (await client.get("/v1/roll-rates", params=query)).json()
        paged += page["items"]
        if (after := page["next"]) is None:
            break
    assert paged == whole["items"]
    parts: Counter[tuple[str, str, str]] = Counter()
    openings: dict[tuple[str, str, str], int] = {}
    for rate in paged:
        if rate["opening"]:
            key = (rate["product"], rate["month"], rate["from_bucket"])
            parts[key] += rate["loans"]
            openings[key] = rate["opening"]
            assert rate["percent"] == pytest.approx(100 * rate["loans"] / rate["opening"], abs=0.01)
    assert parts == openings


async def test_roll_rates_can_be_narrowed(story: Story, client: httpx.AsyncClient) -> None:
    query = {"scheme": "s", "from_month": "2026-02", "to_month": "2026-03", "limit": "500"}
    rates = (await client.get("/v1/roll-rates", params=query)).json()["items"]
    assert {rate["month"] for rate in rates} == {"2026-02", "2026-03"}
    assert (await client.get("/v1/roll-rates", params={"scheme": "t"})).json()["items"] == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        pytest.param({"from_month": "2026-13"}, "from_month", id="no such month"),
        pytest.param({"from_month": "2026-03", "to_month": "2026-02"}, "from_month", id="months the wrong way round"),
        pytest.param({"limit": "0"}, "limit", id="no items wanted"),
    ],
)
async def test_a_wrong_query_is_a_problem_that_names_the_field(
    client: httpx.AsyncClient, query: dict[str, str], field: str
) -> None:
    answer = await client.get("/v1/roll-rates", params=query)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


async def test_the_book_and_the_summary_can_be_read(
    story: Story, client: httpx.AsyncClient, connection: asyncpg.Connection
) -> None:
    book = (await client.get("/v1/book", params={"limit": 500})).json()["items"]
    count = await connection.fetchval("SELECT count(*) FROM loan WHERE bucket NOT LIKE 'closed%'")
    assert sum(line["loans"] for line in book) == count
    assert {line["currency"] for line in book} == {"CNY", "EUR"}
    assert (await client.get("/v1/summary")).json() == await store.summary(connection)


async def test_an_agency_may_not_read(client: httpx.AsyncClient) -> None:
    headers = {"Authorization": f"Bearer {token_of('agency')}"}
    assert (await client.get("/v1/summary", headers=headers)).status_code == 403


# -- on the command line -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tampering", "code"),
    [
        pytest.param("SELECT 1", 0, id="all is as the facts say"),
        pytest.param("UPDATE cash SET total = total + 1", 1, id="something is not"),
    ],
)
async def test_the_check_says_by_its_exit_code_whether_the_numbers_are_right(
    story: Story, connection: asyncpg.Connection, dsn: str, tampering: str, code: int
) -> None:
    await connection.execute(tampering)
    rebuilt = await rebuild(connection)
    assert command_line.exit_code(rebuilt) == code
    assert command_line.told(rebuilt).startswith(f"{rebuilt.facts} facts of {DEBTORS} debtors:")


def test_a_check_without_a_database_says_so_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FAIRDUE_MODE", "demo")
    monkeypatch.setenv("DATABASE_URL_ANALYTICS", "postgresql://nobody@127.0.0.1:1/none")
    assert command_line.main(["rebuild", "--check"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("analytics: cannot rebuild: ")
    assert error.count("\n") == 1
