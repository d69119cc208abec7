"""Rows of an outbox and of tables become events; what is none of ours is ignored, and what is wrong is named."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from services.intake.connectors.debezium import outbox, tables
from services.intake.connectors.debezium.tables import Tables
from services.intake.connectors.sending import Ignored, Outcome, Refused, Sent
from shared.contracts.core_banking import LoanClosed, PaymentPosted, PaymentReversed
from shared.data_files import WrongDataError
from shared.messaging.broker import Headers
from tests.real_data import real

AT = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
MILLISECONDS = int(AT.timestamp() * 1000)
POSTED = "core-banking.payment-posted.v1"
DATA = {
    "lender_id": "bank",
    "loan_id": "L-1",
    "party_id": "P-1",
    "payment_id": "p-1",
    "amount": 8561,
    "currency": "CNY",
    "posted_at": "2031-05-06T10:00:00+08:00",
}
PAYMENT = PaymentPosted(
    lender_id="bank",
    loan_id="L-1",
    party_id="P-1",
    payment_id="p-1",
    amount=8561,
    currency="CNY",
    posted_at=datetime.fromisoformat("2031-05-06T10:00:00+08:00"),
)


def change(op: str, before: Any, after: Any, table: str = "outboxevent") -> dict[str, Any]:
    source = {"connector": "postgresql", "table": table, "ts_ms": MILLISECONDS, "lsn": 24064704}
    return {"before": before, "after": after, "source": source, "op": op, "ts_ms": MILLISECONDS + 5}


def encoded(value: Any, *, with_schema: bool = False) -> bytes:
    return json.dumps({"schema": {"type": "struct"}, "payload": value} if with_schema else value).encode()


# -- an outbox -----------------------------------------------------------------------------------------------------

ROW = {"id": "event-1", "aggregatetype": "loan", "aggregateid": "L-1", "type": POSTED, "payload": json.dumps(DATA)}
HEADERS: Headers = (("id", b"event-1"), ("type", POSTED.encode()))


def routed(value: Any, headers: Headers = HEADERS) -> list[Outcome]:
    return outbox.read(encoded(value), headers, AT, "bank")


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        pytest.param(DATA, HEADERS, id="expanded"),
        pytest.param(json.dumps(DATA), HEADERS, id="as a text"),
        pytest.param({"schema": None, "payload": json.dumps(DATA)}, HEADERS, id="with a schema"),
        pytest.param(
            DATA, (("id", b'"event-1"'), ("eventType", f'"{POSTED}"'.encode())), id="headers by JSON converter"
        ),
    ],
)
def test_a_routed_record_is_the_event_that_its_headers_name(value: Any, headers: Headers) -> None:
    assert routed(value, headers) == [Sent("event-1", AT, PAYMENT)]


@pytest.mark.parametrize("op", ["c", "r"])
@pytest.mark.parametrize("with_schema", [False, True])
def test_a_new_row_of_the_table_is_the_same_event(op: str, with_schema: bool) -> None:  # noqa: FBT001
    value = encoded(change(op, None, ROW), with_schema=with_schema)
    assert outbox.read(value, (), AT, "bank") == [Sent("event-1", AT, PAYMENT)]


@pytest.mark.parametrize("op", ["u", "d"])
def test_a_row_that_is_tidied_away_is_no_event(op: str) -> None:
    read = outbox.read(encoded(change(op, ROW, None if op == "d" else ROW)), (), AT, "bank")
    assert read == [Ignored("", "is no new row of the outbox")]
    assert outbox.read(b"", (), AT, "bank") == [Ignored("", "is a tombstone")]


@pytest.mark.parametrize(
    ("value", "headers", "refused"),
    [
        (DATA, HEADERS[:1], Refused("", "type", "is not a type of event that is known here")),
        (DATA, HEADERS[1:], Refused("", "id", "is no printable text of up to 512 characters")),
        ({**DATA, "lender_id": "other"}, HEADERS, Refused("", "lender_id", "is another lender")),
        ({**DATA, "amount": -1}, HEADERS, Refused("", "amount", "Expected `int` >= 1")),
        ({**DATA, "amount": 2**70}, HEADERS, Refused("", "amount", "Expected `int` <= 1000000000000000")),
        (
            {**DATA, "amount": 39.98},
            HEADERS,
            Refused("", "", "is a number with a point: an amount is written as text, or in whole minor units"),
        ),
        ([DATA], HEADERS, Refused("", "data", "is no object")),
        ("{", HEADERS, Refused("", "payload", "Input data was truncated")),
        (change("x", None, ROW), (), Refused("", "op", "is none of c, u, d, r")),
        (change("c", None, {**ROW, "type": None}), (), Refused("", "type", "is required")),
        (change("c", None, {**ROW, "id": 7}), (), Refused("", "id", "is required")),
        (change("c", None, []), (), Refused("", "type", "is required")),
        (change("c", None, "x"), (), Refused("", "after", "is no row")),
        (
            {**change("c", None, ROW), "source": {"ts_ms": "now"}},
            (),
            Refused("", "ts_ms", "is no number of milliseconds"),
        ),
        (
            {**change("c", None, ROW), "source": {"ts_ms": 10**18}},
            (),
            Refused("", "ts_ms", "is no time that an event can have"),
        ),
    ],
)
def test_what_cannot_be_an_event_is_refused(value: Any, headers: Headers, refused: Refused) -> None:
    assert routed(value, headers) == [refused]


def test_the_documented_example_is_read_up_to_its_type_and_whole_once_it_is_one_of_ours() -> None:
    example = json.loads(real("formats/debezium_outbox_example.json").read_text())
    raw, row = example["raw_change_event"]["value"], example["raw_change_event"]["value"]["after"]
    of_router = tuple((name, value.encode()) for name, value in example["routed"]["headers"].items())
    unknown = [Refused("", "type", "is not a type of event that is known here")]
    assert outbox.read(encoded(raw), (), AT, "bank") == unknown
    assert outbox.read(example["routed"]["value"].encode(), of_router, AT, "bank") == unknown
    ours = {**raw, "after": {**row, "type": POSTED, "payload": json.dumps(DATA)}}
    [sent] = outbox.read(encoded(ours), (), AT, "bank")
    assert sent == Sent(row["id"], datetime.fromtimestamp(raw["ts_ms"] / 1000, UTC), PAYMENT)
    named = (*of_router, ("type", POSTED.encode()))
    assert routed(DATA, named) == [Sent(example["routed"]["headers"]["id"], AT, PAYMENT)]


# -- tables --------------------------------------------------------------------------------------------------------

MAP = """
tables:
  - table: payments
    changes: [create, snapshot]
    event: core-banking.payment-posted.v1
    fields: &payment
      loan_id: loan_no
      payment_id: id
      amount: amount
      currency: {value: CNY}
      posted_at: {column: booked_at, form: microseconds}
      settled_due_on: {column: due_day, form: days}
  - table: payments
    changes: [update]
    when: {column: status, becomes: REVERSED}
    event: core-banking.payment-reversed.v1
    fields: {<<: *payment, reversed_at: {column: changed_at, form: milliseconds}}
  - table: loans
    changes: [update]
    when: {column: written_off, becomes: true}
    event: core-banking.loan-closed.v1
    fields:
      loan_id: loan_no
      party_id: customer
      reason: {value: written_off}
      closed_at: changed_at
  - table: loans
    changes: [delete]
    event: core-banking.loan-closed.v1
    fields: {loan_id: loan_no, reason: {value: no_loan}, closed_at: changed_at}
