"""How many deliveries to agencies were given up and wait for somebody to replay them, as a metric."""

from dataclasses import dataclass, field
from typing import Final

from services.outreach.agencies.webhooks.store import STANDING
from shared.observability.metrics import DEAD_DELIVERIES
from shared.postgres.sessions import Session

SERVICE: Final = "outreach"


@dataclass(slots=True)
class DeliveryWatch:
    """Counts them in the database, so that the figure outlives every process."""

    dsn: str
    _session: Session = field(init=False)

    def __post_init__(self) -> None:
        """Open nothing yet."""
        self._session = Session(self.dsn, "fairdue webhook watch")

    def begin(self) -> None:
        """Show nought, so that the first is seen to come."""
        DEAD_DELIVERIES.labels(SERVICE).set(0)

    async def look(self) -> None:
        """Count. Raises asyncpg's errors and OSError."""
        connection = await self._session.connected()
        DEAD_DELIVERIES.labels(SERVICE).set(await connection.fetchval(STANDING))

    async def close(self) -> None:
        """Let go of the connection."""
        await self._session.close()
