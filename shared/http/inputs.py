"""What callers send, where the framework would take more than the description says."""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any

from fastapi import Path
from pydantic import AfterValidator, AwareDatetime, BeforeValidator
from pydantic_core import PydanticCustomError

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

NO_NUL = r"^[^\x00]*$"
"""The pattern of a text that a database can be asked for."""


def _iso(value: Any) -> Any:
    """Let a date through, or the text of one: the framework alone would take numbers as seconds since 1970."""
    if isinstance(value, date) or (isinstance(value, str) and _DATE.fullmatch(value)):
        return value
    raise PydanticCustomError("date_iso", "Input should be a date as YYYY-MM-DD")


IsoDate = Annotated[date, BeforeValidator(_iso, json_schema_input_type=date)]
"""A date as ISO 8601 writes it."""


def _number(value: Any) -> Any:
    """Let a number through that is whole, and no yes or no: the framework alone would take those as one and nought."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticCustomError("whole_number", "Input should be a whole number")
    return value


WHOLE = BeforeValidator(_number)
"""For a whole number, as JSON writes it; to be said after the bounds of it, so that those are described."""

_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9:.]+([Zz]|[+-][0-9]{2}:[0-9]{2})")


def _text_of_instant(value: Any) -> Any:
    """Let an instant through, or the text of one with its offset, for the same reason."""
    if isinstance(value, datetime) or (isinstance(value, str) and _INSTANT.fullmatch(value)):
        return value
    raise PydanticCustomError("instant_iso", "Input should be an instant as ISO 8601 writes it, with its offset")


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("instant_range", "Input should be an instant of the calendar") from None


Instant = Annotated[
    AwareDatetime, BeforeValidator(_text_of_instant, json_schema_input_type=AwareDatetime), AfterValidator(_in_utc)
]
"""An instant with its offset from UTC, in UTC."""

DebtorId = Annotated[
    str, Path(min_length=1, max_length=128, pattern="^[0-9A-Za-z_.-]+$", description="The debtor's pseudonym.")
]
"""Whom a route is about; one that nobody knows is not found."""
