"""A lender's whole book against ours on a real database: the report, the summary, the exit code and the metrics."""

import asyncio
import csv
import json
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from services.intake.cases import reporting_schemes
from services.intake.connectors.csv_files.examining import CsvFileError
from services.intake.reconciliation.__main__ import main
from services.intake.reconciliation.domain import Kind
from services.intake.reconciliation.running import Done, Job, run
from services.intake.reconciliation.watch import ReconciliationWatch
from services.intake.service import declare
from services.intake.verification.commands import Choice, Corrected, DecideVerification
from shared.messaging.postgres_store import PostgresStore
from shared.messaging.sharding import shard_of
from shared.observability import metrics
from shared.settings import Settings
from tests.conftest import DatabaseOf
from tests.integration.outreach.rig import Actor
from tests.unit.intake.play import closing, instalment, payment, snapshot

LENDER = "demo-bank"
HEADER = "loan_id,as_of,past_due,outstanding,currency,status"
DUE = instalment("2024-03-01", 500)
LANE = next(kind for kind in declare(Settings.demo()).actors if kind.name == "lane")


@dataclass
class Books:
    """Our book in a database, and the bank's as a file."""

    dsn: str
    lane: Actor
    connection: "asyncpg.Connection[asyncpg.Record]"
    folder: Path
    runs: int = 0

    async def knows(self, debtor_id: str, *facts: Any, lender: str = LENDER) -> None:
        """What the bank's events have made of a debtor, whose loan the edge knows by its directory."""
        for fact in facts:
            await self.lane.hear(fact, debtor_id)
        await self.connection.execute(
            "INSERT INTO loan_directory SELECT 1, $2 || '/' || loan_id, debtor_id, $2, now() FROM loan"
            " WHERE debtor_id = $1 ON CONFLICT DO NOTHING",
            *(debtor_id, lender),
        )

    def file(self, *rows: str) -> Path:
        path = self.folder / "book.csv"
        path.write_text("".join(f"{row}\n" for row in (HEADER, *rows)))
        return path

    async def reconciled(self, *rows: str) -> tuple[Done, list[dict[str, str]]]:
        self.runs += 1
        report = self.folder / f"drift-{self.runs}.csv"
        done = await run(Job(self.file(*rows), LENDER, report), self.connection, reporting_schemes.load())
        return done, list(csv.DictReader(report.read_text().splitlines()))


@pytest.fixture
async def books(database_of: DatabaseOf, tmp_path: Path) -> AsyncIterator[Books]:
    dsn = database_of("intake")
    connection = await asyncpg.connect(dsn)
    async with PostgresStore(dsn, "lane") as store:
        lane = Actor(LANE, store, now=datetime(2024, 3, 5, 6, tzinfo=UTC), service="intake")
        await lane.take()
        yield Books(dsn, lane, connection, tmp_path)
    await connection.close()


def loan(number: int, *, due: Any = DUE, outstanding: int = 9_000, **more: Any) -> Any:
    return snapshot("2024-03-05", due, loan=f"L-{number}", outstanding=outstanding, **more)


def row(
    number: int, past_due: str = "5.00", outstanding: str = "90.00", currency: str = "EUR", status: str = "overdue"
) -> str:
    return f"L-{number},2024-03-05,{past_due},{outstanding},{currency},{status}"


async def test_books_that_agree_have_no_drift(books: Books) -> None:
    await books.knows("a" * 32, loan(1), loan(2))
    await books.knows("b" * 32, loan(3, cut_off="2024-03-05T01:00:00"), payment("2024-03-05T10:00:00", 500, loan="L-3"))
    done, report = await books.reconciled(
        row(2), row(3, "0", "85", status="current"), row(1), row(9, "0", "", status="current")
    )
    assert (done.exit_code, report) == (0, [])
    assert (done.tally.compared, done.refused) == (4, 0)


