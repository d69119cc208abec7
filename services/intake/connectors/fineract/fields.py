"""Fields of an Avro record by name: releases differ, so each is looked at before it is used. Raises Rejected."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeAlias

from services.intake.connectors.money import minor_units
from shared.service import Rejected

Fields: TypeAlias = Mapping[str, Any]


def part(record: Fields, name: str) -> Fields:
    """A record inside."""
    found = record.get(name)
    if not isinstance(found, Mapping):
        raise Rejected("is required", field=name)
    return found


def parts(record: Fields, name: str) -> list[Fields]:
    """A list of records inside; none where there is no list."""
    found = record.get(name)
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def text(record: Fields, name: str) -> str:
    """A text that must be there."""
    found = record.get(name)
    if not isinstance(found, str) or not found:
        raise Rejected("is required", field=name)
    return found


def text_or_nothing(record: Fields, name: str) -> str:
    """A text, "" where there is none."""
    found = record.get(name)
    return found if isinstance(found, str) else ""


def number(record: Fields, name: str) -> int:
    """A whole number that must be there."""
    found = record.get(name)
    if not isinstance(found, int):
        raise Rejected("is required", field=name)
    return found


def money(record: Fields, name: str, currency: str) -> int:
    """An amount in minor units, 0 where there is none."""
    found = record.get(name)
    if found is None:
        return 0
    if not isinstance(found, Decimal):
        raise Rejected("is no decimal", field=name)
    return minor_units(found, currency, name)


def currency(record: Fields) -> str:
    """The code of a record's currency."""
    return text(part(record, "currency"), "code")
