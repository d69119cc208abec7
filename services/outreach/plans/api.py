"""Holds over HTTP as they were believed to stand: on which business date, and as was known at which instant."""

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from services.outreach.asking import no_such_debtor
from services.outreach.plans.domain.rows import HoldSource
from services.outreach.plans.store import GUARD, HOLDS_AS_OF
from shared.http.database import Connection
from shared.http.inputs import DebtorId, Instant, IsoDate

AsOf = Annotated[IsoDate, Query(description="The business date on which they stood.")]
KnownAt = Annotated[
    Instant | None, Query(description="What was known at that instant; everything that is known where missing.")
]


class HoldView(BaseModel):
    """A reason for which nothing may be done, or might not; `placed_on` and `released_on` are business dates."""

    model_config = ConfigDict(extra="ignore", from_attributes=True)

    hold_id: str
    source: HoldSource
    reason: str
    placed_by: str
    placed_at: datetime
    placed_on: date
    until: date | None
    released: bool
    released_at: datetime | None
    released_on: date | None
    released_by: str
    release_reason: str


def add_routes(router: APIRouter) -> None:
    """Add the holds to the routes about debtors."""
    router.add_api_route("/debtors/{debtor_id}/holds", read_holds, methods=["GET"])


async def read_holds(
    debtor_id: DebtorId, connection: Connection, as_of: AsOf, known_at: KnownAt = None
) -> list[HoldView]:
    """The holds that stood on a business date, as was known at an instant: what came to be known later is left out."""
    if (await connection.execute(GUARD, {"debtor_id": debtor_id})).first() is None:
        raise no_such_debtor()
    asked = {"debtor_id": debtor_id, "as_of": as_of, "known_at": known_at}
    return [HoldView.model_validate(row) for row in (await connection.execute(HOLDS_AS_OF, asked)).all()]
