"""All that a database and a log hold, but for what tells one undisturbed run from another."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import asyncpg

from shared.messaging.broker import Broker, Lane

Everything: TypeAlias = Mapping[str, Sequence[tuple[Any, ...]]]

VOLATILE = {
    *(("actor", column) for column in ("epoch", "owner", "backend_pid", "timeline")),  # who holds what, since when
    *(("outbox", "created_at"), ("outbox_default", "created_at"), ("gap", "opened_at")),  # the database's own clock
}

_COLUMNS = """
SELECT c.relname::text, array_agg(a.attname::text ORDER BY attnum) FILTER (WHERE attidentity = ''),
    max(a.attname::text) FILTER (WHERE attidentity <> '')
FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid AND attnum > 0
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace GROUP BY 1
"""


async def tables(dsn: str) -> Everything:
    """Every table's rows: in the order of their numbers where they are numbered, else sorted."""
    connection = await asyncpg.connect(dsn)
    try:
        found: dict[str, Sequence[tuple[Any, ...]]] = {}
        for table, columns, numbered in await connection.fetch(_COLUMNS):
            kept = ", ".join(f'"{column}"' for column in columns if (table, column) not in VOLATILE)
            query = f"SELECT ROW({kept})::text FROM {table} ORDER BY {numbered or 1}"
            found[table] = [tuple(row) for row in await connection.fetch(query)]
        return found
    finally:
        await connection.close()


async def records(log: Broker, lanes: Sequence[Lane]) -> Everything:
    """Every record on some lanes, lane by lane."""
    reader = await log.reader()
    await reader.assign(dict.fromkeys(lanes, 0))
    found: dict[str, list[tuple[Any, ...]]] = {}
    while fetched := await reader.fetch(10_000, 0.0):
        for record in fetched:
            place = f"{record.lane.topic}/{record.lane.partition}"
            found.setdefault(place, []).append((record.offset, record.key, record.value, record.headers))
    await reader.close()
    return found


def differing(one: Everything, other: Everything) -> Mapping[str, Any]:
    """What is not the same, by table or lane, with what only one of the two has."""
    places = [name for name in one.keys() | other.keys() if one.get(name) != other.get(name)]
    return {place: {*map(str, one.get(place, ()))} ^ {*map(str, other.get(place, ()))} for place in places}
