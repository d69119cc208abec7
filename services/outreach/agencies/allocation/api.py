"""What agencies make of the cases that they were offered, for supervisors: chosen by rule beside drawn at random."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from services.outreach.agencies.allocation import store
from services.outreach.agencies.placements.domain.placement import Chosen
from shared.http.auth import Role, require
from shared.http.database import Connection
from shared.http.inputs import IsoDate
from shared.http.problems import Problem

First = Annotated[IsoDate, Query(description="The first business date of the offers.")]
Last = Annotated[IsoDate, Query(description="The last business date of the offers.")]


class ComparedView(BaseModel):
    """An agency's placements of one tier that were chosen in one way, by one version of the rule, in one currency."""

    model_config = ConfigDict(extra="ignore", from_attributes=True)

    tier: int
    chosen: Chosen = Field(description="Only what was drawn at random compares agencies: the rest was picked for them.")
    rule_version: str = Field(description="Empty where a supervisor has chosen.")
    agency_id: str
    currency: str
    cases: int
    accepted: int
    cured: int = Field(description="Those that ended because the case was cured.")
    placed: int = Field(description="What was past due when they were offered, in minor units of `currency`.")
    collected: int = Field(description="What came in under them by now, less what was reversed.")
    commission: int
    liquidation_ppm: int = Field(description="Collected by placed, in millionths.")


class ComparisonView(BaseModel):
    """All that was offered between two business dates, by tier, and then by how the agency was found."""

    model_config = ConfigDict(extra="forbid")

    first: IsoDate
    last: IsoDate
    items: list[ComparedView]


def add_routes(router: APIRouter) -> None:
    """Add the comparison to the routes of staff."""
    guarded = [Depends(require(Role.SUPERVISOR))]
    router.add_api_route("/allocation/comparison", compare_agencies, methods=["GET"], dependencies=guarded)


async def compare_agencies(first: First, last: Last, connection: Connection) -> ComparisonView:
    """What agencies have made of the cases that they were offered between two business dates."""
    if last < first:
        raise Problem(422, "Invalid input", "The first date is after the last one.", field="first")
    rows = (await connection.execute(store.COMPARISON, {"first": first, "last": last})).all()
    return ComparisonView(first=first, last=last, items=[ComparedView.model_validate(row) for row in rows])
