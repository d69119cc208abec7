"""What a change event of Debezium is made of, with or without the schema that its JSON converter puts around it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from services.intake.connectors import drafting
from shared.service import Rejected

CREATED, UPDATED, DELETED, SNAPSHOT = "c", "u", "d", "r"
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Final = timedelta(days=365 * 250)


class Change(NamedTuple):
    """One row that came, changed or went."""

    op: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    source: Mapping[str, Any]
    at: datetime

    @property
    def row(self) -> Mapping[str, Any]:
        """The row as it is now, or as it was before it went."""
        return self.before if self.op == DELETED else self.after


def unwrapped(value: bytes) -> Any:
    """What a record says, without the schema around it. Raises Rejected."""
    found = drafting.json_of(value)
    if isinstance(found, dict) and found.keys() == {"schema", "payload"}:
        return found["payload"]
    return found


def is_change(found: Any) -> bool:
    """Whether a value is a change event, and not a payload that was routed already."""
    return isinstance(found, dict) and {"op", "after", "source"} <= found.keys()


def change(found: Mapping[str, Any]) -> Change:
    """A change event, checked. Raises Rejected."""
    op = found.get("op")
    if op not in {CREATED, UPDATED, DELETED, SNAPSHOT}:
        raise Rejected("is none of c, u, d, r", field="op")
    before, after = found.get("before") or {}, found.get("after") or {}
    source = found.get("source") or {}
    for name, part in (("before", before), ("after", after), ("source", source)):
        if not isinstance(part, Mapping):
            raise Rejected("is no row", field=name)
    at = source.get("ts_ms") or found.get("ts_ms")
    return Change(str(op), before, after, source, since_epoch(at, "milliseconds", "ts_ms"))


def since_epoch(value: Any, unit: str, field: str) -> datetime:
    """An instant that is counted from 1970 on. Raises Rejected."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise Rejected(f"is no number of {unit}", field=field)
    try:
        span = timedelta(**{unit: value})
    except OverflowError:
        span = _LAST
    if not timedelta() <= span < _LAST:
        raise Rejected("is no time that an event can have", field=field)
    return EPOCH + span
