"""What the bank's events must keep beyond their types."""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache
from typing import Any
from zoneinfo import available_timezones

import msgspec

from shared.contracts.core_banking import (
    LANGUAGE_PATTERN,
    BusinessDateAdvanced,
    ContactPoint,
    DebtorUpdated,
    Instalment,
    LoanClosed,
    LoanOverdue,
    PartyProfile,
    PaymentPosted,
    PaymentReversed,
)
from shared.contracts.reading import FIRST_YEAR, LAST_YEAR
from shared.service import Rejected

MAX_PARTY = 128

_DATES: Mapping[type, tuple[str, ...]] = {
    LoanOverdue: ("as_of", "posting_cut_off"),
    PaymentPosted: ("posted_at", "settled_due_on"),
    PaymentReversed: ("posted_at", "reversed_at", "settled_due_on"),
    LoanClosed: ("closed_at",),
    DebtorUpdated: ("updated_at",),
    PartyProfile: ("updated_at",),
    BusinessDateAdvanced: ("business_date",),
}
_LANGUAGE = re.compile(LANGUAGE_PATTERN)
_CONTROL = re.compile(r"[\x00-\x1f]")


def check(data: Any, raw: bytes) -> None:
    """Check what the types cannot say: years, numbers of instalments, control characters. Raises Rejected."""
    for name in _DATES[type(data)]:
        check_year(getattr(data, name), name)
    if type(data) is LoanOverdue:
        _check_instalments(data.instalments)
    if type(data) is DebtorUpdated and not _LANGUAGE.fullmatch(data.language):
        raise Rejected("is no language tag", field="language")
    if type(data) is PartyProfile:
        _check_zones(data.time_zones)
    if b"\\" in raw:  # control characters come escaped or not at all
        _check_texts(data)


def check_year(value: date | None, field: str) -> None:
    """Refuse dates that no loan can have."""
    if value is not None and not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise Rejected(f"lies outside the years {FIRST_YEAR} to {LAST_YEAR}", field=field)


def is_party(party_id: str) -> bool:
    """Whether a text is a party id that a valid event could carry."""
    return 0 < len(party_id) <= MAX_PARTY and not _CONTROL.search(party_id)


def _check_instalments(instalments: tuple[Instalment, ...]) -> None:
    seen: set[int] = set()
    for position, instalment in enumerate(instalments):
        if instalment.number in seen:
            raise Rejected("occurs more than once", field=f"instalments[{position}].number")
        seen.add(instalment.number)
        check_year(instalment.due_on, f"instalments[{position}].due_on")


def _check_zones(zones: tuple[str, ...]) -> None:
    """Zones are told unsealed: so they may be nothing but zones."""
    for position, zone in enumerate(zones):
        if zone not in _zones():
            raise Rejected("is no time zone of the IANA list", field=f"time_zones[{position}]")


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _check_texts(data: Any) -> None:
    """Refuse control characters in single texts, and NUL anywhere: PostgreSQL cannot store it."""
    for name in msgspec.structs.fields(data):
        value = getattr(data, name.name)
        if isinstance(value, str) and _CONTROL.search(value):
            raise Rejected("holds a control character", field=name.name)
        if isinstance(value, tuple) and any("\0" in text for item in value for text in _texts(item)):
            raise Rejected("holds a NUL character", field=name.name)


def _texts(item: Any) -> Iterator[str]:
    """The free texts of one part of a list."""
    if isinstance(item, str):
        yield item
    elif isinstance(item, ContactPoint):
        yield item.value
