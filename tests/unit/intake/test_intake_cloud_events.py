"""Whatever bytes arrive: an event, or a refusal that names a field and shows no value."""

import base64
import json
import string
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.intake.connectors import cloud_events
from services.intake.connectors.cloud_events import MAX_BYTES, STRUCTURED, decode, outgoing
from services.intake.connectors.sealing import BlindIndex, Sealer
from shared.contracts import catalogue
from shared.contracts.core_banking import (
    TOPIC,
    BusinessDateAdvanced,
    ContactKind,
    ContactPoint,
    DebtorUpdated,
    LoanOverdue,
    PartyProfile,
)
from shared.contracts.envelope import Event
from shared.contracts.ingress import ProfileReceived
from shared.keys import FileKeys, LocalKms
from shared.messaging.broker import Headers, Lane, Outgoing, Record
from shared.profiles import HeldProfile, contacts_of, open_contact, open_name
from shared.service import Rejected
from shared.vault import Vault
from tests.real_data import real
from tests.unit.intake.play import closing, instalment, payment, reversal, snapshot

VAULT = Vault(bytes(range(32)))
KEYS = FileKeys(LocalKms(bytes(range(32))))
SEALER = Sealer(VAULT, KEYS, BlindIndex(bytes(32)))
AT = datetime(2024, 3, 5, 6, 7, 8, tzinfo=UTC)
SECRET = "Rumpelstilzchen"
PARTY = f"party-{SECRET}"
ANNA = VAULT.pseudonym("demo-bank", PARTY)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

PAID = payment("2024-03-06", 500).payment
EVENTS = [
    snapshot("2024-03-05", instalment("2024-03-01", 500)).loan,
    PAID,
    reversal(payment("2024-03-06", 500), "2024-03-07").reversal,
    closing("2024-03-08").closing,
    DebtorUpdated(lender_id="demo-bank", party_id=PARTY, updated_at=AT, name=SECRET, phones=(SECRET,)),
    BusinessDateAdvanced(lender_id="demo-bank", business_date=date(2024, 3, 5)),
    PartyProfile(
        lender_id="demo-bank",
        party_id=PARTY,
        updated_at=AT,
        name=SECRET,
        contacts=(ContactPoint(kind=ContactKind.ADDRESS, value=SECRET),),
        time_zones=("Asia/Shanghai",),
    ),
]


def record(value: bytes, headers: Headers) -> Record:
    return Record(Lane(TOPIC, 3), 7, b"any", value, headers, AT)


def arrived(written: Outgoing) -> Record:
    return record(written.value, written.headers)


def binary(data: Any, ce_type: str = "core-banking.payment-posted.v1", **more: str) -> Record:
    attributes = {"ce_specversion": "1.0", "ce_type": ce_type, "ce_id": "1", "ce_source": "/bank", **more}
    value = data if isinstance(data, bytes) else json.dumps(data).encode()
    return record(value, tuple((name, text.encode()) for name, text in attributes.items()))


def structured(event: dict[str, Any], content_type: str = STRUCTURED) -> Record:
    return record(json.dumps(event).encode(), (("content-type", content_type.encode()),))


def refused(given_record: Record) -> Rejected:
    with pytest.raises(Rejected) as refusal:
        decode(given_record, SEALER)
    assert SECRET not in str(refusal.value)
    assert refusal.value.__cause__ is None
    return refusal.value


PAYMENT: dict[str, Any] = {
    "lender_id": "demo-bank",
    "loan_id": "loan-1",
    "party_id": PARTY,
    "payment_id": "payment-1",
    "amount": 500,
    "currency": "EUR",
    "posted_at": "2024-03-06T10:00:00+01:00",
}
OVERDUE: dict[str, Any] = {
    "lender_id": "demo-bank",
    "loan_id": "loan-1",
    "as_of": "2024-03-05",
    "posting_cut_off": "2024-03-05T00:00:00Z",
    "currency": "EUR",
    "instalments": [{"number": 1, "due_on": "2024-03-01", "principal": 5}],
}
ENVELOPE = {
    "specversion": "1.0",
    "type": "core-banking.payment-posted.v1",
    "id": "1",
    "source": "/bank",
    "data": PAYMENT,
}


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_what_a_connector_writes_is_what_ingress_reads(event: Any) -> None:
    read = decode(arrived(outgoing(event, source="/bank", event_id="1", time=AT)), SEALER)
    assert read is not None
    assert (read.lender_id, read.occurred_at, read.recorded_at) == ("demo-bank", AT, AT)
    if not isinstance(event, cloud_events.PROFILES):
        assert (read.data, read.type) == (event, catalogue.wire_name(type(event)))


