"""Between row dataclasses and columns: which values need turning, and how, decided once per table."""

import dataclasses
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from typing import Any

import msgspec

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
LARGEST = 2**63 - 1
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


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
        return Column(name, PLAIN[bare], _checked if bare is int else _clean if bare is str else None, None)
    if isinstance(bare, type) and issubclass(bare, StrEnum):
        return Column(name, "text", None, bare)
    decode = msgspec.json.Decoder(hint).decode
    return Column(name, "jsonb", _json, lambda value: None if value is None else decode(value))


def _without_none(hint: Any) -> Any:
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        given = [each for each in typing.get_args(hint) if each is not type(None)]
        return given[0] if len(given) == 1 else hint
    return hint


def _checked(value: int | None) -> int | None:
    if value is not None and not -LARGEST - 1 <= value <= LARGEST:
        raise UnsavableError("an amount or number is beyond 64 bits")
    return value


def _clean(value: str | None) -> str | None:
    if value is not None and "\x00" in value:
        raise UnsavableError("a text holds a NUL character")
    return value


def _json(value: Any) -> str | None:
    if value is None:
        return None
    try:
        text = msgspec.json.encode(value).decode()
    except (TypeError, ValueError, OverflowError) as error:
        raise UnsavableError(f"{type(error).__name__} while writing JSON") from error
    if holds_nul(text):
        raise UnsavableError("a text holds a NUL character")
    return text


def holds_nul(text: str) -> bool:
    """Whether a text within JSON holds a NUL character, which jsonb cannot keep."""
    return "\\u0000" in text and _NUL.search(text) is not None


def values(table: Table, row: Row) -> tuple[Any, ...]:
    """A row as column values. Raises UnsavableError."""
    return tuple(
        getattr(row, column.name) if column.write is None else column.write(getattr(row, column.name))
        for column in columns_of(table)
    )


def row_of(table: Table, cells: Sequence[Any]) -> Row:
    """Column values as a row."""
    columns = columns_of(table)
    return table.row(
        *(
            cell if column.read is None or cell is None else column.read(cell)
            for column, cell in zip(columns, cells, strict=True)
        )
    )


@dataclasses.dataclass(slots=True)
class Differences:
    """What a set of changes means for one table."""

    inserts: list[tuple[int, str, Row]] = dataclasses.field(default_factory=list)
    updates: list[tuple[str, Row]] = dataclasses.field(default_factory=list)
    deletes: list[tuple[str, Key]] = dataclasses.field(default_factory=list)


def differences(layout: Layout, name: str, changes: Sequence[Change]) -> Differences:
    """Compare states before and after, for one field; a journal or tally has inserts only."""
    found = Differences()
    if layout.tables[name].use != "rows":
        for change in changes:
            found.inserts += [(change.shard, change.owner, row) for row in getattr(change.after, name)]
        return found
    for change in changes:
        if getattr(change.before, name) is not getattr(change.after, name):
            _compare(found, change, layout.rows(change.before, name), layout.rows(change.after, name))
    return found


def _compare(found: Differences, change: Change, before: Mapping[Key, Row], after: Mapping[Key, Row]) -> None:
    for key, row in after.items():
        known = before.get(key)
        if known is None:
            found.inserts.append((change.shard, change.owner, row))
        elif known is not row and known != row:
            found.updates.append((change.owner, row))
    found.deletes += [(change.owner, key) for key in before if key not in after]


def tally(table: Table, inserts: Sequence[tuple[int, str, Row]]) -> dict[tuple[int, Key], Row]:
    """Sum a turn's tally rows by shard and key; sums of zero are left out."""
    sums: dict[tuple[int, Key], Row] = {}
    for shard, _, row in inserts:
        place = (shard, table.key_of(row))
        known = sums.get(place)
        amount = getattr(row, table.amount)
        sums[place] = row if known is None else dataclasses.replace(
            known, **{table.amount: getattr(known, table.amount) + amount}
        )
    return {place: row for place, row in sums.items() if getattr(row, table.amount)}
