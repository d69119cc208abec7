"""CloudEvents 1.0 over Kafka: how a connector writes the bank's events, and how ingress reads whatever arrives.

Both modes of the Kafka protocol binding are read: binary (attributes in headers `ce_*`, the value is the data) and
structured (content-type `application/cloudevents+json`, the value is the whole event). Any bytes whatsoever give an
event or `Rejected`, whose text names a field and a rule and never a value.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

import msgspec

from services.intake.connectors import cloud_event_rules as rules
from services.intake.connectors.sealing import Sealer
from shared.contracts import catalogue, core_banking
from shared.contracts.core_banking import DebtorUpdated, PartyProfile
from shared.contracts.envelope import Event, Fact, derived_id
from shared.contracts.reading import UnreadableError, parsed
from shared.messaging.broker import Headers, Outgoing, Record
from shared.service import Rejected

MAX_BYTES = 1 << 20
"""The largest value that is read: 1,000 instalments take about 100 KiB."""

MAX_ATTRIBUTE = 1_024
STRUCTURED = "application/cloudevents+json"
_JSON = "application/json"
PROFILES = (DebtorUpdated, PartyProfile)
"""The events that say who a debtor is."""

_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)
_IDENTIFIER = re.compile(r"[A-Za-z0-9._:/@+\-]{1,128}", re.ASCII)

_encode = msgspec.json.Encoder().encode
Decoded = TypeVar("Decoded")


class Attributes(NamedTuple):
    """The context attributes that we use, and the data as JSON."""

    type: str
    id: str
    source: str
    time: str
    trace: str
    data: bytes


class _Structured(msgspec.Struct, gc=False):
    specversion: str
    type: str
    id: str
    source: str
    time: str = ""
    datacontenttype: str = ""
    traceparent: str = ""
    data: msgspec.Raw = msgspec.Raw()
    data_base64: str = ""


class _Owner(msgspec.Struct, gc=False):
    lender_id: Any = None
    party_id: Any = None


class _OwnerInside(msgspec.Struct, gc=False):
    data: _Owner


_decode_structured = msgspec.json.Decoder(_Structured)
_decode_owner = msgspec.json.Decoder(_Owner)
_decode_owner_inside = msgspec.json.Decoder(_OwnerInside)
_decoders: Mapping[str, msgspec.json.Decoder[Fact]] = {
    name: msgspec.json.Decoder(fact) for name, fact in core_banking.EVENTS.items()
}


def outgoing(event: Fact, *, source: str, event_id: str, time: datetime, key: bytes | None = None) -> Outgoing:
    """Write an event of the bank in binary mode; `time` is aware, and source and id together name the event."""
    attributes = {
        "ce_specversion": "1.0",
        "ce_type": catalogue.wire_name(type(event)),
        "ce_id": event_id,
        "ce_source": source,
        "ce_time": time.isoformat(),
        "content-type": _JSON,
    }
    return Outgoing(key, _encode(event), tuple((name, value.encode()) for name, value in attributes.items()))


def payload(name: str, data: bytes) -> Any:
    """What an event of a type says, by the rules that all events of the bank must keep. Raises Rejected."""
    decoder = _decoders.get(name)
    if decoder is None:
        raise Rejected("is not a type of event that is known here", field="type")
    found = _parsed(decoder, data)
    rules.check(found, data)
    return found


def decode(record: Record, sealer: Sealer) -> Event[Any] | None:
    """Read a record of the public topic; personal data leaves here sealed, and the party only as its pseudonym.

    None for a profile from before its person was erased.

    Raises Rejected; its `owner` is the debtor where lender and party could still be read. Raises TryLater.
    """
    if len(record.value) > MAX_BYTES:
        raise Rejected(f"is larger than {MAX_BYTES} bytes", field="data")
    try:
        return _event(_attributes(record), record.timestamp, sealer)
    except Rejected as refusal:
        lender_id, owner = _owner(record, sealer)
        raise Rejected(refusal.reason, field=refusal.field, owner=owner, lender_id=lender_id) from None


def _event(attributes: Attributes, recorded_at: datetime, sealer: Sealer) -> Event[Any] | None:
    data = payload(attributes.type, attributes.data)
    party_id = getattr(data, "party_id", "")
    debtor_id = sealer.pseudonym(data.lender_id, party_id) if party_id else ""
    if isinstance(data, PROFILES) and sealer.is_forgotten(debtor_id, data.updated_at):
        return None
    content = _without_persons(data, debtor_id, sealer)
    return Event(
        id=derived_id(f"{len(attributes.source)}/{attributes.source}/{attributes.id}", 0),
        type=catalogue.wire_name(type(content)),
        lender_id=data.lender_id,
        debtor_id=debtor_id,
        occurred_at=_instant(attributes.time) if attributes.time else recorded_at,
        recorded_at=recorded_at,
        trace=attributes.trace,
        data=content,
    )


def _without_persons(data: Any, debtor_id: str, sealer: Sealer) -> Fact:
    """The payload without anything that names a person."""
    if isinstance(data, PROFILES):
        return sealer.profile(data, debtor_id)
    without: Fact = msgspec.structs.replace(data, party_id="") if debtor_id else data
    return without


def _owner(record: Record, sealer: Sealer) -> tuple[str, str]:
    """Lender and debtor of an event that is otherwise bad, "" for what cannot be read."""
    try:
        structured = _content_type(_headers(record.headers)) == STRUCTURED
    except Rejected:
        structured = False
    try:
        found = _parsed(_decode_owner_inside, record.value).data if structured else _parsed(_decode_owner, record.value)
    except Rejected:
        return "", ""
    lender_id, party_id = found.lender_id, found.party_id
    if not isinstance(lender_id, str) or not _IDENTIFIER.fullmatch(lender_id):
        return "", ""
    if not isinstance(party_id, str) or not rules.is_party(party_id):
        return lender_id, ""
    return lender_id, sealer.pseudonym(lender_id, party_id)


# -- the two modes -----------------------------------------------------------------------------------------------


def _attributes(record: Record) -> Attributes:
    headers = _headers(record.headers)
    content_type = _content_type(headers)
    structured = content_type == STRUCTURED
    found = _structured(record.value, headers) if structured else _binary(record.value, headers, content_type)
    for name in ("type", "id", "source"):
        _check_attribute(name, getattr(found, name))
    return found


def _content_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", _JSON).split(";")[0].strip().lower()


def _headers(headers: Headers) -> Mapping[str, str]:
    """The headers that we read, the first of each name."""
    found: dict[str, str] = {}
    for name, value in headers:
        if name not in found and (name.startswith("ce_") or name in {"content-type", "traceparent"}):
            found[name] = _header(name, value or b"")
    return found


def _header(name: str, value: bytes) -> str:
    field = name.removeprefix("ce_")[:MAX_ATTRIBUTE]
    if len(value) > MAX_ATTRIBUTE:
        raise Rejected(f"is longer than {MAX_ATTRIBUTE} bytes", field=_safe(field))
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise Rejected("is not UTF-8", field=_safe(field)) from None


def _safe(name: str) -> str:
    """A header's name if it is a plain word: it comes from outside, as values do."""
    known = {"specversion", "type", "id", "source", "time", "traceparent", "content-type"}
    return name if name in known else "header"


