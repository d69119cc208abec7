"""Reported payments over HTTP, for staff: what agencies say was paid, against what was booked."""

from typing import Annotated

from fastapi import APIRouter, Query

from services.outreach.agencies.payment_reports import store
from services.outreach.agencies.payment_reports.domain import ReportState
from services.outreach.agencies.payment_reports.views import StaffPaymentReportView
from services.outreach.agencies.register.bodies import AGENCY_PATTERN
from shared.http.database import Connection
from shared.http.paging import Page, Paging

OfAgency = Annotated[str | None, Query(pattern=AGENCY_PATTERN)]


def add_routes(router: APIRouter) -> None:
    """Add what agencies have reported to the routes of staff."""
    router.add_api_route("/payment-reports", list_payment_reports, methods=["GET"])


async def list_payment_reports(
    connection: Connection, paging: Paging, state: ReportState | None = None, agency_id: OfAgency = None
) -> Page[StaffPaymentReportView]:
    """All reports in order of debtor and report, or those in one state, of one agency.

    One that waits is ended by the booking, or by resolving the matter of the same id.
    """
    debtor, report = paging.after_of_debtor()
    asked = {"state": state, "agency": agency_id, "after_debtor": debtor, "after_report": report}
    rows = (await connection.execute(store.REPORTS, {**asked, "limit": paging.limit})).all()
    items = [StaffPaymentReportView.model_validate(row) for row in rows]
    last = f"{items[-1].debtor_id}/{items[-1].report_id}" if items else None
    return Page(items=items, next=paging.cursor(last, len(items)))
