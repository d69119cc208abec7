"""What callers send, where the framework would take more than the description says."""

import re
from datetime import date
from typing import Annotated, Any

from fastapi import Path
from pydantic import BeforeValidator
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

DebtorId = Annotated[
    str, Path(min_length=1, max_length=128, pattern="^[0-9A-Za-z_.-]+$", description="The debtor's pseudonym.")
]
"""Whom a route is about; one that nobody knows is not found."""
