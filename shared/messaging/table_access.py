"""The SQL of a service's own tables, derived from its layout: bulk loads by owner, bulk saves of what differs."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cache
from operator import itemgetter
from typing import Any, TypeAlias

import asyncpg

from shared.frozen import replace
from shared.messaging.arrays import Column, by_column
from shared.messaging.layout import Key, Layout, Row, State, Table
from shared.messaging.lookout import is_dated, timed
from shared.messaging.rows import Differences, columns_of, differences, reader_of, tally, writer_of
from shared.messaging.statements import JOINED, joined
from shared.messaging.store import Change, DueRow

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


async def load_rows(
    connection: Connection,
    layout: Layout,
    owners: Collection[str],
    named: Mapping[str, set[tuple[str, Key]]],
) -> dict[str, State]:
    """The state of each owner, table by table, with the settled rows that are named."""
    content: dict[str, dict[str, Any]] = {owner: {} for owner in owners}
    wanted = joined(owners)
    for name, table in layout.tables.items():
        if table.use != "rows":
            continue
        rows = await connection.fetch(_select(layout.owner, table), *wanted)
        if table.settled and named.get(name):
            rows += await connection.fetch(_select_named(layout.owner, table), *_named_arrays(table, named[name]))
        _gather(content, name, table, rows)
    unknown, named_by = layout.empty(""), layout.named_by
    return {owner: replace(unknown, **{named_by: owner}, **fields) for owner, fields in content.items()}


def _gather(content: dict[str, dict[str, Any]], name: str, table: Table, rows: Sequence[asyncpg.Record]) -> None:
    read, key_of = reader_of(table), table.key_of
    for record in rows:
        row = read(record[1:])
        if table.key:
            content[record[0]].setdefault(name, {})[key_of(row)] = row
        else:
            content[record[0]][name] = row


def _named_arrays(table: Table, named: Collection[tuple[str, Key]]) -> list[Column]:
    return by_column([(owner, *_key_cells(table, key)) for owner, key in sorted(named)])


def _names(table: Table) -> str:
    return ", ".join(f't."{name}"' for name in table.columns)


@cache
def _select(owner: str, table: Table) -> str:
    condition = f" AND NOT t.{table.settled}" if table.settled else ""
    return f"SELECT t.{owner}, {_names(table)} FROM {table.name} t WHERE t.{owner} = ANY ({JOINED}){condition}"


@cache
def _select_named(owner: str, table: Table) -> str:
    types = {column.name: column.sql for column in columns_of(table)}
    arrays = ", ".join(f"${position}::{types[name]}[]" for position, name in enumerate(table.key, start=2))
    keys = ", ".join(f't."{name}"' for name in table.key)
    return (
        f"SELECT t.{owner}, {_names(table)} FROM {table.name} t "
        f"WHERE (t.{owner}, {keys}) IN (SELECT * FROM unnest($1::text[], {arrays})) AND t.{table.settled}"
    )


async def save_tables(connection: Connection, layout: Layout, changes: Sequence[Change]) -> None:
    """Write what differs, table by table in key order. Raises the driver's errors."""
    for name, found in differences(layout, changes).items():
        await _save_table(connection, layout, layout.tables[name], found)


async def _save_table(connection: Connection, layout: Layout, table: Table, found: Differences) -> None:
    if table.use == "tally":
        await _add_up(connection, table, found)
        return
    if found.deletes:
        keys = [(owner, *_key_cells(table, key)) for owner, key in sorted(found.deletes, key=str)]
        await connection.execute(_delete(layout.owner, table), *by_column(keys))
    if found.updates:
        write = writer_of(table)
        rows = [(owner, *write(row)) for owner, row in found.updates]
        await connection.execute(_update(layout.owner, table), *by_column(rows))
    if found.inserts:
        await _insert(connection, layout, table, found)


async def _insert(connection: Connection, layout: Layout, table: Table, found: Differences) -> None:
    ordered = found.inserts if table.use == "journal" else sorted(found.inserts, key=itemgetter(1))
    write = writer_of(table)
    rows = [(shard, owner, *write(row)) for shard, owner, row in ordered]
    if table.walled:
        await connection.execute(_insertion(layout.owner, table), *by_column(rows))
        return
    columns = ["shard", layout.owner, *table.columns]
    await connection.copy_records_to_table(table.name, records=rows, columns=columns)


async def _add_up(connection: Connection, table: Table, found: Differences) -> None:
    sums = tally(table, found.inserts)
    write = writer_of(table)
    rows = [(shard, *write(row)) for (shard, _), row in sorted(sums.items(), key=lambda each: str(each[0]))]
    if rows:
        await connection.execute(_tally(table), *by_column(rows))


def _key_cells(table: Table, key: Key) -> tuple[Any, ...]:
    if not table.key:
        return ()
    return key if len(table.key) > 1 else (key,)


def _unnest(types: Sequence[str]) -> str:
    return ", ".join(f"${position}::{sql}[]" for position, sql in enumerate(types, start=1))


@cache
def _insertion(owner: str, table: Table) -> str:
    columns = columns_of(table)
    names = ", ".join(f'"{column.name}"' for column in columns)
    types = _unnest(["smallint", "text", *(column.sql for column in columns)])
    return f"INSERT INTO {table.name} (shard, {owner}, {names}) SELECT * FROM unnest({types})"