async def test_each_account_that_drifts_is_in_the_report_with_both_values(books: Books) -> None:
    await books.knows("a" * 32, loan(1), loan(2), loan(3), loan(4))
    await books.knows("c" * 32, loan(5), closing("2024-03-05", loan="L-5"))
    rows = (row(1, "4.00"), row(2, currency="USD"), row(5), row(6))
    done, report = await books.reconciled(*rows, row(4))
    assert done.exit_code == 1
    assert [(r["row"], r["loan_id"], r["kind"], r["field"], r["bank"], r["ours"], r["currency"]) for r in report] == [
        ("1", "L-1", "amount_differs", "past_due", "4.00", "5.00", "EUR"),
        ("2", "L-2", "currency_differs", "currency", "USD", "EUR", "USD"),
        ("", "L-3", "missing_there", "past_due", "", "5.00", "EUR"),
        ("3", "L-5", "amount_differs", "past_due", "5.00", "0.00", "EUR"),
        ("3", "L-5", "amount_differs", "outstanding", "90.00", "0.00", "EUR"),
        ("3", "L-5", "status_differs", "status", "overdue", "closed", "EUR"),
        ("4", "L-6", "missing_here", "past_due", "5.00", "", "EUR"),
    ]
    summary = done.summary()
    assert (summary["drifting"], summary["compared"]) == (5, 6)
    assert summary["past_due"]["EUR"].difference == 100 + 500 + 500 + 500 + 500
    assert summary["past_due"]["USD"].difference == 500


async def test_a_wrong_row_is_in_the_report_and_its_loan_is_neither_compared_nor_missed(books: Books) -> None:
    await books.knows("a" * 32, loan(1), loan(2), loan(3))
    done, report = await books.reconciled(row(1), row(2, "five"), row(3), row(3, "7.00"), "no loan,,,,,")
    assert [(r["row"], r["loan_id"], r["kind"], r["field"]) for r in report] == [
        ("5", "", "refused", "loan_id"),
        ("2", "L-2", "refused", "past_due"),
        ("4", "L-3", "refused", "loan_id"),
    ]
    assert (done.exit_code, done.refused, done.tally.compared, done.tally.drifting) == (2, 3, 2, 0)
    assert done.first_refused is not None
    assert done.first_refused.number == 2


async def test_what_a_person_has_corrected_is_shown_and_is_no_drift(books: Books) -> None:
    await books.knows("a" * 32, loan(1, outstanding=100))
    found = await books.connection.fetchrow("SELECT verification_id, revision FROM verification")
    assert found is not None
    decision = DecideVerification(
        verification_id=found["verification_id"],
        revision=found["revision"],
        choice=Choice.CORRECT,
        reason="asked the branch",
        corrected=Corrected(outstanding=9_000),
    )
    await command(books, decision)
    done, report = await books.reconciled(row(1, outstanding="1.00"))
    assert done.exit_code == 0
    assert [(r["kind"], r["field"], r["bank"], r["ours"]) for r in report] == [
        ("corrected_here", "outstanding", "1.00", "90.00")
    ]


async def command(books: Books, decision: DecideVerification) -> None:
    await books.connection.execute(
        "INSERT INTO command (id, client, key, kind, number, name, owner, lender_id, actor, body, body_hash, status,"
        " created_at) VALUES ('c', 'c', 'c', 'lane', $1, 'decide-verification', $2, $3, 'operator/ann', $4, '',"
        " 'pending', now())",
        *(shard_of("a" * 32), "a" * 32, LENDER, msgspec.json.encode(decision).decode()),
    )
    await books.lane.commands()


async def test_another_lenders_loans_are_in_another_book(books: Books) -> None:
    await books.knows("a" * 32, loan(1))
    await books.knows("b" * 32, loan(2), lender="other-bank")
    done, report = await books.reconciled(row(1))
    assert (done.exit_code, report) == (0, [])


async def test_the_metrics_show_the_last_reconciliation_of_each_lender(books: Books) -> None:
    await books.knows("a" * 32, loan(1), loan(2))
    watch = ReconciliationWatch(books.dsn)
    watch.begin()
    await watch.look()
    assert shown() == {}, "before the first one there is nothing to show"
    await books.reconciled(row(1, "4.00"), row(2, "x"))
    await watch.look()
    first = shown()
    assert first["reconciliation_drift_accounts", ""] == 1
    assert first["reconciliation_drift_minor_units", "EUR"] == 100
    assert first["reconciliation_refused_rows", ""] == 1
    await books.reconciled(row(1), row(2, "5.00", currency="USD"))
    await watch.look()
    await watch.close()
    second = shown()
    assert second["reconciliation_drift_minor_units", "USD"] == 500
    assert second["reconciliation_refused_rows", ""] == 0
    assert second["reconciled_at_seconds", ""] > first["reconciled_at_seconds", ""] > 1_700_000_000


