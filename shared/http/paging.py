"""Lists in pages by key: a page starts after the last key of the one before, so nothing is skipped or shown twice."""

import base64
import binascii
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

import msgspec
from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict

from shared.http.problems import Problem

DEFAULT_LIMIT = 50
MAX_LIMIT = 500

ItemT = TypeVar("ItemT")


class Page(BaseModel, Generic[ItemT]):
    """Some of a list, and the cursor with which to ask for more; `next` is absent on the last page."""

    model_config = ConfigDict(extra="forbid")

    items: list[ItemT]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which part of a list is wanted: at most `limit` items whose key is above `after`."""

    limit: int = DEFAULT_LIMIT
    after: str | None = None

    def cursor(self, last_key: str | None, count: int) -> str | None:
        """The cursor after a page that ended with `last_key`; None where the page of `count` items was not full."""
        return encode_cursor(last_key) if last_key is not None and count >= self.limit else None

    def after_of_debtor(self) -> tuple[str, str]:
        """The debtor, and the key below it, after which a page begins; both empty for the first. Raises Problem 422."""
        debtor, slash, key = (self.after or "/").partition("/")
        if not slash:
            raise malformed_cursor()
        return debtor, key


def encode_cursor(key: str) -> str:
    """A key as an opaque cursor."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(key)).decode().rstrip("=")


def decode_cursor(cursor: str) -> str:
    """The key in a cursor. Raises Problem 422, which names `after`."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        key = msgspec.msgpack.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=str)
    except (binascii.Error, msgspec.DecodeError, UnicodeError) as error:
        raise malformed_cursor() from error
    if "\x00" in key:
        raise malformed_cursor()
    return key


def malformed_cursor() -> Problem:
    """The problem for a cursor that is not one of ours."""
    return Problem(422, "Invalid input", "This is not a cursor that a page of this list gave.", field="after")


def page_request(
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="How many items at most.")] = DEFAULT_LIMIT,
    after: Annotated[
        str | None, Query(max_length=1_000, pattern="^[0-9A-Za-z_-]*$", description="`next` of the page before.")
    ] = None,
) -> PageRequest:
    """The part of a list that the query asks for."""
    return PageRequest(limit, None if after is None else decode_cursor(after))


Paging = Annotated[PageRequest, Depends(page_request)]
"""`limit` and `after` of the query, checked and decoded."""
