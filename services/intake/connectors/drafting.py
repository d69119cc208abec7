"""How a connector makes an event: under the rules that ingress holds it to, or refused with a field and a reason."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time, tzinfo
from decimal import Decimal
from typing import Any, Final

import msgspec

from services.intake.connectors import cloud_events
from services.intake.connectors.cloud_event_rules import check_year
from services.intake.connectors.money import minor_units
from services.intake.connectors.sending import Outcome, Refused, Sent
from shared.contracts import catalogue
from shared.contracts.core_banking import PaymentPosted, PaymentReversed
from shared.contracts.envelope import Fact
from shared.contracts.reading import UnreadableError, parsed
from shared.service import Rejected

LONGEST_ID: Final = 512
MAX_BYTES: Final = cloud_events.MAX_BYTES
_decode: Final = msgspec.json.Decoder().decode
AMOUNTS: Final = frozenset({"amount", "outstanding", "principal", "interest", "penalty", "fee"})
"""Fields that are minor units where they are whole numbers, and units of the currency where they are texts."""


def drafted(name: str, fields: Mapping[str, Any]) -> Fact:
    """An event of a type from its fields by name; empty ones are left out. Raises Rejected."""
    given = {field: value for field, value in fields.items() if value is not None}
    if any(isinstance(given.get(field), float) for field in AMOUNTS):
        raise Rejected("is a number with a point: an amount is written as text, or in whole minor units")
    try:
        data = msgspec.json.encode(_in_minor_units(given, given.get("currency")))
    except (OverflowError, UnicodeError, RecursionError):
        raise Rejected("holds a value that no event can have") from None
    return checked(name, data)


def checked(name: str, data: bytes) -> Fact:
    """The event that some JSON says. Raises Rejected."""
    fact: Fact = cloud_events.payload(name, data)
    return fact


def sent(event_id: str, at: datetime, fact: Fact) -> Sent:
    """An event with its name and time, both such that ingress takes them. Raises Rejected."""
    if not event_id or len(event_id) > LONGEST_ID or not event_id.isprintable():
        raise Rejected(f"is no printable text of up to {LONGEST_ID} characters", field="id")
    check_year(at, "time")
    cloud_events.payload(catalogue.wire_name(type(fact)), msgspec.json.encode(fact))
    return Sent(event_id, at, fact)


def of_lender(lender_id: str, name: str, fields: Any) -> Fact:
    """An event of one lender, whose id may be left out; another lender's is refused. Raises Rejected."""
    if not isinstance(fields, Mapping):
        raise Rejected("is no object", field="data")
    if fields.get("lender_id", lender_id) != lender_id:
        raise Rejected("is another lender", field="lender_id")
    return drafted(name, {**fields, "lender_id": lender_id})


def json_of(data: bytes | str, field: str = "") -> Any:
    """What some JSON says. Raises Rejected; `field` is where it stands."""
    if len(data) > MAX_BYTES:
        raise Rejected(f"is larger than {MAX_BYTES} bytes", field=field)
    try:
        return parsed(_decode, data.encode(errors="surrogatepass") if isinstance(data, str) else data)
    except UnreadableError as error:
        raise Rejected(error.reason, field=field or error.field) from None


def taken_back(posting: PaymentPosted, at: datetime) -> PaymentReversed:
    """That a payment was taken back, as a fact with everything that its posting says of it."""
    return PaymentReversed(
        lender_id=posting.lender_id,
        loan_id=posting.loan_id,
        payment_id=posting.payment_id,
        amount=posting.amount,
        currency=posting.currency,
        posted_at=posting.posted_at,
        reversed_at=at,
    )


def attempted(place: str, make: Callable[[], Iterable[Outcome]]) -> list[Outcome]:
    """What comes of a part of an input; a refusal takes the place of all that it would have come to."""
    try:
        return list(make())
    except Rejected as refusal:
        return [Refused(place, refusal.field, refusal.reason)]


def day(text: object, field: str) -> date:
    """A date as ISO 8601 writes it. Raises Rejected."""
    try:
        found = date.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        found = None
    if found is None:
        raise Rejected("is no date", field=field)
    check_year(found, field)
    return found


def instant(text: object, field: str, zone: tzinfo = UTC) -> datetime:
    """A date and time as ISO 8601 writes them, of a zone where they name none. Raises Rejected."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        found = None
    if found is None:
        raise Rejected("is no date with a time", field=field)
    check_year(found, field)
    return found if found.tzinfo else found.replace(tzinfo=zone)


def start_of(day_: date, zone: tzinfo) -> datetime:
    """The first moment of a day: what a booking of which only the day is known counts from."""
    return datetime.combine(day_, time(), zone)


def _in_minor_units(fields: Mapping[str, Any], currency: Any) -> dict[str, Any]:
    return {name: _converted(name, value, currency) for name, value in fields.items()}


def _converted(name: str, value: Any, currency: Any) -> Any:
    if name in AMOUNTS and isinstance(value, str | Decimal):
        return minor_units(value, currency if isinstance(currency, str) else "", name)
    if name == "instalments" and isinstance(value, list | tuple):
        return [_in_minor_units(each, currency) if isinstance(each, Mapping) else each for each in value]
    return value
