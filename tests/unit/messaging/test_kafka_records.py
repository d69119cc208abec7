"""What a stranger's producer may put into a Kafka record is a record to us."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from shared.messaging.broker import Lane
from shared.messaging.frames import pack_record, unpack_record
from shared.messaging.kafka import _records_of


def message(**changes: Any) -> Any:
    plain = {"offset": 7, "timestamp": 1_000, "key": None, "value": b"x", "headers": (("type", b"y"),)}
    return SimpleNamespace(**{**plain, **changes})


@pytest.mark.parametrize(
    ("milliseconds", "year"), [(-1, 1970), (-(2**63), 1970), (2**63 - 1, 2199), (253_402_300_800_000, 2199), (1, 1970)]
)
def test_an_instant_that_no_calendar_holds_is_moved_into_it(milliseconds: int, year: int) -> None:
    [record] = _records_of(Lane("t", 0), [message(timestamp=milliseconds)])
    assert record.timestamp.year == year


def test_an_instant_is_read_to_the_millisecond() -> None:
    at = datetime(2026, 5, 6, 7, 8, 9, 10_000, tzinfo=UTC)
    [record] = _records_of(Lane("t", 0), [message(timestamp=int(at.timestamp() * 1000))])
    assert record.timestamp == at


def test_a_header_or_a_value_of_nothing_is_empty_and_survives_a_dead_letter() -> None:
    [record] = _records_of(Lane("t", 0), [message(value=None, headers=(("type", None), ("x", b"z")))])
    assert (record.value, record.headers) == (b"", (("type", b""), ("x", b"z")))
    assert unpack_record(pack_record(record)) == record