def _binary(value: bytes, headers: Mapping[str, str], content_type: str) -> Attributes:
    _check_version(headers.get("ce_specversion", ""))
    _check_content_type(content_type, "content-type")
    trace = _trace(headers.get("ce_traceparent", "") or headers.get("traceparent", ""))
    return Attributes(
        type=headers.get("ce_type", ""),
        id=headers.get("ce_id", ""),
        source=headers.get("ce_source", ""),
        time=headers.get("ce_time", ""),
        trace=trace,
        data=value,
    )


def _structured(value: bytes, headers: Mapping[str, str]) -> Attributes:
    event = _parsed(_decode_structured, value)
    _check_version(event.specversion)
    _check_content_type(event.datacontenttype.split(";")[0].strip().lower() or _JSON, "datacontenttype")
    trace = _trace(event.traceparent or headers.get("traceparent", ""))
    return Attributes(event.type, event.id, event.source, event.time, trace, _data(event))


def _data(event: _Structured) -> bytes:
    if not event.data_base64:
        return bytes(event.data)
    try:
        return base64.b64decode(event.data_base64, validate=True)
    except (binascii.Error, ValueError):
        raise Rejected("is not base64", field="data_base64") from None


def _check_version(version: str) -> None:
    if version != "1.0":
        raise Rejected("this is not a CloudEvent of version 1.0", field="specversion")


def _check_content_type(content_type: str, field: str) -> None:
    if content_type != _JSON and not content_type.endswith("+json"):
        raise Rejected("is not JSON", field=field)


def _check_attribute(name: str, value: str) -> None:
    if not value:
        raise Rejected("is required", field=name)
    if len(value) > MAX_ATTRIBUTE:
        raise Rejected(f"is longer than {MAX_ATTRIBUTE} characters", field=name)


def _trace(traceparent: str) -> str:
    """A W3C traceparent, or "": by that standard a malformed one starts a new trace, and is no error."""
    return traceparent if _TRACEPARENT.fullmatch(traceparent) else ""


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise Rejected("is not an RFC 3339 timestamp", field="time") from None
    if instant.tzinfo is None:
        raise Rejected("has no offset", field="time")
    rules.check_year(instant, "time")
    return instant.astimezone(UTC)


def _parsed(decoder: msgspec.json.Decoder[Decoded], data: bytes) -> Decoded:
    try:
        return parsed(decoder.decode, data)
    except UnreadableError as error:
        raise Rejected(error.reason, field=error.field) from None
