"""A core's own tables, by a file that says which changes of which table are events, and from which columns.

tables:
- table: payments
on: [create, snapshot]
event: core-banking.payment-posted.v1
fields:
loan_id: loan_no
payment_id: id
amount: amount                                   # decimal.handling.mode=string
currency: {value: CNY}
posted_at: {column: booked_at, form: microseconds}
"""

import hashlib
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from services.intake.connectors import drafting
from services.intake.connectors.debezium import changes as debezium
from services.intake.connectors.debezium.changes import Change
from services.intake.connectors.sending import Ignored, Outcome
from shared import data_files
from shared.contracts.core_banking import EVENTS
from shared.data_files import Form, WrongDataError
from shared.service import Rejected

Kind = Literal["create", "update", "delete", "snapshot"]
_KINDS: Final[Mapping[str, Kind]] = {
    debezium.CREATED: "create",
    debezium.UPDATED: "update",
    debezium.DELETED: "delete",
    debezium.SNAPSHOT: "snapshot",
}


class Field(Form, frozen=True):
    """Where a field comes from: a column, or the same value in every event.

    form: how the column is written. text: as it is, and an amount in units of its currency; minor: an amount in minor
    units; days, milliseconds, microseconds: counted from 1970.
    """

    column: str = ""
    value: str | int | bool | None = None
    form: Literal["text", "minor", "days", "milliseconds", "microseconds"] = "text"


class When(Form, frozen=True):
    """Only where a column has become a value: it has it now and, as far as is known, did not have it before."""

    column: str
    becomes: str | int | bool


class Table(Form, frozen=True):
    """Changes of one table that are events of one type."""

    table: str
    changes: tuple[Kind, ...]
    event: str
    fields: dict[str, str | Field]
    when: When | None = None


class Tables(Form, frozen=True):
    """The whole file."""

    tables: tuple[Table, ...]


def read_tables(file: Path) -> Tables:
    """The file, held against the events that there are. Raises WrongDataError."""
    found = data_files.read(file, Tables)
    for table in found.tables:
        if table.event not in EVENTS:
            raise WrongDataError(f"{file.name}: {table.table}: there is no event {table.event}")
        known = {field.name for field in msgspec.structs.fields(EVENTS[table.event])}
        if unknown := sorted(table.fields.keys() - known):
            raise WrongDataError(f"{file.name}: {table.table}: {table.event} has no field {unknown[0]}")
    return found


def read(value: bytes, tables: Tables, lender_id: str) -> list[Outcome]:
    """What comes of one change, whatever its bytes are."""
    return drafting.attempted("", partial(_read, value, tables, lender_id))


def _read(value: bytes, tables: Tables, lender_id: str) -> Iterator[Outcome]:
    if not value:
        yield Ignored("", "is a tombstone")
        return
    found = debezium.unwrapped(value)
    if not debezium.is_change(found):
        raise Rejected("is no change event of Debezium")
    change = debezium.change(found)
    mapped = [table for table in tables.tables if _applies(table, change)]
    if not mapped:
        yield Ignored("", "is no change that is an event")
    for table in mapped:
        yield from drafting.attempted(table.event, partial(_event, table, change, lender_id))


def _applies(table: Table, change: Change) -> bool:
    if table.table != change.source.get("table") or _KINDS[change.op] not in table.changes:
        return False
    if table.when is None:
        return True
    column, value = table.when.column, table.when.becomes
    return bool(change.row.get(column) == value and change.before.get(column) != value) or (
        change.op == debezium.DELETED and change.before.get(column) == value
    )


def _event(table: Table, change: Change, lender_id: str) -> Iterator[Outcome]:
    fields = {name: _value(source, change.row) for name, source in table.fields.items()}
    fact = drafting.of_lender(lender_id, table.event, fields)
    # The position in the database's log is another one after each snapshot: what is said is not.
    said = hashlib.sha256(table.event.encode() + msgspec.json.encode(fact)).hexdigest()[:32]
    yield drafting.sent(f"{table.table}/{said}", change.at, fact)


def _value(source: str | Field, row: Mapping[str, Any]) -> Any:
    field = Field(column=source) if isinstance(source, str) else source
    found = row.get(field.column) if field.column else field.value
    if found is None:
        return None
    if field.form in {"milliseconds", "microseconds"}:
        return debezium.since_epoch(found, field.form, field.column)
    if field.form == "days":
        return debezium.since_epoch(found, field.form, field.column).date()
    if field.form == "minor":
        return found
    if isinstance(found, float):
        raise Rejected("is a number with a point: have decimals sent as text", field=field.column)
    return str(found) if isinstance(found, int) and not isinstance(found, bool) else found
