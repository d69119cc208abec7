"""Batches of Mambu's stream become events, one by one; a batch that is broken is refused as a whole."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from services.intake.connectors import mambu
from services.intake.connectors.sending import Ignored, Refused, Sent
from shared.contracts.core_banking import PaymentPosted
from tests.real_data import real

POSTED = "core-banking.payment-posted.v1"
DATA = {
    "loan_id": "L-1",
    "payment_id": "p-1",
    "amount": "85.61",
    "currency": "EUR",
    "posted_at": "2031-05-06T10:00:00+02:00",
}
PAYMENT = PaymentPosted(
    lender_id="bank",
    loan_id="L-1",
    payment_id="p-1",
    amount=8561,
    currency="EUR",
    posted_at=datetime.fromisoformat("2031-05-06T10:00:00+02:00"),
)
AT = datetime(2031, 5, 6, 8, 0, 1, tzinfo=UTC)


def event(data: Any = None, number: int = 1, **metadata: Any) -> dict[str, Any]:
    about = {"eid": f"event-{number}", "occurred_at": "2031-05-06T08:00:01Z", "event_type": "mrn.event.t.x.y"}
    return {"metadata": about | metadata, "body": json.dumps({"type": POSTED, "data": data or DATA})}


def batch(*events: Any) -> bytes:
    return json.dumps({"cursor": {"partition": "2", "offset": "001"}, "events": events, "info": {}}).encode()


def test_an_event_is_what_its_body_says() -> None:
    assert mambu.read(batch(event()), "bank") == [Sent("event-1", AT, PAYMENT)]


def test_a_body_may_be_an_object_as_well_as_a_text() -> None:
    as_object = event() | {"body": {"type": POSTED, "data": DATA}}
    assert mambu.read(batch(as_object), "bank") == [Sent("event-1", AT, PAYMENT)]


def test_a_bad_event_takes_no_other_with_it() -> None:
    bad = event() | {"body": "{key:value}"}
    first, second, third = mambu.read(batch(event(number=1), bad, event(number=3)), "bank")
    assert isinstance(first, Sent)
    assert isinstance(second, Refused)
    assert (second.place, second.field) == ("event 1", "body")
    assert second.reason.startswith("JSON is malformed")
    assert isinstance(third, Sent)


def test_a_batch_without_events_is_a_sign_of_life() -> None:
    assert mambu.read(b'{"cursor":{}}', "bank") == [Ignored("", "is a sign of life")]


@pytest.mark.parametrize(
    ("data", "refused"),
    [
        (b"", Refused("", "", "Input data was truncated")),
        (b"[]", Refused("", "", "is no batch of Mambu's")),
        (b'{"cursor":{},"events":{}}', Refused("", "events", "is no list")),
        (batch(7), Refused("event 0", "metadata", "is required")),
        (batch(event(eid=None)), Refused("event 0", "metadata.eid", "is required")),
        (batch(event(occurred_at="now")), Refused("event 0", "metadata.occurred_at", "is no date with a time")),
        (batch(event() | {"body": "[]"}), Refused("event 0", "body", "does not say the type of an event")),
        (batch(event() | {"body": '{"type":"x"}'}), Refused("event 0", "data", "is no object")),
        (
            batch(event({**DATA, "amount": "85.615"})),
            Refused("event 0", "amount", "has more than the 2 decimal places of EUR"),
        ),
        (batch(event({**DATA, "lender_id": "other"})), Refused("event 0", "lender_id", "is another lender")),
    ],
)
def test_what_cannot_be_an_event_is_refused(data: bytes, refused: Refused) -> None:
    assert mambu.read(data, "bank") == [refused]


def test_of_the_real_batches_the_good_one_has_a_body_that_is_none_and_the_broken_one_is_refused_whole() -> None:
    batches = json.loads(real("formats/mambu_batches.json").read_text())
    [refused] = mambu.read(batches["valid_batch_raw"].encode(), "bank")
    assert isinstance(refused, Refused)
    assert (refused.place, refused.field) == ("event 0", "body")
    [broken] = mambu.read(batches["invalid_batch_raw"].encode(), "bank")
    assert isinstance(broken, Refused)
    assert broken.place == ""
    assert broken.reason.startswith("JSON is malformed")
    ours = {**batches["valid_batch"]["events"][0], "body": json.dumps({"type": POSTED, "data": DATA})}
    [sent] = mambu.read(json.dumps({**batches["valid_batch"], "events": [ours]}).encode(), "bank")
    assert isinstance(sent, Sent)
    assert (sent.event_id, sent.fact) == ("d0c69543-e5c3-4180-9ec4-733103694c26", PAYMENT)
