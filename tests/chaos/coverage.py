"""What a run has put to the test: counters that must all be above nought, or the run does not count."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from shared.settings import SERVICES
from tests.chaos.installation import Installation
from tests.chaos.parts import Part

LOOK_EVERY = 1.0
SCRAPED = {"duplicates_dropped_total": "duplicates dropped", "reemissions_total": "re-emissions"}
LOGGED = {"fenced": "writers fenced", "gap_repaired": "gaps repaired", "quarantined": "quarantines"}


@dataclass
class Coverage:
    """Scrapes the metrics of every worker all the time, so that a kill takes at most a second of them along."""

    installation: Installation
    scraped: dict[tuple[str, int], Counter[str]] = field(default_factory=dict)

    async def keep_looking(self) -> None:
        """Scrape until cancelled."""
        while True:
            await self.look_at_all()
            await asyncio.sleep(LOOK_EVERY)

    async def look_at_all(self) -> None:
        """Scrape every worker."""
        await asyncio.gather(*(self.look(part) for part in self.installation.workers))

    async def look(self, part: Part) -> None:
        """Scrape one worker's counters; a process that does not answer keeps what it showed last."""
        if part.frozen or not part.is_alive():
            return
        life = (part.name, part.starts)
        with contextlib.suppress(httpx.HTTPError):
            answer = await part.ask("/metrics")
            if life == (part.name, part.starts):
                self.scraped[life] = counted(answer.text)

    async def counters(self) -> Mapping[str, int]:
        """Every counter, over the whole run."""
        found = dict.fromkeys(("take-overs", *LOGGED.values(), *SCRAPED.values()), 0)
        for counts in self.scraped.values():
            for name, label in SCRAPED.items():
                found[label] += counts[name]
        for part in self.installation.workers:
            for event, label in LOGGED.items():
                found[label] += part.said(event)
        for service in SERVICES:
            ((value, called),) = await self.installation.rows(
                service, "SELECT last_value, is_called FROM witness.take_overs"
            )
            found["take-overs"] += value if called else 0
        return found


def counted(exposition: str) -> Counter[str]:
    """The counters of one scrape, over all labels."""
    found: Counter[str] = Counter()
    for line in exposition.splitlines():
        name, _, rest = line.partition("{")
        if name in SCRAPED:
            found[name] += int(float(rest.rpartition(" ")[2]))
    return found
