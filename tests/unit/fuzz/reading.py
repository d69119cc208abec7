"""What must hold of whatever is read, however it was found: by hypothesis, or by a fuzzer that follows coverage."""

from typing import Any

from shared.contracts.envelope import Event
from shared.contracts.reading import FIRST_YEAR, LAST_YEAR, LONGEST_NAME
from shared.messaging.broker import Record
from shared.messaging.burying import Undertaker
from shared.messaging.control import ReemitRequest, control_lane, reemit_request, watermark_of
from shared.messaging.frames import unpack_record
from shared.messaging.inputs import Input, from_record
from shared.messaging.sequence import LANE_HEADER, WATERMARK_HEADER, position_of
from shared.messaging.store import Letter
from shared.service import ActorKind, Rejected
from tests.unit.fuzz.anything import AT, CANARY

LONGEST_KEY = 2 * LONGEST_NAME + 2
"""Characters of a text that is a key in the database: a loan's is two identifiers."""


def check_decoding(kind: ActorKind, record: Record) -> Event[Any] | Rejected | None:
    """An event, nothing or a refusal; every other exception passes, and fails the caller."""
    try:
        found = kind.decode(record)
    except Rejected as refusal:
        _check_refusal(refusal)
        return refusal
    assert found is None or isinstance(found, Event)
    if found is not None:
        _check_event(found)
    return found


def _check_refusal(refusal: Rejected) -> None:
    assert refusal.reason
    assert CANARY not in f"{refusal} {refusal.reason} {refusal.field}"
    assert refusal.__cause__ is None, "a cause's text may quote what was sent"


def _check_event(event: Event[Any]) -> None:
    for text in (event.id, event.type, event.lender_id, event.debtor_id, event.actor, event.caused_by, event.trace):
        _check_key(text)
    for instant in (event.occurred_at, event.recorded_at):
        assert instant.tzinfo is not None
        assert FIRST_YEAR <= instant.year <= LAST_YEAR
    assert 0 <= event.case_version < 2**63


def _check_key(text: str) -> None:
    assert "\x00" not in text
    assert len(text) <= LONGEST_KEY


def check_input(kind: ActorKind, record: Record) -> Input | None:
    """One thing to apply at most; what is refused can be kept, and comes back whole when it is tried again."""
    item = from_record(kind, record.lane.partition, record)
    if item is None:
        return None
    assert (item.event is None) != (item.refused is None)
    _check_key(item.owner)
    if item.refused is not None:
        _check_letter(Undertaker("any", kind, AT, _unsealed).letter(item, item.refused), record)
    return item


def _unsealed(raw: bytes, _place: str, _debtor: str) -> bytes:
    return raw


def _check_letter(letter: Letter, record: Record) -> None:
    assert unpack_record(letter.raw) == record
    for text in (letter.id, letter.owner, letter.lender_id, letter.event_id, letter.event_type):
        _check_key(text)
    assert "\x00" not in letter.reason + letter.field
    assert CANARY not in letter.reason + letter.field


def check_transport(record: Record) -> None:
    """Positions and what actors say to each other: read or not, and nothing that a database cannot hold."""
    for name in (LANE_HEADER, WATERMARK_HEADER):
        position = position_of(record.headers, name)
        if position is not None:
            _check_key(position.source)
            assert 0 <= position.incarnation < 2**31
            assert 0 <= position.seq < 2**63
    request = reemit_request(record)
    if request is not None:
        _check_request(request)
    watermark = watermark_of(record)
    if watermark is not None:
        assert watermark.at.tzinfo is not None
        assert watermark.sources > 0


def _check_request(request: ReemitRequest) -> None:
    _check_key(request.source)
    _check_key(request.topic)
    assert control_lane(request.topic, int(request.source.rsplit("/", 1)[1])).partition < 32
    assert 0 <= request.partition < 2**31
    assert 0 <= request.incarnation < 2**31
    assert 0 < request.from_seq < 2**63