@cache
def _update(owner: str, table: Table) -> str:
    columns = columns_of(table)
    changed = ", ".join(f'"{c.name}" = v."{c.name}"' for c in columns if c.name not in table.key)
    names = ", ".join(f'"{column.name}"' for column in columns)
    match = "".join(f' AND t."{name}" = v."{name}"' for name in table.key)
    return (
        f"UPDATE {table.name} t SET {changed} "
        f"FROM unnest({_unnest(['text', *(c.sql for c in columns)])}) AS v (owner, {names}) "
        f"WHERE t.{owner} = v.owner{match}"
    )


@cache
def _delete(owner: str, table: Table) -> str:
    types = {column.name: column.sql for column in columns_of(table)}
    names = ", ".join(["owner", *(f'"{name}"' for name in table.key)])
    match = "".join(f' AND t."{name}" = v."{name}"' for name in table.key)
    return (
        f"DELETE FROM {table.name} t "
        f"USING unnest({_unnest(['text', *(types[name] for name in table.key)])}) AS v ({names}) "
        f"WHERE t.{owner} = v.owner{match}"
    )


@cache
def _tally(table: Table) -> str:
    columns = columns_of(table)
    names = ", ".join(f'"{column.name}"' for column in columns)
    keys = ", ".join(["shard", *(f'"{name}"' for name in table.key)])
    return (
        f"INSERT INTO {table.name} AS t (shard, {names}) "
        f"SELECT * FROM unnest({_unnest(['smallint', *(c.sql for c in columns)])}) "
        f'ON CONFLICT ({keys}) DO UPDATE SET "{table.amount}" = t."{table.amount}" + excluded."{table.amount}"'
    )


async def claim_due(
    connection: Connection, kind: str, layout: Layout, numbers: Collection[int], now: datetime, limit: int
) -> list[DueRow]:
    """Rows whose time has come, of owners not in quarantine; they stay until the turn removes them from the state.

    None of a table are taken before all of the tables in front of it: so no owner's order depends on the limit.
    """
    found: list[DueRow] = []
    for name, table in layout.tables.items():
        left = limit - len(found)
        if table.due is None or not left:
            continue
        dated = is_dated(table)
        arguments: Sequence[Any] = (kind, list(numbers), left) if dated else (kind, list(numbers), left, now)
        rows = await connection.fetch(_claim(layout.owner, table, dated=dated), *arguments)
        found += [_due(name, table, record) for record in rows]
    return found


def _due(name: str, table: Table, record: asyncpg.Record) -> DueRow:
    shard, owner, *cells = record
    row: Row = reader_of(table)(cells)
    return DueRow(shard, owner, name, table.key_of(row), row)


def _free(owner: str) -> str:
    return f"NOT EXISTS (SELECT FROM quarantine q WHERE q.kind = $1 AND q.owner = t.{owner})"


@cache
def _claim(owner: str, table: Table, *, dated: bool) -> str:
    within = ", ".join([f'"{table.due}"', owner, *(f'"{name}"' for name in table.key)])
    order = f"shard, {within}"
    names = _names(table)
    free = _free(owner)
    if dated:
        return (
            f"SELECT t.shard, t.{owner}, {names} FROM lane_clock c CROSS JOIN LATERAL ("
            f'SELECT * FROM {table.name} t WHERE t.shard = c.number AND t."{table.due}" <= c.business_date '
            f"AND t.lender_id = c.lender_id AND {free} ORDER BY {within} LIMIT $3) t "
            f"WHERE c.kind = $1 AND c.number = ANY ($2::int[]) ORDER BY {order} LIMIT $3"
        )
    return (
        f"SELECT t.shard, t.{owner}, {names} FROM {table.name} t "
        f'WHERE t.shard = ANY ($2::int[]) AND t."{table.due}" <= $4 AND {free} ORDER BY {order} LIMIT $3'
    )


_COMMAND_WAITS = "EXISTS (SELECT FROM command WHERE kind = $1 AND number = ANY ($2::int[]) AND status = 'pending')"


def anything_waits(layout: Layout) -> str:
    """An expression: whether a command or a due row waits; $1 is the kind, $2 the actors, $3 the instant."""
    due = [_any_due(layout.owner, table) for table in layout.tables.values() if table.due is not None]
    return " OR ".join([_COMMAND_WAITS, *due, "$3::timestamptz IS NULL"])


@cache
def _any_due(owner: str, table: Table) -> str:
    free = _free(owner)
    if not is_dated(table):
        return (
            f'EXISTS (SELECT FROM {table.name} t WHERE t.shard = ANY ($2::int[]) AND t."{table.due}" <= $3 AND {free})'
        )
    return (
        f"EXISTS (SELECT FROM lane_clock c JOIN {table.name} t ON t.shard = c.number AND t.lender_id = c.lender_id "
        f'AND t."{table.due}" <= c.business_date WHERE c.kind = $1 AND c.number = ANY ($2::int[]) AND {free})'
    )


def next_to_fall_due(layout: Layout) -> str:
    """An expression: the first instant after $3 at which a row falls due; $1 is the kind, $2 the actors."""
    firsts = [_next_due(layout.owner, table) for _, table in timed(layout)]
    return f"least({', '.join(firsts)})" if firsts else "NULL"


@cache
def _next_due(owner: str, table: Table) -> str:
    free = _free(owner)
    return (
        f"(SELECT min(t.at) FROM unnest($2::int[]) AS actor (number) CROSS JOIN LATERAL ("
        f'SELECT t."{table.due}" AS at FROM {table.name} t WHERE t.shard = actor.number AND t."{table.due}" > $3 '
        f'AND {free} ORDER BY t."{table.due}" LIMIT 1) t)'
    )