@pytest.mark.parametrize("content_type", [STRUCTURED, f"{STRUCTURED}; charset=utf-8", STRUCTURED.upper()])
def test_structured_mode_gives_the_same_event_as_binary_mode(content_type: str) -> None:
    one = decode(structured({**ENVELOPE, "time": "2024-03-06T09:00:00Z", "traceparent": TRACE}, content_type), SEALER)
    other = decode(binary(PAYMENT, ce_time="2024-03-06T09:00:00Z", traceparent=TRACE), SEALER)
    assert one == other
    assert one is not None
    assert (one.trace, one.occurred_at) == (TRACE, datetime(2024, 3, 6, 9, tzinfo=UTC))


def test_data_in_base64_is_read_too() -> None:
    event = {**ENVELOPE, "data_base64": base64.b64encode(json.dumps(PAYMENT).encode()).decode()}
    del event["data"]
    assert decode(structured(event), SEALER) == decode(structured(ENVELOPE), SEALER)
    assert refused(structured({**event, "data_base64": "%%%"})).field == "data_base64"


def test_the_event_is_named_by_source_and_id_and_nothing_else() -> None:
    def named(**attributes: str) -> str:
        found = decode(binary(PAYMENT, **attributes), SEALER)
        assert found is not None
        return found.id

    assert named() == named(ce_time="2024-03-06T09:00:00Z")
    assert len({named(), named(ce_id="2"), named(ce_source="/other"), named(ce_source="/bank/1", ce_id="1")}) == 4
    assert named(ce_source="a/b", ce_id="c") != named(ce_source="a", ce_id="b/c")


def test_the_party_leaves_as_a_pseudonym() -> None:
    found = decode(binary(PAYMENT), SEALER)
    assert found is not None
    assert (found.debtor_id, found.data.party_id) == (ANNA, "")
    assert SECRET not in repr(found)


@pytest.mark.parametrize("event", [EVENTS[4], EVENTS[6]], ids=lambda event: type(event).__name__)
def test_personal_data_leaves_sealed_under_the_key_of_its_debtor(event: Any) -> None:
    found = decode(arrived(outgoing(event, source="/bank", event_id="1", time=AT)), SEALER)
    assert found is not None
    assert (type(found.data), found.type, found.debtor_id) == (ProfileReceived, "ingress.profile-received.v2", ANNA)
    assert SECRET.encode() not in catalogue.encode(found)
    held = HeldProfile("demo-bank", 1, AT, found.data.profile)
    assert open_name(held, KEYS, ANNA) == SECRET
    assert [open_contact(held, KEYS, ANNA, each.id) for each in contacts_of(held)] == [SECRET]
    assert decode(arrived(outgoing(event, source="/bank", event_id="1", time=AT)), SEALER) == found


def test_a_malformed_trace_is_no_trace_and_no_error() -> None:
    for trace in ("nonsense", TRACE[:-1], TRACE.upper(), f"00-{'0' * 32}-{'1' * 16}-01"):
        found = decode(binary(PAYMENT, traceparent=trace), SEALER)
        assert found is not None
        assert found.trace == ""


def _with(**changes: Any) -> Record:
    return binary({**PAYMENT, **changes})


