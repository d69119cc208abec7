"""The lines that people on call read: one for each thing, with ids and reasons, and never a value."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from structlog.testing import capture_logs

from shared.messaging.broker import Lane, Record
from shared.messaging.notices import Notices
from shared.messaging.sequence import header
from shared.messaging.store import Effects, Gap, Letter, Quarantined, Resolved, Standing, Stop
from shared.messaging.turn import Turned
from tests.unit.messaging.toy import KIND

NOW = datetime(2026, 11, 24, tzinfo=UTC)
LANE = Lane("toy.in", 7)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
PLACE = {"service": "toy", "kind": "lane"}
NOTICES = Notices("toy", KIND)

LETTER = Letter(
    id="letter-1", number=7, lane=LANE, offset=41, lender_id="bank", owner="d1", event_id="event-1",
    event_type="toy.added", reason="is not a number", field="amount", raw=b"a sealed secret", buried_at=NOW,
)  # fmt: skip


def turned(effects: Effects, failures: tuple[str, ...] = ()) -> Turned:
    return Turned({}, [], Counter(), list(failures), [], effects.stops, effects=effects)


def record(*headers: tuple[str, Any], offset: int = 41) -> Record:
    return Record(LANE, offset, None, b"a secret", headers, NOW)


def lines(effects: Effects, *records: Record) -> Sequence[Mapping[str, Any]]:
    with capture_logs() as said:
        NOTICES.turned(turned(effects), records)
    return said


def test_a_dead_letter_is_one_line_with_its_ids_its_reason_and_its_trace() -> None:
    (line,) = lines(Effects(letters=[LETTER]), record(("traceparent", TRACE.encode())))
    assert line == {
        **PLACE, "event": "dead_letter", "log_level": "warning", "number": 7, "letter_id": "letter-1",
        "at_record": "toy.in/7/41", "reason": "is not a number", "event_id": "event-1", "debtor_id": "d1",
        "trace": TRACE, "field": "amount",
    }  # fmt: skip


@pytest.mark.parametrize(
    "one",
    [record(), record(("traceparent", None)), record(("traceparent", TRACE.encode()), offset=40)],
    ids=["has no trace", "has an empty header", "is another record"],
)
def test_a_letter_whose_record_names_no_trace_is_told_without(one: Record) -> None:
    (line,) = lines(Effects(letters=[LETTER]), one)
    assert "trace" not in line


def test_quarantine_and_release_name_the_debtor_and_the_letter() -> None:
    effects = Effects(quarantined=[Quarantined(7, "d1", "letter-1", NOW)], released=[("d1", "letter-2")])
    first, second = lines(effects)
    ids = {**PLACE, "log_level": "warning", "debtor_id": "d1"}
    assert first == {**ids, "event": "quarantined", "number": 7, "letter_id": "letter-1"}
    assert {**second, "number": 0} == {**ids, "event": "released", "number": 0, "letter_id": "letter-2"}


def test_a_letter_that_was_resolved_says_how_and_not_by_whom() -> None:
    (line,) = lines(Effects(resolved=[Resolved("letter-1", "discarded", NOW, "person:ann", "called by Ann")]))
    assert (line["event"], line["letter_id"], line["status"]) == ("letter_resolved", "letter-1", "discarded")
    assert "ann" not in str(line).lower().replace("channel", "")


def test_a_shard_that_stops_says_why_and_one_that_goes_on_says_so() -> None:
    stopped, resumed = lines(Effects(stops=[Stop(3, "too many", NOW), Stop(4, "", NOW)]))
    assert (stopped["event"], stopped["number"], stopped["reason"]) == ("shard_stopped", 3, "too many")
    assert (resumed["event"], resumed["number"]) == ("shard_resumed", 4)


def test_a_gap_is_told_when_it_opens_and_when_it_closes_and_counted() -> None:
    sound, holed = Standing(7, 1), Standing(7, 1, gaps={(LANE, "other/lane/7"): Gap(1, 12, 20)})
    with capture_logs() as said:
        assert NOTICES.gaps({7: sound}, {7: holed}) == (1, 0)
        assert NOTICES.gaps({7: holed}, {7: holed}) == (0, 0)
        assert NOTICES.gaps({7: holed}, {7: sound}) == (0, 1)
    assert [line["event"] for line in said] == ["gap_opened", "gap_repaired"]
    assert {(line["number"], line["source"], line["missing"]) for line in said} == {(7, "other/lane/7", 12)}


def test_shards_taken_at_once_are_one_line_and_none_is_no_line() -> None:
    with capture_logs() as said:
        NOTICES.taken(dict.fromkeys((0, 1, 2, 5, 6), 2) | {9: 4})
        NOTICES.taken({})
    assert [(line["event"], line["numbers"], line["highest_epoch"]) for line in said] == [
        ("shards_taken", "0-2, 5-6, 9", 4)
    ]


def test_each_shard_that_was_lost_to_another_is_one_line() -> None:
    with capture_logs() as said:
        NOTICES.fenced({5, 2})
    assert [(line["event"], line["number"]) for line in said] == [("fenced", 2), ("fenced", 5)]


def test_a_header_without_a_value_reads_as_empty() -> None:
    assert header((("type", None),), "type") == ""  # type: ignore[arg-type]  # Kafka has such headers
