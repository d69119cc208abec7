"""Analytics on a real database: what is counted is stored, and comes out the same from the facts again."""

from collections import Counter
from datetime import date

import asyncpg
import pytest

from services.analytics import __main__ as command_line
from services.analytics import store
from services.analytics.domain.rows import DebtorRecord
from services.analytics.service import HANDLERS, rebuild
from services.analytics.store import LAYOUT
from shared.contracts import intake, legal, outreach, segmentation
from shared.contracts.envelope import Fact, Moment
from shared.contracts.outreach import PlannedStep, StepState
from shared.contracts.segmentation import Channel, Explanation
from shared.messaging.postgres_store import PostgresStore
from tests.integration.analytics.stories import (
    AT,
    DEBTORS,
    FIRST,
    Story,
    applied,
    case_of,
    clock_set,
    event_of,
    hash_of,
)


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
    happened = ["plans", "steps", "contacts", "denials", "outcomes", "promises", "visits", "matters"]
    assert list(summary) == ["book", "cases", *happened, "experiments", "payments", "reversals"]
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
