"""The bank's book goes into a table beside ours, and both come back account by account, however large they are."""

from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, TypeAlias

import asyncpg
import msgspec

from services.intake.cases.domain.facts import Loan, Payment, Snapshot
from services.intake.cases.domain.reporting import Schemes
from services.intake.reconciliation.domain import Account, AccountStatus, Ours, Tally, ours_at
from services.intake.reconciliation.rows import Line

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
AT_ONCE: Final = 1_000

_STAGE: Final = """
CREATE TEMPORARY TABLE bank_book (
    number bigint, loan_id text, past_due bigint, outstanding bigint, currency text, status text, field text,
    reason text
) ON COMMIT DROP
"""
_COLUMNS: Final = ("number", "loan_id", "past_due", "outstanding", "currency", "status", "field", "reason")

_BOTH: Final = """
WITH our_book AS (
    SELECT l.loan_id, l.base, l.said, l.closed_at, l.closed_as,
           (SELECT jsonb_agg(to_jsonb(p)) FROM payment p
            WHERE p.debtor_id = l.debtor_id AND p.loan_id = l.loan_id AND NOT p.settled) AS payments
    FROM loan_directory d
    JOIN loan l ON l.debtor_id = d.debtor_id AND l.loan_id = substr(d.loan_key, length($1) + 2)
    WHERE d.lender_id = $1 AND l.base IS NOT NULL
)
SELECT coalesce(b.loan_id, o.loan_id) AS id, b.*, o.base, o.said, o.closed_at, o.closed_as, o.payments
FROM bank_book b FULL JOIN our_book o ON o.loan_id = b.loan_id
ORDER BY id, b.number
"""

_KEEP: Final = """
INSERT INTO reconciliation
(lender_id, as_of, cut_off, file_digest, finished_at, compared, refused, drifting, kinds, sums)
VALUES ($1, $2, $3, $4, now(), $5, $6, $7, $8, $9)
"""

_snapshot = msgspec.json.Decoder(Snapshot).decode
_payments = msgspec.json.Decoder(list[Payment]).decode


@dataclass(frozen=True, slots=True)
class Pair:
    """An account in both books; `line` is the bank's row, None where it has none, `ours` None where we have none."""

    loan_id: str
    line: Line | None
    ours: Ours | None


async def stage(connection: Connection, book: Iterable[Line]) -> None:
    """Put the bank's rows beside our book, for as long as the transaction lasts. Raises CsvFileError."""
    await connection.execute(_STAGE)
    await connection.copy_records_to_table("bank_book", records=_records(book), columns=_COLUMNS)
    await connection.execute("ANALYZE bank_book")


def _records(book: Iterable[Line]) -> Iterator[tuple[Any, ...]]:
    for line in book:
        account = line.account
        said = (
            (None,) * 4
            if account is None
            else (account.past_due, account.outstanding, account.currency, account.status)
        )
        yield (line.number, line.loan_id, *said, line.field, line.reason)


async def pairs(
    connection: Connection, lender_id: str, as_of: date, cut_off: datetime, schemes: Schemes
) -> AsyncIterator[Pair]:
    """Every account of either book, by loan; rows that name no loan come first."""
    async for found in connection.cursor(_BOTH, lender_id, prefetch=AT_ONCE):
        yield Pair(found["id"], _line(found), _ours(found, as_of, cut_off, schemes))


def _line(found: "asyncpg.Record") -> Line | None:
    if found["number"] is None:
        return None
    account = None
    if found["status"] is not None:
        account = Account(found["past_due"], found["outstanding"], found["currency"], AccountStatus(found["status"]))
    return Line(found["number"], found["id"], account, found["field"], found["reason"])


def _ours(found: "asyncpg.Record", as_of: date, cut_off: datetime, schemes: Schemes) -> Ours | None:
    if found["base"] is None:
        return None
    said = None if found["said"] is None else _snapshot(found["said"])
    loan = Loan(found["id"], _snapshot(found["base"]), found["closed_at"], found["closed_as"], said)
    payments = [] if found["payments"] is None else _payments(found["payments"])
    return ours_at(loan, payments, as_of, cut_off, schemes)


async def keep(
    connection: Connection, lender_id: str, as_of: date, cut_off: datetime, digest: str, tally: Tally, refused: int
) -> None:
    """Keep what was counted, which the metrics are read from."""
    sums = msgspec.json.encode(dict(sorted(tally.sums.items()))).decode()
    kinds = msgspec.json.encode(tally.kinds).decode()
    counted = (tally.compared, refused, tally.drifting, kinds, sums)
    await connection.execute(_KEEP, lender_id, as_of, cut_off, digest, *counted)
