"""Where a debtor's file lies, and what the routes read of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import msgspec
from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.intake.cases.domain.facts import BucketDue, Case, DebtorFile, Loan, Payment, Verification
from services.intake.verification.commands import DecideVerification
from shared.contracts.envelope import Event
from shared.contracts.ingress import PaymentReceived, PaymentTakenBack
from shared.messaging.layout import Layout, Named, Table
from shared.messaging.rows import row_of, selected
from shared.messaging.sharding import shard_of


def rows_named(event: Event[Any]) -> Named:
    """The payment or the verification that an event is about: settled ones are loaded only when named."""
    data = event.data
    if isinstance(data, PaymentReceived):
        return (("payments", (data.payment.loan_id, data.payment.payment_id)),)
    if isinstance(data, PaymentTakenBack):
        return (("payments", (data.reversal.loan_id, data.reversal.payment_id)),)
    if isinstance(data, DecideVerification):
        return (("verifications", data.verification_id),)
    return ()


LAYOUT = Layout(
    DebtorFile,
    {
        "case": Table("collection_case", Case),
        "loans": Table("loan", Loan, key=("loan_id",)),
        "payments": Table("payment", Payment, key=("loan_id", "payment_id"), settled="settled"),
        "bucket_due": Table("bucket_due", BucketDue, due="due_on"),
        "verifications": Table("verification", Verification, key=("verification_id",), settled="settled"),
    },
    named=rows_named,
)


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One fact that was told of a debtor; `number` orders them."""

    number: int
    event_id: str
    type: str
    case_version: int
    actor: str
    caused_by: str
    occurred_at: datetime
    recorded_at: datetime
    data: dict[str, Any]


async def cases(
    connection: AsyncConnection,
    *,
    lender_id: str | None,
    status: str | None,
    bucket: str | None,
    after: str | None,
    limit: int,
) -> list[tuple[str, Case]]:
    """Cases as last told, with their debtors, by debtor id; `bucket` is that of any of the case's loans."""
    found = await connection.execute(
        text(f"""
            SELECT debtor_id, {selected(LAYOUT.tables["case"], "t.")} FROM collection_case t
            WHERE debtor_id > :after
              AND (CAST(:lender_id AS text) IS NULL OR lender_id = :lender_id)
              AND (CAST(:status AS text) IS NULL OR status = :status)
              AND (CAST(:bucket AS jsonb) IS NULL OR CAST(loans AS jsonb) @> CAST(:bucket AS jsonb))
            ORDER BY debtor_id LIMIT :limit
        """),  # the names are our own
        {
            "after": after or "",
            "lender_id": lender_id,
            "status": status,
            "bucket": None if bucket is None else msgspec.json.encode([{"bucket": bucket}]).decode(),
            "limit": limit,
        },
    )
    return [(row["debtor_id"], _row("case", row)) for row in found.mappings()]


async def debtor_file(connection: AsyncConnection, debtor_id: str) -> DebtorFile:
    """What is known of a debtor's loans, less the payments that can change nothing any more."""
    content: dict[str, list[Any]] = {}
    for name in ("case", "loans", "payments"):
        table = LAYOUT.tables[name]
        unsettled = f"AND NOT {table.settled}" if table.settled else ""
        query = f"SELECT {selected(table, 't.')} FROM {table.name} t WHERE debtor_id = :debtor_id {unsettled}"
        found = await connection.execute(text(query), {"debtor_id": debtor_id})
        content[name] = [_row(name, row) for row in found.mappings()]
    return DebtorFile(
        debtor_id,
        case=next(iter(content["case"]), None),
        loans={loan.loan_id: loan for loan in content["loans"]},
        payments={(payment.loan_id, payment.payment_id): payment for payment in content["payments"]},
        bucket_due=None,
        verifications={},
    )


async def business_date(connection: AsyncConnection, debtor_id: str, lender_id: str) -> date:
    """The lender's business date as the debtor's lane knows it; `date.min` before it heard any."""
    query = "SELECT business_date FROM lane_clock WHERE kind = 'lane' AND number = :number AND lender_id = :lender_id"
    place = {"number": shard_of(debtor_id), "lender_id": lender_id}
    found: date | None = (await connection.execute(text(query), place)).scalar()
    return found or date.min


async def history(connection: AsyncConnection, debtor_id: str, *, after: int, limit: int) -> Sequence[HistoryEntry]:
    """What was told of a debtor, oldest first, from beyond the entry numbered `after`."""
    found = await connection.execute(
        text("""
            SELECT id AS number, event_id, type, case_version, actor, caused_by, occurred_at, recorded_at,
                   CAST(data AS text) AS data
            FROM history WHERE debtor_id = :debtor_id AND id > :after ORDER BY id LIMIT :limit
        """),
        {"debtor_id": debtor_id, "after": after, "limit": limit},
    )
    return [HistoryEntry(**{**row, "data": msgspec.json.decode(row["data"])}) for row in found.mappings()]


def _row(name: str, found: RowMapping | Mapping[str, Any]) -> Any:
    table = LAYOUT.tables[name]
    return row_of(table, [found[column] for column in table.columns])
