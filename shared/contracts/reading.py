"""Reading bytes of anybody's: a value, or a complaint that names a field and a rule and never shows what was in it."""

import re
from collections.abc import Callable
from operator import attrgetter
from typing import Any, TypeVar

import msgspec

from shared.contracts.envelope import Event

FIRST_YEAR, LAST_YEAR = 1970, 2199
"""No loan lies outside; far from the ends of the calendar, so that adding days or an offset never overflows."""

LONGEST_NAME = 512
"""Characters of an id or a name: what a database's index can hold, and four times what any of ours has."""

LAST_VERSION = 2**63 - 1

_NAMES = ("id", "type", "lender_id", "debtor_id", "actor", "caused_by", "trace")
_names_of = attrgetter(*_NAMES)
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_PLACE = re.compile(r" - at `\$\.?(?P<field>[^`]*)`$")
_MISSING = re.compile(r"Object missing required field `(?P<field>\w+)`")
_SAFE_RULES = (
    "Expected ",
    "Invalid RFC3339",
    "Integer value out of range",
    "Number out of range",
    "JSON is malformed",
    "Input data was truncated",
)

Decoded = TypeVar("Decoded")


class UnreadableError(ValueError):
    """The bytes are no value of the wanted type; `field` is where, "" for the whole."""

    def __init__(self, reason: str, field: str = "") -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.reason, self.field = reason, field


def parsed(decode: Callable[[bytes], Decoded], data: bytes) -> Decoded:
    """Decode JSON; whatever the decoder objects to becomes a field and a rule. Raises UnreadableError."""
    try:
        return decode(data)
    except msgspec.DecodeError as error:
        reason, field = explained(str(error))
    except UnicodeError:
        reason, field = "the JSON is not UTF-8", ""
    except RecursionError:
        reason, field = "the JSON is nested too deeply", ""
    raise UnreadableError(reason, field)


def explained(message: str) -> tuple[str, str]:
    """A decoder's complaint as (rule, field); what could repeat a value is replaced."""
    place = _PLACE.search(message)
    field = place["field"] if place else ""
    rule = message[: place.start()] if place else message
    missing = _MISSING.match(rule)
    if missing:
        return "is required", f"{field}.{missing['field']}" if field else missing["field"]
    if rule.startswith("Invalid enum value"):
        return "is not one of the known values", field
    return (rule if rule.startswith(_SAFE_RULES) else "is not valid"), field


def holds_nul(encoded: bytes) -> bool:
    """Whether some text in this JSON holds a NUL character, which no database can store."""
    return rb"\u0000" in encoded and _NUL.search(encoded) is not None


def check_event(event: Event[Any], encoded: bytes) -> None:
    """Refuse an envelope that no fact of ours has, and with which not even a dead letter could be kept.

    Raises UnreadableError.
    """
    if max(map(len, _names_of(event))) > LONGEST_NAME:
        name = next(name for name in _NAMES if len(getattr(event, name)) > LONGEST_NAME)
        raise UnreadableError(f"is longer than {LONGEST_NAME} characters", name)
    if not 0 <= event.case_version <= LAST_VERSION:
        raise UnreadableError("is no number of a version", "case_version")
    for name, instant in (("occurred_at", event.occurred_at), ("recorded_at", event.recorded_at)):
        if instant.tzinfo is None:
            raise UnreadableError("has no offset", name)
        if not FIRST_YEAR <= instant.year <= LAST_YEAR:
            raise UnreadableError(f"lies outside the years {FIRST_YEAR} to {LAST_YEAR}", name)
    if holds_nul(encoded):
        raise UnreadableError("a text holds a NUL character")