def shown() -> dict[tuple[str, str], float]:
    text = metrics.exposition("intake").decode()
    samples = [each for family in text_string_to_metric_families(text) for each in family.samples]
    return {
        (each.name, each.labels.get("currency", "")): each.value
        for each in samples
        if each.name.startswith("reconcil") and each.labels["lender"] == LENDER
    }


@pytest.fixture(autouse=True)
def _nothing_shown_yet() -> Iterator[None]:
    gauges = (metrics.RECONCILED_AT, metrics.DRIFTING_ACCOUNTS, metrics.DRIFT_AMOUNT, metrics.UNREADABLE_ROWS)
    for gauge in gauges:
        gauge.clear()
    yield
    for gauge in gauges:
        gauge.clear()


async def test_a_broken_file_changes_nothing_and_keeps_nothing(books: Books) -> None:
    cut = books.file(row(1))
    cut.write_text(cut.read_text().rstrip("\n"))
    job = Job(cut, LENDER, books.folder / "drift.csv")
    with pytest.raises(CsvFileError, match="may have been cut off"):
        await run(job, books.connection, reporting_schemes.load())
    assert not job.report.exists()
    assert await books.connection.fetchval("SELECT count(*) FROM reconciliation") == 0


async def test_memory_does_not_grow_with_the_book(books: Books) -> None:
    peaks = []
    for count in (2_000, 20_000):
        rows = [row(number) for number in range(count)]
        books.file(*rows)
        tracemalloc.start()
        done = await run(
            Job(books.folder / "book.csv", LENDER, books.folder / f"{count}.csv"),
            books.connection,
            reporting_schemes.load(),
        )
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert done.tally.kinds[Kind.MISSING_HERE] == count
    small, large = peaks
    assert large < 2 * small + 1_000_000, f"{small:,} bytes for 2,000 accounts, {large:,} for 20,000"


# -- the command -------------------------------------------------------------------------------------------------


@pytest.fixture
def command_line(books: Books, monkeypatch: pytest.MonkeyPatch) -> Books:
    monkeypatch.setenv("DATABASE_URL_INTAKE", books.dsn)
    return books


async def test_the_command_says_all_of_it_and_ends_by_what_it_found(
    command_line: Books, capsys: pytest.CaptureFixture[str]
) -> None:
    books = command_line
    await books.knows("a" * 32, loan(1), loan(2))

    async def ended(report: str, *rows: str) -> int:
        arguments = [str(books.file(*rows)), "--lender", LENDER, "--report", str(books.folder / report)]
        return await asyncio.to_thread(main, arguments)

    for report, rows, code, said in (
        ("agree.csv", (row(1), row(2)), 0, ""),
        ("drift.csv", (row(1, "4.00"), row(2)), 1, ""),
        ("wrong.csv", (row(1), row(2, "x")), 2, "book.csv, row 2: past_due: is no decimal number\n"),
    ):
        assert await ended(report, *rows) == code
        out, err = capsys.readouterr()
        assert (json.loads(out)["rows"], err) == (2, said)
        assert (books.folder / report).exists()
    assert await ended("drift.csv", row(1), row(2)) == 2
    assert capsys.readouterr().err == "drift.csv: exists already, and is not overwritten\n"


async def test_without_a_database_one_line_says_so(
    command_line: Books, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(command_line.file(row(1))), "--lender", LENDER, "--report", str(command_line.folder / "r.csv")]
    monkeypatch.setenv("DATABASE_URL_INTAKE", "postgresql://nobody@127.0.0.1:1/intake")
    assert await asyncio.to_thread(main, arguments) == 2
    assert capsys.readouterr().err.count("\n") == 1
    monkeypatch.delenv("DATABASE_URL_INTAKE")
    assert await asyncio.to_thread(main, arguments) == 2
    assert capsys.readouterr().err == "DATABASE_URL_INTAKE: is not set\n"