def _snapshot_with(**changes: Any) -> Record:
    return binary({**OVERDUE, **changes}, "core-banking.loan-overdue.v1")


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        pytest.param(_with(amount="500"), "amount", id="an amount as text"),
        pytest.param(_with(amount=0), "amount", id="an amount of nothing"),
        pytest.param(_with(amount=-5), "amount", id="a negative amount"),
        pytest.param(_with(amount=10**15 + 1), "amount", id="an amount beyond any loan"),
        pytest.param(_with(amount=2**80), "amount", id="an amount beyond 64 bits"),
        pytest.param(_with(amount=1.5), "amount", id="a fraction"),
        pytest.param(_with(currency="eur"), "currency", id="no ISO code"),
        pytest.param(_with(currency="EUR\n"), "currency", id="a code with a line end"),
        pytest.param(_with(loan_id="loan\n"), "loan_id", id="an id with a line end"),
        pytest.param(_with(loan_id="ein Kredit"), "loan_id", id="an id with a blank"),
        pytest.param(_with(loan_id=""), "loan_id", id="an empty id"),
        pytest.param(_with(posted_at=SECRET), "posted_at", id="no instant"),
        pytest.param(_with(posted_at="2024-03-06T10:00:00"), "posted_at", id="an instant without offset"),
        pytest.param(_with(posted_at="0001-01-01T00:00:00+14:00"), "posted_at", id="an instant before all calendars"),
        pytest.param(_with(settled_due_on="9999-12-31"), "settled_due_on", id="a date after all loans"),
        pytest.param(_with(settled_due_on="2023-02-29"), "settled_due_on", id="a date that does not exist"),
        pytest.param(_with(party_id="a\0b"), "party_id", id="a NUL in the party"),
        pytest.param(_with(party_id=5), "party_id", id="a party that is a number"),
        pytest.param(_snapshot_with(district="a\0b"), "district", id="a NUL in free text"),
        pytest.param(_snapshot_with(instalments=[{"number": 1}]), "instalments[0].due_on", id="no due date"),
        pytest.param(
            _snapshot_with(instalments=[{"number": 1, "due_on": "2024-03-01", "fee": SECRET}]),
            "instalments[0].fee",
            id="a fee as text",
        ),
        pytest.param(
            _snapshot_with(instalments=[{"number": 1, "due_on": "2024-03-01"}] * 2),
            "instalments[1].number",
            id="the same instalment twice",
        ),
        pytest.param(
            _snapshot_with(instalments=[{"number": 1, "due_on": "0001-01-01"}]), "instalments[0].due_on", id="year 1"
        ),
        pytest.param(
            binary({**PAYMENT, "reason": SECRET, "closed_at": "2024-03-05T00:00:00Z"}, "core-banking.loan-closed.v1"),
            "reason",
            id="an unknown reason",
        ),
        pytest.param(binary(PAYMENT, "core-banking.loan-forgiven.v1"), "type", id="an unknown type"),
        pytest.param(binary(PAYMENT, ce_specversion="0.3"), "specversion", id="an older CloudEvents"),
        pytest.param(binary(PAYMENT, ce_id=""), "id", id="no id"),
        pytest.param(binary(PAYMENT, ce_source="x" * 2000), "source", id="an endless source"),
        pytest.param(binary(PAYMENT, ce_time=SECRET), "time", id="no time"),
        pytest.param(binary(PAYMENT, ce_time="2024-03-06T10:00:00"), "time", id="a time without offset"),
        pytest.param(binary(PAYMENT, **{"content-type": "text/plain"}), "content-type", id="not JSON"),
        pytest.param(structured({**ENVELOPE, "id": 5}), "id", id="a structured event whose id is a number"),
        pytest.param(
            structured({**ENVELOPE, "datacontenttype": "text/xml"}), "datacontenttype", id="structured, not JSON"
        ),
        pytest.param(structured({**ENVELOPE, "data": [1]}), "", id="data that is no object"),
        pytest.param(record(b"", ()), "specversion", id="a record of nothing"),
        pytest.param(record(b"x", (("ce_type", b"\xff"),)), "type", id="a header that is no text"),
        pytest.param(binary(b"{" + b"[" * 300_000), "", id="brackets without end"),
        pytest.param(binary(b'{"x":' + b"[" * 300_000), "", id="nested without end"),
        pytest.param(binary(b" " * (MAX_BYTES + 1)), "data", id="too large"),
    ],
)
def test_a_bad_event_is_refused_and_its_field_named(bad: Record, field: str) -> None:
    assert refused(bad).field == field


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"reason": SECRET}, "reason: is not one of the known values"),
        ({"closed_at": SECRET}, "closed_at: Invalid RFC3339 encoded datetime"),
        ({"loan_id": 5}, "loan_id: Expected `str`, got `int`"),
    ],
)
def test_a_refusal_tells_the_rule_in_words(changes: dict[str, Any], text: str) -> None:
    closed = {"lender_id": "demo-bank", "loan_id": "loan-1", "reason": "paid", "closed_at": "2024-03-05T00:00:00Z"}
    assert str(refused(binary({**closed, **changes}, "core-banking.loan-closed.v1"))) == text


def test_a_refusal_of_a_missing_field_names_it() -> None:
    assert str(refused(binary({"lender_id": "demo-bank"}, "core-banking.loan-closed.v1"))) == "loan_id: is required"


