"""How a lender's book of what waits to be allotted lies in tables."""

from services.outreach.allocator.domain import AllocationBook, LaneClosing
from services.outreach.field.domain import VisitRequest
from shared.messaging.layout import Layout, Table

LAYOUT = Layout(
    AllocationBook,
    {
        "closings": Table("lane_closing", LaneClosing, key=("business_date", "lane")),
        "requests": Table("visit_request", VisitRequest, key=("debtor_id", "plan_number", "step_number")),
    },
    owner="lender_id",
)
