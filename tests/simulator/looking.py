"""What the rules of a universe at rest look at."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from shared.messaging.memory_database import MemoryDatabase
from tests.simulator.bank import Book
from tests.simulator.universe import Universe


class Look(NamedTuple):
    """What a rule looks at."""

    universe: Universe
    book: Book

    def of(self, service: str) -> MemoryDatabase:
        """A service's database."""
        return self.universe.databases[service].content

    def rows(self, service: str, table: str) -> Iterator[tuple[str, Any, Any]]:
        """Owner, key and row of each row of a table."""
        for (owner, key), (_, row) in self.of(service).rows.get(table, {}).items():
            yield owner, key, row

    def one(self, service: str, table: str) -> dict[str, Any]:
        """The rows of a table that holds at most one per owner."""
        return {owner: row for owner, _, row in self.rows(service, table)}


Found = Iterable[tuple[str, bool]]
"""What was looked at, and whether it is as it should be."""
