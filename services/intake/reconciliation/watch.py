"""What the last reconciliation of each lender has found, as metrics that every process of intake shows."""

import contextlib
from dataclasses import dataclass, field
from typing import Final

import asyncpg
import msgspec

from services.intake.reconciliation.domain import Sums
from services.intake.reconciliation.store import Connection
from shared.observability import metrics
from shared.postgres.failures import DRIVER_ERRORS

SERVICE: Final = "intake"
_SESSION: Final = {"lock_timeout": "2s", "statement_timeout": "30s", "application_name": "fairdue reconciliation watch"}
_NEWEST: Final = """
SELECT DISTINCT ON (lender_id) lender_id, extract(epoch FROM finished_at)::float8 AS at, drifting, refused, sums
FROM reconciliation ORDER BY lender_id, id DESC
"""
_sums = msgspec.json.Decoder(dict[str, Sums]).decode


@dataclass(slots=True)
class ReconciliationWatch:
    """Looks at what was kept; before a lender's first reconciliation there is nothing to show of it."""

    dsn: str
    _connection: "Connection | None" = None
    _amounts: set[tuple[str, str]] = field(default_factory=set)

    def begin(self) -> None:
        """Nothing is known of any lender yet."""

    async def look(self) -> None:
        """Show what is kept. Raises asyncpg's errors and OSError."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(self.dsn, timeout=10, command_timeout=60, server_settings=_SESSION)
        for row in await self._connection.fetch(_NEWEST):
            lender = row["lender_id"]
            metrics.RECONCILED_AT.labels(SERVICE, lender).set(row["at"])
            metrics.DRIFTING_ACCOUNTS.labels(SERVICE, lender).set(row["drifting"])
            metrics.UNREADABLE_ROWS.labels(SERVICE, lender).set(row["refused"])
            self._show_amounts(lender, _sums(row["sums"]))

    async def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            with contextlib.suppress(*DRIVER_ERRORS, TimeoutError):
                await self._connection.close(timeout=2)
            self._connection = None

    def _show_amounts(self, lender: str, sums: dict[str, Sums]) -> None:
        """Show each currency; one that is no longer in the book has no difference any more."""
        known = {currency for name, currency in self._amounts if name == lender}
        for currency in known | sums.keys():
            difference = sums[currency].difference if currency in sums else 0
            metrics.DRIFT_AMOUNT.labels(SERVICE, lender, currency).set(difference)
            self._amounts.add((lender, currency))