"""
BOOKED = {
    "id": 31,
    "loan_no": "L-1",
    "amount": "85.61",
    "booked_at": MILLISECONDS * 1000,
    "due_day": 22_000,
    "status": "BOOKED",
    "changed_at": MILLISECONDS,
}
LOAN = {"loan_no": "L-1", "customer": 12, "written_off": False, "changed_at": "2031-05-06T07:08:09Z"}


@pytest.fixture
def mapped(tmp_path: Path) -> Tables:
    file = tmp_path / "tables.yaml"
    file.write_text(MAP)
    return tables.read_tables(file)


def read(mapped: Tables, op: str, before: Any, after: Any, table: str = "payments") -> list[Outcome]:
    return tables.read(encoded(change(op, before, after, table)), mapped, "bank")


def fact(outcomes: list[Outcome]) -> Any:
    [found] = outcomes
    assert isinstance(found, Sent), found
    return found.fact


def test_a_new_row_is_the_event_that_the_map_says(mapped: Tables) -> None:
    assert fact(read(mapped, "c", None, BOOKED)) == PaymentPosted(
        lender_id="bank",
        loan_id="L-1",
        payment_id="31",
        amount=8561,
        currency="CNY",
        posted_at=AT,
        settled_due_on=date(2030, 3, 27),
    )


def test_a_row_is_the_same_event_when_a_later_snapshot_tells_it_again(mapped: Tables) -> None:
    [first], [again] = read(mapped, "c", None, BOOKED), read(mapped, "r", None, BOOKED)
    assert isinstance(first, Sent)
    assert first == again
    [other] = read(mapped, "c", None, {**BOOKED, "id": 32})
    assert isinstance(other, Sent)
    assert other.event_id != first.event_id


def test_a_column_that_becomes_a_value_is_an_event_once(mapped: Tables) -> None:
    reversed_ = {**BOOKED, "status": "REVERSED"}
    found = fact(read(mapped, "u", BOOKED, reversed_))
    assert isinstance(found, PaymentReversed)
    assert (found.payment_id, found.amount, found.reversed_at) == ("31", 8561, AT)
    nothing = [Ignored("", "is no change that is an event")]
    assert read(mapped, "u", reversed_, {**reversed_, "loan_no": "L-2"}) == nothing
    assert read(mapped, "u", BOOKED, {**BOOKED, "loan_no": "L-2"}) == nothing


def test_where_the_row_before_is_not_sent_what_it_has_become_is_enough(mapped: Tables) -> None:
    found = fact(read(mapped, "u", None, {**LOAN, "written_off": True}, "loans"))
    assert found == LoanClosed(lender_id="bank", loan_id="L-1", party_id="12", reason=found.reason, closed_at=AT)
    assert found.reason == "written_off"


def test_a_row_that_goes_is_read_as_it_was(mapped: Tables) -> None:
    assert fact(read(mapped, "d", LOAN, None, "loans")).reason == "no_loan"


def test_another_table_is_none_of_ours(mapped: Tables) -> None:
    assert read(mapped, "c", None, BOOKED, "cards") == [Ignored("", "is no change that is an event")]
    assert tables.read(b"", mapped, "bank") == [Ignored("", "is a tombstone")]


@pytest.mark.parametrize(
    ("column", "value", "field", "reason"),
    [
        ("amount", "85.615", "amount", "has more than the 2 decimal places of CNY"),
        ("amount", 85.61, "amount", "is a number with a point: have decimals sent as text"),
        ("amount", "ITE=", "amount", "is no decimal number"),
        ("amount", None, "amount", "is required"),
        ("booked_at", "now", "booked_at", "is no number of microseconds"),
        ("booked_at", True, "booked_at", "is no number of microseconds"),
        ("booked_at", 2**62, "booked_at", "is no time that an event can have"),
        ("due_day", -1, "due_day", "is no time that an event can have"),
        ("loan_no", "L 1", "loan_id", "Expected `str` matching regex '^[A-Za-z0-9._:/@+\\\\-]+$'"),
    ],
)
def test_a_row_that_cannot_be_an_event_is_refused(
    mapped: Tables, column: str, value: Any, field: str, reason: str
) -> None:
    assert read(mapped, "c", None, {**BOOKED, column: value}) == [Refused(POSTED, field, reason)]


def test_a_value_that_is_no_change_is_refused(mapped: Tables) -> None:
    assert tables.read(b'{"a":1}', mapped, "bank") == [Refused("", "", "is no change event of Debezium")]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("core-banking.loan-closed.v1", "core-banking.loan-opened.v1", "loans: there is no event core-banking.loan-op"),
        ("payment_id: id", "paiment_id: id", "payments: core-banking.payment-posted.v1 has no field paiment_id"),
        ("form: days", "form: weeks", "Invalid enum value 'weeks'"),
        ("changes: [update]", "changes: [insert]", "Invalid enum value 'insert'"),
    ],
)
def test_a_map_that_cannot_be_followed_is_refused_with_one_line(tmp_path: Path, old: str, new: str, told: str) -> None:
    file = tmp_path / "tables.yaml"
    file.write_text(MAP.replace(old, new))
    with pytest.raises(WrongDataError) as error:
        tables.read_tables(file)
    assert told in str(error.value)
    assert "\n" not in str(error.value)
