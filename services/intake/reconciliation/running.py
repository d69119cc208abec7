"""One reconciliation: the file is examined, both books go by, and what differs is in the report and kept."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from services.intake.cases.domain.reporting import Schemes
from services.intake.connectors.csv_files.examining import CsvFileError, Encoding, Examined, examine
from services.intake.connectors.money import EXPONENTS
from services.intake.reconciliation import store
from services.intake.reconciliation.domain import Finding, Kind, Tally, compared
from services.intake.reconciliation.rows import Line, as_of_in, lines
from services.intake.reconciliation.store import Connection, Pair

REPORT: Final = ("row", "loan_id", "kind", "field", "bank", "ours", "currency", "reason")
AMOUNTS: Final = frozenset({"past_due", "outstanding"})
TWICE: Final = "the loan has an earlier row, which is compared"


@dataclass(frozen=True, slots=True)
class Job:
    """What the user asked for. cut_off: up to when the bank's book has postings in it; the end of its day if None."""

    file: Path
    lender_id: str
    report: Path
    encoding: Encoding = "utf-8"
    zone: tzinfo = UTC
    cut_off: datetime | None = None


@dataclass(slots=True)
class Done:
    """What came of it. first_refused: the first row that could not be read, for the one line about it."""

    job: Job
    as_of: date
    cut_off: datetime
    rows: int
    tally: Tally = field(default_factory=Tally)
    refused: int = 0
    first_refused: Line | None = None

    @property
    def exit_code(self) -> int:
        """0 where the books agree, 1 where they do not, 2 where a row could not be read."""
        return 2 if self.refused else int(self.tally.drifting > 0)

    def summary(self) -> Mapping[str, Any]:
        """The figures, for machines; amounts in minor units of each currency."""
        tally = self.tally
        return {
            "lender_id": self.job.lender_id,
            "as_of": self.as_of,
            "posting_cut_off": self.cut_off,
            "rows": self.rows,
            "refused": self.refused,
            "compared": tally.compared,
            "drifting": tally.drifting,
            "kinds": {str(kind): count for kind, count in sorted(tally.kinds.items())},
            "past_due": dict(sorted(tally.sums.items())),
        }


async def run(job: Job, connection: Connection, schemes: Schemes) -> Done:
    """Reconcile, write the report, keep the result. Raises CsvFileError, asyncpg's errors and OSError."""
    if job.report.exists():
        raise CsvFileError(job.report, "exists already, and is not overwritten")
    book = examine(job.file, job.encoding)
    done = _begun(job, book)
    writing = job.report.with_name(f"{job.report.name}.part")
    async with connection.transaction():
        await store.stage(connection, lines(book, done.as_of))
        with writing.open("w", encoding="utf-8", newline="") as file:
            await _compare(done, connection, schemes, csv.writer(file, lineterminator="\n"))
        await store.keep(connection, job.lender_id, done.as_of, done.cut_off, book.digest, done.tally, done.refused)
    writing.replace(job.report)
    return done


def _begun(job: Job, book: Examined) -> Done:
    as_of = as_of_in(book)
    end_of_day = datetime.combine(as_of + timedelta(1), time(), job.zone) - timedelta(microseconds=1)
    return Done(job, as_of, job.cut_off or end_of_day, book.rows)


async def _compare(done: Done, connection: Connection, schemes: Schemes, report: Any) -> None:
    report.writerow(REPORT)
    last = ""
    async for pair in store.pairs(connection, done.job.lender_id, done.as_of, done.cut_off, schemes):
        report.writerows(_taken(done, pair, again=bool(last) and pair.loan_id == last))
        last = pair.loan_id


def _taken(done: Done, pair: Pair, *, again: bool) -> Iterable[Sequence[object]]:
    """The lines of the report about an account. One whose row cannot be read is not compared, so not missed either."""
    line = pair.line
    if line is not None and (again or line.account is None):
        return [
            _refused(done, line if line.account is None else Line(line.number, line.loan_id, None, "loan_id", TWICE))
        ]
    bank = None if line is None else line.account
    found = compared(bank, pair.ours)
    done.tally.take(bank, pair.ours, found)
    currency = bank.currency if bank is not None else pair.ours.account.currency if pair.ours is not None else ""
    return [_row(line, pair.loan_id, finding, currency) for finding in found]


def _refused(done: Done, line: Line) -> Sequence[object]:
    done.refused += 1
    if done.first_refused is None or line.number < done.first_refused.number:
        done.first_refused = line
    return _row(line, line.loan_id, Finding(Kind.REFUSED, line.field, reason=line.reason), "")


def _row(line: Line | None, loan_id: str, finding: Finding, currency: str) -> Sequence[object]:
    bank, ours = (_shown(finding.field, value, currency) for value in (finding.bank, finding.ours))
    number = "" if line is None else line.number
    return (number, loan_id, finding.kind, finding.field, bank, ours, currency, finding.reason)


def _shown(name: str, value: str | int | None, currency: str) -> str:
    """A value as the bank writes it: amounts in units of the currency."""
    if value is None or name not in AMOUNTS:
        return "" if value is None else str(value)
    exponent = EXPONENTS.get(currency, 0)
    return f"{Decimal(value).scaleb(-exponent):.{exponent}f}"
