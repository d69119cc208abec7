"""What a run leaves behind for the checks, and the form of their findings."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from shared.settings import SERVICES
from tests.chaos.bank import Bank
from tests.chaos.installation import Installation
from tests.chaos.staff import Staff
from tests.chaos.topics import Topics


class Finding(NamedTuple):
    """How many things were looked at, and which of them contradict the invariant."""

    checked: int
    wrong: Sequence[Any]


@dataclass
class Evidence:
    """The installation at rest, and what was noted while it was not. `noted` are findings made during the run."""

    installation: Installation
    bank: Bank
    staff: Staff
    topics: Topics
    noted: dict[int, list[Finding]] = field(default_factory=dict)

    def note(self, number: int, checked: int, wrong: Sequence[Any] = ()) -> None:
        """Keep a finding of the run."""
        self.noted.setdefault(number, []).append(Finding(checked, wrong))

    async def rows(self, service: str, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
        """What a query finds in a service's database."""
        return await self.installation.rows(service, query, *arguments)

    async def everywhere(self, query: str, services: Sequence[str] = SERVICES) -> list[tuple[Any, ...]]:
        """What a query finds in each database, with the service in front."""
        return [(service, *row) for service in services for row in await self.rows(service, query)]

    async def number(self, service: str, query: str) -> int:
        """The one number that a query finds."""
        ((number,),) = await self.rows(service, query)
        return int(number)


Check: TypeAlias = Callable[[Evidence], Awaitable[Finding]]


class Invariant(NamedTuple):
    """One of the numbered invariants, in a sentence, and what looks for contradictions."""

    number: int
    sentence: str
    checks: tuple[Check, ...]


async def counting_rows(evidence: Evidence, service: str, table: str) -> int:
    """How many rows a check over a table has looked at."""
    return await evidence.number(service, f"SELECT count(*) FROM {table}")
