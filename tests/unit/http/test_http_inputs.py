"""What the framework alone would have taken."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from services.intake.api import NewBusinessDate
from services.outreach.api import PlaceHold
from shared.http.inputs import Instant, IsoDate
from shared.http.operations import Reason, WithReason

DATES: TypeAdapter[date] = TypeAdapter(IsoDate)
INSTANTS: TypeAdapter[datetime] = TypeAdapter(Instant)


def test_a_date_is_read_as_iso_8601_writes_it() -> None:
    assert DATES.validate_python("2024-02-29") == date(2024, 2, 29)
    assert DATES.json_schema() == {"type": "string", "format": "date"}


@pytest.mark.parametrize(
    "wrong", [0, 1.5, True, "0", "1700000000", "2024-02-29T00:00:00", "2024-02-30", "20240229", ""]
)
def test_nothing_else_is_a_date(wrong: Any) -> None:
    with pytest.raises(ValidationError):
        DATES.validate_python(wrong)
    with pytest.raises(ValidationError):
        NewBusinessDate.model_validate({"lender_id": "bank", "business_date": wrong})
    with pytest.raises(ValidationError):
        PlaceHold.model_validate({"reason": "ill", "until": wrong})


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-03-02T09:00:00Z", datetime(2026, 3, 2, 9, tzinfo=UTC)),
        ("2026-03-02T09:00:00.5+08:00", datetime(2026, 3, 2, 1, 0, 0, 500_000, tzinfo=UTC)),
    ],
)
def test_an_instant_is_read_with_its_offset(written: str, read: datetime) -> None:
    found = INSTANTS.validate_python(written)
    assert (found, found.tzinfo) == (read, UTC)
    assert INSTANTS.json_schema() == {"type": "string", "format": "date-time"}


@pytest.mark.parametrize(
    "wrong",
    [0, 1.5, True, "0", "1700000000", "2026-03-02", "2026-03-02T09:00:00", "2026-13-02T09:00:00Z", "",
     "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"],
)  # fmt: skip
def test_nothing_else_is_an_instant(wrong: Any) -> None:
    with pytest.raises(ValidationError):
        INSTANTS.validate_python(wrong)


@pytest.mark.parametrize("reason", ["bad\x00ly", "  a  ", " \t\n ", "ab", "x" * 501])
def test_a_reason_of_nothing_visible_or_with_nul_is_none(reason: str) -> None:
    with pytest.raises(ValidationError):
        WithReason.model_validate({"reason": reason})


@pytest.mark.parametrize("reason", ["looked at", "  trimmed  ", "two\nlines", "a b", "明白了"])
def test_a_reason_in_plain_words_is_one(reason: str) -> None:
    assert TypeAdapter(Reason).validate_python(reason) == reason.strip()
