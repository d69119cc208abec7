"""Attributes that are dates or instants."""

from datetime import date, datetime

from services.outreach.compliance.domain.zones import Zone, day_number, second_of


def day_of(value: object, zone: Zone) -> int | None:
    """The civil date of an attribute in a zone, as days since 1970; None where it is no date and no instant."""
    if isinstance(value, str):
        value = _parsed(value)
    if isinstance(value, datetime):
        return None if value.utcoffset() is None else zone.day(second_of(value))
    return day_number(value) if isinstance(value, date) else None


def _parsed(text: str) -> date | datetime | None:
    try:
        return datetime.fromisoformat(text) if len(text) > len("2026-01-01") else date.fromisoformat(text)
    except ValueError:
        return None
