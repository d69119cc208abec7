"""How a lender's book of what waits to be allotted lies in tables."""

from services.outreach.agencies.allocation.domain import AgencyLoad, PlacementRequest
from services.outreach.allocator.domain.book import AllocationBook, LaneClosing
from services.outreach.field.domain import VisitRequest
from shared.messaging.layout import Layout, Table

_STEP = ("debtor_id", "plan_number", "step_number")

LAYOUT = Layout(
    AllocationBook,
    {
        "closings": Table("lane_closing", LaneClosing, key=("business_date", "lane")),
        "requests": Table("visit_request", VisitRequest, key=_STEP),
        "placement_requests": Table("placement_request", PlacementRequest, key=_STEP),
        "agency_loads": Table("agency_load", AgencyLoad, key=("agency_id", "counted_after")),
    },
    owner="lender_id",
)