@pytest.mark.parametrize(
    ("bad", "owner", "lender_id"),
    [
        pytest.param(_with(amount="x"), ANNA, "demo-bank", id="the debtor where lender and party can be read"),
        pytest.param(binary(PAYMENT, "new.type.v1"), ANNA, "demo-bank", id="the debtor of an event of unknown type"),
        pytest.param(binary(PAYMENT, ce_id=""), ANNA, "demo-bank", id="the debtor though the envelope is bad"),
        pytest.param(
            structured({**ENVELOPE, "id": 5}), ANNA, "demo-bank", id="the debtor in a bad structured envelope"
        ),
        pytest.param(_with(amount="x", party_id=""), "", "demo-bank", id="nobody where only the loan is named"),
        pytest.param(_with(amount="x", party_id=5), "", "demo-bank", id="nobody where the party is no text"),
        pytest.param(_with(lender_id="a b"), "", "", id="nobody where the lender is none"),
        pytest.param(binary(b'{"lender_id": "demo-bank", '), "", "", id="nobody where the JSON breaks off"),
    ],
)
def test_a_refusal_names_the_debtor_if_it_can(bad: Record, owner: str, lender_id: str) -> None:
    refusal = refused(bad)
    assert (refusal.owner, refusal.lender_id) == (owner, lender_id)


def test_the_official_conformance_cases_are_understood() -> None:
    official = json.loads(real("formats/cloudevents_kafka_conformance.json").read_text())
    cases = {case["name"]: case for case in official["cases"]}
    given_records = [record(cases["binary"]["value"].encode(), _as_headers(cases["binary"]["headers"]))]
    given_records += [
        record(cases["structured"]["value"].encode(), _as_headers(headers))
        for headers in cases["structured"]["headers_any_of"]
    ]
    for given_record in given_records:
        expected = cases["binary"]["attributes"]
        read = cloud_events._attributes(given_record)
        assert (read.type, read.id, read.source, read.time) == tuple(
            expected[name] for name in ("type", "id", "source", "time")
        )
        assert json.loads(read.data) == cases["binary"]["data"]
        assert refused(given_record).field == "type"


def _as_headers(headers: dict[str, str]) -> Headers:
    return tuple((name, value.encode()) for name, value in headers.items())


# -- any bytes ---------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(
    ["ce_specversion", "ce_type", "ce_id", "ce_source", "ce_time", "content-type", "traceparent", "x", "ce_traceparent"]
)
VALUES = st.one_of(st.binary(max_size=40), st.sampled_from([b"1.0", STRUCTURED.encode(), b"application/json", b""]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("2024-03-05T00:00:00Z"),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=8,
)


def check(given_record: Record) -> None:
    found = _decoded(given_record)
    if isinstance(found, Rejected):
        assert found.reason
        assert set(found.owner) <= set(string.hexdigits)
        return
    assert isinstance(found, Event)
    again = catalogue.encode(found)
    assert b"\\u0000" not in again
    assert SECRET.encode() not in again


def _decoded(given_record: Record) -> Event[Any] | Rejected | None:
    """What is made of a record; anything raised but a refusal fails the test."""
    try:
        return decode(given_record, SEALER)
    except Rejected as refusal:
        return refusal


@settings(max_examples=500, deadline=2_000)
@given(st.binary(max_size=300), st.lists(st.tuples(NAMES, VALUES), max_size=8))
@example(b"\xff\xfe", [("ce_specversion", b"1.0")])
def test_any_bytes_give_an_event_or_a_refusal(value: bytes, headers: list[tuple[str, bytes]]) -> None:
    check(record(value, tuple(headers)))


@settings(max_examples=500, deadline=2_000)
@given(st.sampled_from(EVENTS), st.data())
def test_an_event_with_any_byte_changed_gives_an_event_or_a_refusal(event: Any, data: st.DataObject) -> None:
    written = outgoing(event, source="/bank", event_id="1", time=AT)
    value = bytearray(written.value)
    for _ in range(data.draw(st.integers(1, 4))):
        value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    check(record(bytes(value), written.headers))


@settings(max_examples=500, deadline=2_000)
@given(st.sampled_from(EVENTS), st.data())
def test_an_event_with_any_field_changed_gives_an_event_or_a_refusal(event: Any, data: st.DataObject) -> None:
    content = msgspec.json.decode(msgspec.json.encode(event))
    field = data.draw(st.sampled_from([*content, "unknown"]))
    content[field] = data.draw(JSON)
    value = json.dumps(content).encode()
    written = outgoing(event, source="/bank", event_id="1", time=AT)
    check(record(value, written.headers))
    envelope = {
        **ENVELOPE,
        "type": catalogue.wire_name(type(event)),
        "data": content,
        data.draw(NAMES): data.draw(JSON),
    }
    check(structured(envelope))


def test_the_types_that_are_read_are_the_banks() -> None:
    read = decode(binary(OVERDUE, "core-banking.loan-overdue.v1"), SEALER)
    assert read is not None
    assert isinstance(read.data, LoanOverdue)
    assert read.debtor_id == ""
