"""What an agency has earned in a month: the sums of its account, and the lines that they are made of."""

from datetime import date
from typing import Annotated

from fastapi import Path
from sqlalchemy.ext.asyncio import AsyncConnection

from services.outreach.agencies.placements import store
from services.outreach.agencies.placements.views import LineView, StatementView, TierSumView
from shared.http.paging import PageRequest, malformed_cursor

Month = Annotated[
    str, Path(pattern="^20[0-9]{2}-(0[1-9]|1[0-2])$", description="A month of business dates, as YYYY-MM.")
]

_DIGITS = 18


async def statement_of(connection: AsyncConnection, agency_id: str, month: str, paging: PageRequest) -> StatementView:
    """A month of an agency: all its sums, and a page of its lines in the order in which they were counted."""
    of = {"agency": agency_id, **_bounds(month)}
    sums = (await connection.execute(store.SUMS, of)).all()
    rows = (await connection.execute(store.LINES, {**of, "after": _after(paging), "limit": paging.limit})).all()
    return StatementView(
        agency_id=agency_id,
        month=month,
        tiers=[TierSumView.model_validate(row) for row in sums],
        lines=[LineView.model_validate(row) for row in rows],
        next=paging.cursor(str(rows[-1].id) if rows else None, len(rows)),
    )


def _bounds(month: str) -> dict[str, date]:
    first = date.fromisoformat(f"{month}-01")
    following = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    return {"first": first, "following": following}


def _after(paging: PageRequest) -> int:
    if paging.after is None:
        return 0
    if not (paging.after.isascii() and paging.after.isdecimal() and len(paging.after) <= _DIGITS):
        raise malformed_cursor()
    return int(paging.after)
