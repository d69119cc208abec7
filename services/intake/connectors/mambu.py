"""Batches of Mambu's streaming API: each event's body is what the bank's notification template makes of it.

So the template is written to say an event of ours, with amounts as Mambu writes them:

    {"type": "core-banking.payment-posted.v1",
     "data": {"loan_id": "{LOAN_ACCOUNT_ID}", "amount": "{TRANSACTION_AMOUNT}", …}}
"""

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from services.intake.connectors import drafting
from services.intake.connectors.sending import Ignored, Outcome
from shared.service import Rejected

LONGEST: Final = drafting.MAX_BYTES + 1
"""Of a longer line so much is read that it is refused, and then the rest."""


def read(batch: bytes, lender_id: str) -> list[Outcome]:
    """What comes of one batch (one line of the stream); each event by itself."""
    return drafting.attempted("", partial(_read, batch, lender_id))


def _read(batch: bytes, lender_id: str) -> Iterator[Outcome]:
    found = drafting.json_of(batch)
    if not isinstance(found, dict) or "cursor" not in found:
        raise Rejected("is no batch of Mambu's")
    events = found.get("events", [])
    if not isinstance(events, list):
        raise Rejected("is no list", field="events")
    if not events:
        yield Ignored("", "is a sign of life")
    for place, event in enumerate(events):
        yield from drafting.attempted(f"event {place}", partial(_event, event, lender_id))


def _event(event: Any, lender_id: str) -> Iterator[Outcome]:
    metadata = event.get("metadata") if isinstance(event, dict) else None
    if not isinstance(metadata, dict):
        raise Rejected("is required", field="metadata")
    event_id, body = metadata.get("eid"), event.get("body")
    if not isinstance(event_id, str):
        raise Rejected("is required", field="metadata.eid")
    at = drafting.instant(metadata.get("occurred_at"), "metadata.occurred_at")
    said = drafting.json_of(body, "body") if isinstance(body, str) else body
    if not isinstance(said, dict) or not isinstance(said.get("type"), str):
        raise Rejected("does not say the type of an event", field="body")
    yield drafting.sent(event_id, at, drafting.of_lender(lender_id, said["type"], said.get("data")))
