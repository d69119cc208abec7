"""What waits for one lender until its day is over, and how far each lane has come. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from services.outreach.agencies.allocation.domain import AgencyLoad, PlacementRequest
from services.outreach.allocator.domain.waiting import RequestKey
from services.outreach.field.domain import VisitRequest
from shared.frozen import replace

ClosingKey = tuple[date, int]
"""The business date that a lane has reached, and the lane."""

LoadKey = tuple[str, date]
"""An agency, and after which business date the cases count."""


@dataclass(frozen=True, slots=True)
class LaneClosing:
    """A lane has asked for everything of the days before `business_date`."""

    business_date: date
    lane: int


@dataclass(frozen=True, slots=True)
class AllocationBook:
    """What waits for one lender, how far each lane has come, and what of the lender's each agency holds."""

    lender_id: str
    closings: Mapping[ClosingKey, LaneClosing]
    requests: Mapping[RequestKey, VisitRequest]
    placement_requests: Mapping[RequestKey, PlacementRequest]
    agency_loads: Mapping[LoadKey, AgencyLoad]


def closed(book: AllocationBook, reached: date, lane: int, lanes: int) -> tuple[AllocationBook, bool]:
    """Count a lane that has reached a date, and whether it was the last of so many lanes."""
    closings = {**book.closings, (reached, lane): LaneClosing(reached, lane)}
    if sum(key[0] == reached for key in closings) < lanes:
        return replace(book, closings=closings), False
    later = {key: closing for key, closing in closings.items() if key[0] > reached}
    return replace(book, closings=later), True
