"""What a run has come to, table by table, so that two runs can be held against each other.

Every table of every service's layouts, and the history of every teller. Left out is what the machinery counts for
itself: epochs, sequences, cursors, chain heads, and the identity columns, whose place the order per owner takes.
"""

import hashlib
from collections.abc import Mapping, Sequence

from services.installed import declared
from shared.messaging.layout import Layout, Table
from shared.settings import Settings
from tests.e2e.invariants import by_debtor
from tests.e2e.owners import Owners

HISTORY = (
    *("debtor_id", "shard", "event_id", "type", "case_version", "actor", "caused_by"),
    *("occurred_at", "recorded_at", "data"),
)


async def contents(owners: Owners) -> Mapping[str, Sequence[str]]:
    """The rows of every domain table as text, in one order; by service and table."""
    found: dict[str, Sequence[str]] = {}
    for service in declared(Settings.demo({})):
        for kind in service.actors:
            for table in kind.layout.tables.values():
                found[f"{service.name}.{table.name}"] = await _rows(owners, service.name, _query(kind.layout, table))
            if kind.keeps_history:
                found[f"{service.name}.history"] = await _rows(owners, service.name, _in_order("history", HISTORY))
    return found


async def digest(owners: Owners) -> Mapping[str, str]:
    """A hash of every domain table."""
    return {table: _hash(rows) for table, rows in (await contents(owners)).items()}


async def facts(owners: Owners) -> Mapping[str, Mapping[str, Sequence[str]]]:
    """The ids of what each teller told of each debtor, in the order of telling."""
    told = "SELECT debtor_id, event_id FROM history ORDER BY id"
    services = [each.name for each in declared(Settings.demo({})) if any(kind.keeps_history for kind in each.actors)]
    return {service: by_debtor(await owners.rows(service, told)) for service in services}


def differing(one: Mapping[str, Sequence[str]], other: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
    """The tables that differ, each with some of the rows that only one of the two has."""
    tables = [name for name in one.keys() | other.keys() if one.get(name) != other.get(name)]
    return {name: sorted({*one.get(name, ())} ^ {*other.get(name, ())})[:6] for name in tables}


async def _rows(owners: Owners, service: str, query: str) -> Sequence[str]:
    return [row for (row,) in await owners.rows(service, query)]


def _query(layout: Layout, table: Table) -> str:
    owned = () if table.use == "tally" else (layout.owner,)
    columns = (*owned, "shard", *table.columns)
    if table.use == "journal":
        return _in_order(table.name, columns)
    # One more and one less in the same batch leave no row of a tally, in two batches a row of zero: both say nothing.
    kept = f'WHERE "{table.amount}" <> 0' if table.use == "tally" else ""
    return f'SELECT ROW({_quoted(columns)})::text COLLATE "C" FROM {table.name} {kept} ORDER BY 1'


def _in_order(table: str, columns: Sequence[str]) -> str:
    """A journal with each row's place among its owner's, which is the first of the columns."""
    place = f"row_number() OVER (PARTITION BY {columns[0]} ORDER BY id)"
    return f'SELECT ROW({_quoted(columns)}, {place})::text COLLATE "C" FROM {table} ORDER BY {columns[0]}, id'


def _quoted(columns: Sequence[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)


def _hash(rows: Sequence[str]) -> str:
    found = hashlib.sha256()
    for row in rows:
        found.update(f"{len(row)}:{row}".encode())
    return found.hexdigest()
