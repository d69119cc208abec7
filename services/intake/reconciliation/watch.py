"""What the last reconciliation of each lender has found, as metrics that every process of intake shows."""

from dataclasses import dataclass, field
from typing import Final

import msgspec

from services.intake.reconciliation.domain import Sums
from shared.observability import metrics
from shared.postgres.sessions import Session

SERVICE: Final = "intake"
_NEWEST: Final = """
SELECT DISTINCT ON (lender_id) lender_id, extract(epoch FROM finished_at)::float8 AS at, drifting, refused, sums
FROM reconciliation ORDER BY lender_id, id DESC
"""
_sums = msgspec.json.Decoder(dict[str, Sums]).decode


@dataclass(slots=True)
class ReconciliationWatch:
    """Looks at what was kept; before a lender's first reconciliation there is nothing to show of it."""

    dsn: str
    _session: Session = field(init=False)
    _amounts: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Open nothing yet."""
        self._session = Session(self.dsn, "fairdue reconciliation watch")

    def begin(self) -> None:
        """Nothing is known of any lender yet."""

    async def look(self) -> None:
        """Show what is kept. Raises asyncpg's errors and OSError."""
        for row in await (await self._session.connected()).fetch(_NEWEST):
            lender = row["lender_id"]
            metrics.RECONCILED_AT.labels(SERVICE, lender).set(row["at"])
            metrics.DRIFTING_ACCOUNTS.labels(SERVICE, lender).set(row["drifting"])
            metrics.UNREADABLE_ROWS.labels(SERVICE, lender).set(row["refused"])
            self._show_amounts(lender, _sums(row["sums"]))

    async def close(self) -> None:
        """Let go of the connection."""
        await self._session.close()

    def _show_amounts(self, lender: str, sums: dict[str, Sums]) -> None:
        """Show each currency; one that is no longer in the book has no difference any more."""
        known = {currency for name, currency in self._amounts if name == lender}
        for currency in known | sums.keys():
            difference = sums[currency].difference if currency in sums else 0
            metrics.DRIFT_AMOUNT.labels(SERVICE, lender, currency).set(difference)
            self._amounts.add((lender, currency))
