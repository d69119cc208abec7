"""The rebuild: every kept fact folded again, from nothing, and compared with what is stored."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias

import asyncpg
import msgspec

from services.analytics.domain.rows import DebtorRecord
from services.analytics.store.layout import LAYOUT
from shared.contracts import catalogue
from shared.contracts.envelope import Event, Moment
from shared.messaging.rows import row_of, selected

Fold: TypeAlias = Mapping[type, Callable[[DebtorRecord, Event[Any], Moment], tuple[DebtorRecord, Sequence[Any]]]]
"""The handlers, by the type of the fact."""

CHUNK = 500
"""Debtors whose facts are folded at a time: memory does not grow with the book."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that a rebuild would make otherwise; None where the row is on one side only."""

    table: str
    key: tuple[Any, ...]
    stored: Any
    rebuilt: Any


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How much was folded again, and what came out otherwise than it is stored."""

    debtors: int
    facts: int
    differences: tuple[Difference, ...]


async def rebuild(connection: asyncpg.Connection, handlers: Fold, *, chunk: int = CHUNK) -> Rebuilt:
    """Fold every kept fact again, from nothing, and compare all rows and sums with those stored; writes nothing.

    Sees one state of the database throughout, so it may run beside a working system.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        return await _Rebuild(connection, handlers).run(chunk)


_TALLIES = tuple(name for name, table in LAYOUT.tables.items() if table.use == "tally")
_ROWS = tuple(name for name, table in LAYOUT.tables.items() if table.use == "rows")
_NEXT_DEBTORS = "SELECT DISTINCT debtor_id FROM fact WHERE debtor_id > $1 ORDER BY debtor_id LIMIT $2"
_FACTS_OF = """
SELECT debtor_id, event_id, type, lender_id, case_version, occurred_at, recorded_at, business_date, data::text AS data
FROM fact WHERE debtor_id = ANY($1) ORDER BY debtor_id, id
"""
_WITHOUT_FACTS = "SELECT debtor_id FROM {table} t WHERE NOT EXISTS (SELECT FROM fact f WHERE f.debtor_id = t.debtor_id)"


class _Rebuild:
    """One run: the sums so far, and the differences found."""

    def __init__(self, connection: asyncpg.Connection, handlers: Fold) -> None:
        self._connection, self._handlers = connection, handlers
        self._sums: dict[str, Counter[tuple[Any, ...]]] = {name: Counter() for name in _TALLIES}
        self._differences: list[Difference] = []
        self._facts = 0

    async def run(self, chunk: int) -> Rebuilt:
        debtors, last = 0, ""
        while part := [row[0] for row in await self._connection.fetch(_NEXT_DEBTORS, last, chunk)]:
            await self._compare_rows(await self._folded(part))
            debtors, last = debtors + len(part), part[-1]
        for name in _TALLIES:
            await self._compare_sums(name)
        await self._find_rows_without_facts()
        return Rebuilt(debtors, self._facts, tuple(self._differences))

    async def _folded(self, debtors: Sequence[str]) -> dict[str, DebtorRecord]:
        records = {debtor: LAYOUT.empty(debtor) for debtor in debtors}
        for kept in await self._connection.fetch(_FACTS_OF, debtors):
            event = _event_of(kept)
            self._facts += 1
            if event is not None and type(event.data) in self._handlers:
                moment = Moment(event.recorded_at, kept["business_date"] or date.min)
                after, _ = self._handlers[type(event.data)](records[event.debtor_id], event, moment)
                records[event.debtor_id] = self._summed(after)
        return records

    def _summed(self, record: DebtorRecord) -> DebtorRecord:
        """The record without what it adds to the sums, which is added to them here."""
        for name, sums in self._sums.items():
            table = LAYOUT.tables[name]
            for row in getattr(record, name):
                sums[table.key_of(row)] += getattr(row, table.amount)
        return DebtorRecord(record.debtor_id, record.case, record.loans, record.plans, record.trials)

    async def _compare_rows(self, records: Mapping[str, DebtorRecord]) -> None:
        for name in _ROWS:
            stored = await self._stored_rows(name, list(records))
            rebuilt = {
                (debtor, key): row
                for debtor, record in records.items()
                for key, row in LAYOUT.rows(record, name).items()
            }
            self._compare(LAYOUT.tables[name].name, stored, rebuilt)

    async def _stored_rows(self, name: str, debtors: Sequence[str]) -> dict[tuple[Any, ...], Any]:
        table = LAYOUT.tables[name]
        query = f"SELECT debtor_id, {selected(table)} FROM {table.name} WHERE debtor_id = ANY($1)"
        rows = {}
        for stored in await self._connection.fetch(query, debtors):
            row = row_of(table, tuple(stored)[1:])
            rows[stored["debtor_id"], table.key_of(row)] = row
        return rows

    async def _compare_sums(self, name: str) -> None:
        table = LAYOUT.tables[name]
        keys = ", ".join(table.key)
        query = f"SELECT {keys}, sum({table.amount})::bigint FROM {table.name} GROUP BY {keys}"
        stored = {tuple(row[:-1]): row[-1] for row in map(tuple, await self._connection.fetch(query)) if row[-1]}
        self._compare(table.name, stored, {key: total for key, total in self._sums[name].items() if total})

    async def _find_rows_without_facts(self) -> None:
        for name in _ROWS:
            table = LAYOUT.tables[name].name
            for row in await self._connection.fetch(_WITHOUT_FACTS.format(table=table)):
                self._differences.append(Difference(table, (row[0],), "a row without any fact", None))

    def _compare(self, table: str, stored: Mapping[Any, Any], rebuilt: Mapping[Any, Any]) -> None:
        for key in sorted(stored.keys() | rebuilt.keys(), key=str):
            if stored.get(key) != rebuilt.get(key):
                self._differences.append(Difference(table, key, stored.get(key), rebuilt.get(key)))


def _event_of(kept: asyncpg.Record) -> Event[Any] | None:
    """A kept fact as the event that it came in, None where its type is no longer known."""
    fact = catalogue.fact_type(kept["type"])
    if fact is None:
        return None
    return Event(
        id=kept["event_id"],
        type=kept["type"],
        lender_id=kept["lender_id"],
        debtor_id=kept["debtor_id"],
        case_version=kept["case_version"],
        occurred_at=kept["occurred_at"],
        recorded_at=kept["recorded_at"],
        data=msgspec.json.decode(kept["data"], type=fact),
    )
