"""Between row dataclasses and columns: which values need turning, and how, decided once per table."""

import dataclasses
import types
import typing
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from itertools import compress
from operator import attrgetter, is_not
from typing import Any

import msgspec

from shared.contracts.reading import holds_nul
from shared.frozen import replace
from shared.messaging.layout import Key, Layout, Row, Table
from shared.messaging.store import Change, UnsavableError

PLAIN: Mapping[type, str] = {
    str: "text",
    int: "bigint",
    bool: "boolean",
    date: "date",
    datetime: "timestamptz",
    bytes: "bytea",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: its SQL type, and how values go in and come out (None: as they are)."""

    name: str
    sql: str
    write: Callable[[Any], Any] | None
    read: Callable[[Any], Any] | None


@cache
def columns_of(table: Table) -> tuple[Column, ...]:
    """The row's columns, in the order of its fields."""
    hints = typing.get_type_hints(table.row)
    return tuple(_column(name, hints[name]) for name in table.columns)


def _column(name: str, hint: Any) -> Column:
    bare = _without_none(hint)
    if bare in PLAIN:
        return Column(name, PLAIN[bare], None, None)
    if isinstance(bare, type) and issubclass(bare, StrEnum):
        return Column(name, "text", None, {each.value: each for each in bare}.__getitem__)  # quicker than to call it
    decode = msgspec.json.Decoder(hint).decode
    return Column(name, "json", _json, decode)


def _without_none(hint: Any) -> Any:
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        given = [each for each in typing.get_args(hint) if each is not type(None)]
        return given[0] if len(given) == 1 else hint
    return hint


def _json(value: Any) -> str | None:
    if value is None:
        return None
    try:
        encoded = msgspec.json.encode(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise UnsavableError(f"{type(error).__name__} while writing JSON") from error
    return json_text(encoded)


def json_text(encoded: bytes) -> str:
    """JSON as it is stored. Raises UnsavableError for a NUL character, which PostgreSQL keeps but cannot read again."""
    if holds_nul(encoded):
        raise UnsavableError("a text holds a NUL character")
    return encoded.decode()


def selected(table: Table, prefix: str = "") -> str:
    """A table's columns for SELECT, `prefix` ("t.") before each; JSON as text, since rows decode it by their types."""
    names = ((f'{prefix}"{column.name}"', column) for column in columns_of(table))
    return ", ".join(f'CAST({n} AS text) AS "{c.name}"' if c.sql == "json" else n for n, c in names)


def taking(names: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """A function from an object to these of its attributes."""
    return attrgetter(*names) if len(names) > 1 else lambda of: (getattr(of, names[0]),)


@cache
def writer_of(table: Table) -> Callable[[Row], Sequence[Any]]:
    """A function from a row to its column values. It raises UnsavableError for what cannot be written as JSON."""
    columns = columns_of(table)
    turned = [(place, column.write) for place, column in enumerate(columns) if column.write is not None]
    take = taking(table.columns)
    if not turned:
        return take

    def write(row: Row) -> Sequence[Any]:
        cells = list(take(row))
        for place, turn in turned:
            cells[place] = turn(cells[place])
        return cells

    return write


@cache
def reader_of(table: Table) -> Callable[[Sequence[Any]], Row]:
    """A function from column values to a row."""
    make = table.row
    turned = [(place, column.read) for place, column in enumerate(columns_of(table)) if column.read is not None]
    if not turned:
        return lambda cells: make(*cells)

    def read(cells: Sequence[Any]) -> Row:
        turning = list(cells)
        for place, turn in turned:
            if turning[place] is not None:
                turning[place] = turn(turning[place])
        return make(*turning)

    return read


def values(table: Table, row: Row) -> tuple[Any, ...]:
    """A row as column values. Raises UnsavableError."""
    return tuple(writer_of(table)(row))


def row_of(table: Table, cells: Sequence[Any]) -> Row:
    """Column values as a row."""
    return reader_of(table)(cells)


@dataclasses.dataclass(slots=True)
class Differences:
    """What a set of changes means for one table."""

    inserts: list[tuple[int, str, Row]] = dataclasses.field(default_factory=list)
    updates: list[tuple[str, Row]] = dataclasses.field(default_factory=list)
    deletes: list[tuple[str, Key]] = dataclasses.field(default_factory=list)


def differences(layout: Layout, changes: Sequence[Change]) -> dict[str, Differences]:
    """Compare states before and after: what it means for each table that differs; journals and tallies only grow."""
    names, take = tuple(layout.tables), taking(tuple(layout.tables))
    differing: dict[str, list[Change]] = {name: [] for name in names}
    for change in changes:
        for name in compress(names, map(is_not, take(change.before), take(change.after))):
            differing[name].append(change)
    return {name: _differences(layout, name, some) for name, some in differing.items() if some}


def _differences(layout: Layout, name: str, changes: Sequence[Change]) -> Differences:
    found, table = Differences(), layout.tables[name]
    for change in changes:
        before, after = getattr(change.before, name), getattr(change.after, name)
        if table.use != "rows":
            found.inserts += [(change.shard, change.owner, row) for row in after]
        elif table.key:
            _compare_all(found, change, before, after)
        elif after is not None:
            _compare(found, change, before, after)
        else:
            found.deletes.append((change.owner, None))
    return found


def _compare_all(found: Differences, change: Change, before: Mapping[Key, Row], after: Mapping[Key, Row]) -> None:
    for key, row in after.items():
        _compare(found, change, before.get(key), row)
    if not before.keys() <= after.keys():
        found.deletes += [(change.owner, key) for key in before if key not in after]


def _compare(found: Differences, change: Change, before: Row | None, after: Row) -> None:
    if before is None:
        found.inserts.append((change.shard, change.owner, after))
    elif before is not after and before != after:
        found.updates.append((change.owner, after))


def tally(table: Table, inserts: Sequence[tuple[int, str, Row]]) -> dict[tuple[int, Key], Row]:
    """Sum a turn's tally rows by shard and key; sums of zero are left out."""
    key_of, amount_of = table.key_of, attrgetter(table.amount)
    firsts: dict[tuple[int, Key], Row] = {}
    sums: dict[tuple[int, Key], int] = defaultdict(int)
    for shard, _, row in inserts:
        place = (shard, key_of(row))
        firsts.setdefault(place, row)
        sums[place] += amount_of(row)
    return {
        place: row if amount_of(row) == total else replace(row, **{table.amount: total})
        for (place, row), total in zip(firsts.items(), sums.values(), strict=True)
        if total
    }
