"""A core's outbox, whose rows hold events of ours: as the outbox event router sends them, or as changes of the table.

Routed, a record's value is the event's data and its header `id` names it; its type is in the header `type` (the router
puts it there with `table.fields.additional.placement=type:header:type`). A change of the table has all that as columns.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final

from services.intake.connectors import drafting
from services.intake.connectors.debezium import changes
from services.intake.connectors.sending import Ignored, Outcome
from shared.messaging.broker import Headers
from shared.service import Rejected

_TYPES: Final = ("type", "eventType")


def read(value: bytes, headers: Headers, recorded_at: datetime, lender_id: str) -> list[Outcome]:
    """What comes of one record, whatever its bytes are."""
    return drafting.attempted("", partial(_read, value, headers, recorded_at, lender_id))


def _read(value: bytes, headers: Headers, recorded_at: datetime, lender_id: str) -> Iterator[Outcome]:
    if not value:
        yield Ignored("", "is a tombstone")
        return
    found = changes.unwrapped(value)
    if changes.is_change(found):
        yield _of_table(changes.change(found), lender_id)
        return
    named = _texts(headers)
    name = next((named[each] for each in _TYPES if each in named), "")
    data = drafting.json_of(found, "payload") if isinstance(found, str) else found
    yield drafting.sent(named.get("id", ""), recorded_at, drafting.of_lender(lender_id, name, data))


def _of_table(change: changes.Change, lender_id: str) -> Outcome:
    if change.op not in {changes.CREATED, changes.SNAPSHOT}:
        return Ignored("", "is no new row of the outbox")
    row = change.row
    payload = row.get("payload")
    data = drafting.json_of(payload, "payload") if isinstance(payload, str) else payload
    fact = drafting.of_lender(lender_id, _text(row, "type"), data)
    return drafting.sent(_text(row, "id"), change.at, fact)


def _text(row: Mapping[str, Any], name: str) -> str:
    found = row.get(name)
    if not isinstance(found, str):
        raise Rejected("is required", field=name)
    return found


def _texts(headers: Headers) -> dict[str, str]:
    """The headers that are read, without the quotes that a JSON converter puts around a text."""
    found: dict[str, str] = {}
    for name, value in headers:
        if name in {"id", *_TYPES} and name not in found:
            found[name] = (value or b"").decode(errors="replace").strip('"')
    return found
