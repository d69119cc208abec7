"""Which payments were booked, by the references under which a return may name them."""

import sqlite3
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Final, Self

from shared.contracts.core_banking import PaymentPosted
from shared.service import Rejected

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS posting (
    lender_id TEXT, reference TEXT, payment_id TEXT, loan_id TEXT, amount INTEGER, currency TEXT, posted_at TEXT,
    PRIMARY KEY (lender_id, reference, payment_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reversal (
    lender_id TEXT, payment_id TEXT, reversed_at TEXT, PRIMARY KEY (lender_id, payment_id)
) WITHOUT ROWID;
"""


class Postings:
    """A file of references: a return names the payment and nothing else, and comes days after it."""

    def __init__(self, path: Path | None = None) -> None:
        """Open the file, or keep everything in memory."""
        self._database = sqlite3.connect(path or ":memory:", isolation_level=None)
        self._database.executescript(_TABLES)

    def remember(self, posting: PaymentPosted, references: Iterable[str]) -> None:
        """Keep a payment under each of its references; to keep it twice is to keep it once."""
        row = (posting.payment_id, posting.loan_id, posting.amount, posting.currency, posting.posted_at.isoformat())
        self._database.executemany(
            "INSERT OR IGNORE INTO posting VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(posting.lender_id, reference, *row) for reference in references],
        )

    def find(self, lender_id: str, references: Iterable[str]) -> PaymentPosted:
        """The payment of the first reference that is known. Raises Rejected."""
        for reference in references:
            rows = self._database.execute(
                "SELECT payment_id, loan_id, amount, currency, posted_at FROM posting"
                " WHERE lender_id = ? AND reference = ? LIMIT 2",
                (lender_id, reference),
            ).fetchall()
            if len(rows) > 1:
                raise Rejected("is the reference of more than one payment", field=reference.partition(":")[0])
            if rows:
                return _posting(lender_id, *rows[0])
        raise Rejected("takes back a payment that is not known here")

    def taken_back(self, posting: PaymentPosted, at: datetime) -> datetime:
        """When a payment was first said to be taken back: the same return comes by pacs.004 and by camt.054."""
        key = (posting.lender_id, posting.payment_id)
        self._database.execute("INSERT OR IGNORE INTO reversal VALUES (?, ?, ?)", (*key, at.isoformat()))
        found: tuple[str] = self._database.execute(
            "SELECT reversed_at FROM reversal WHERE lender_id = ? AND payment_id = ?", key
        ).fetchone()
        return datetime.fromisoformat(found[0])

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def _posting(
    lender_id: str, payment_id: str, loan_id: str, amount: int, currency: str, posted_at: str
) -> PaymentPosted:
    return PaymentPosted(
        lender_id=lender_id,
        loan_id=loan_id,
        payment_id=payment_id,
        amount=amount,
        currency=currency,
        posted_at=datetime.fromisoformat(posted_at),
    )
