"""The red lines and the exposure of the running service, as metrics that are counted anew every few seconds.

Without a gateway whose log lies in a table of ours there is nothing to show under its name: then the ledger alone says
whether somebody was reached without a permit that was told, in the night, after a stop, or twice for a step. That
somebody was reached of whom the ledger knows nothing, only the gateway's own log can show.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from prometheus_client import Gauge

from services.outreach.contacts import red_line_counts
from services.outreach.contacts.red_line_counts import Counts
from services.outreach.contacts.red_line_queries import Exposed, read_exposed
from services.outreach.contacts.red_lines import LINES, Source
from shared.observability import metrics
from shared.postgres.sessions import Session

SERVICE: Final = "outreach"
GAUGES: Mapping[str, Gauge] = {
    "contacts_without_permit": metrics.CONTACTS_WITHOUT_PERMIT,
    "contacts_after_payment": metrics.CONTACTS_AFTER_PAYMENT,
    "quiet_hours_violations": metrics.QUIET_HOURS_VIOLATIONS,
    "duplicate_contacts": metrics.DUPLICATE_CONTACTS,
}
SESSION: Final = "fairdue red lines"


@dataclass(slots=True)
class RedLineWatch:
    """Looks at the ledger and, where there is one, at a gateway's log; `zones` are those of the jurisdictions."""

    outreach: str
    sandbox: str | None
    zones: Mapping[str, str]
    _ledger: Session = field(init=False)
    _log: Session | None = field(init=False)

    def __post_init__(self) -> None:
        """Open nothing yet."""
        self._ledger = Session(self.outreach, SESSION)
        self._log = None if self.sandbox is None else Session(self.sandbox, SESSION)

    def begin(self) -> None:
        """Show nought everywhere: a series that first appears with a crossing hides it."""
        self._show(Counts({}, dict.fromkeys(self._sources(), 0)), Exposed(0, 0))

    async def look(self) -> None:
        """Count what is new. Raises asyncpg's errors and OSError."""
        outreach = await self._ledger.connected()
        sandbox = None if self._log is None else await self._log.connected()
        counts = await red_line_counts.look(outreach, sandbox, self.zones)
        self._show(counts, await read_exposed(outreach))
        metrics.RED_LINES_COUNTED_AT.labels(SERVICE).set(time.time())

    async def close(self) -> None:
        """Let go of the connections."""
        await self._ledger.close()
        if self._log is not None:
            await self._log.close()

    def _sources(self) -> Iterable[Source]:
        return Source if self.sandbox is not None else (Source.LEDGER,)

    def _show(self, counts: Counts, exposed: Exposed) -> None:
        for source in self._sources():
            for line in LINES[source]:
                GAUGES[line].labels(SERVICE, source).set(counts.crossed.get((line, source), 0))
            metrics.RED_LINE_BACKLOG.labels(SERVICE, source).set(counts.behind[source])
        metrics.EXPOSED_CONTACTS.labels(SERVICE).set(exposed.contacts)
        metrics.LONGEST_EXPOSURE.labels(SERVICE).set(exposed.longest_ms / 1000)
