"""What agencies say of payments that the lender may not have booked yet."""

from datetime import date
from typing import Annotated

import msgspec

from services.outreach.agencies.payment_reports.domain import ReceivedBy
from services.outreach.agencies.placements.commands import PlacementId
from shared.contracts.envelope import CurrencyCode, Identifier
from shared.contracts.reasons import Reason

ReportId = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]


class ReportPayment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agency has received money for a case, or was told that it was paid."""

    placement_id: PlacementId
    receipt: Identifier
    amount: Annotated[int, msgspec.Meta(ge=1, le=10**15)]
    currency: CurrencyCode
    paid_on: date
    received_by: ReceivedBy
    loan_id: Identifier | None = None


class WithdrawReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agency has reported what was not paid."""

    placement_id: PlacementId
    report_id: ReportId
    reason: Reason
