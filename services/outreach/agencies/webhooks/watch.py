"""How many deliveries to agencies were given up and wait for somebody to replay them, as a metric."""

import contextlib
from dataclasses import dataclass
from typing import Final

import asyncpg

from services.outreach.agencies.webhooks.store import STANDING
from services.outreach.contacts.red_line_queries import Connection
from shared.observability.metrics import DEAD_DELIVERIES
from shared.postgres.failures import DRIVER_ERRORS

SERVICE: Final = "outreach"
_SESSION: Final = {"lock_timeout": "2s", "statement_timeout": "30s", "application_name": "fairdue webhook watch"}


@dataclass(slots=True)
class DeliveryWatch:
    """Counts them in the database, so that the figure outlives every process."""

    dsn: str
    _connection: "Connection | None" = None

    def begin(self) -> None:
        """Show nought, so that the first is seen to come."""
        DEAD_DELIVERIES.labels(SERVICE).set(0)

    async def look(self) -> None:
        """Count. Raises asyncpg's errors and OSError."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(self.dsn, timeout=10, command_timeout=60, server_settings=_SESSION)
        DEAD_DELIVERIES.labels(SERVICE).set(await self._connection.fetchval(STANDING))

    async def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            with contextlib.suppress(*DRIVER_ERRORS, TimeoutError):
                await self._connection.close(timeout=2)
            self._connection = None
