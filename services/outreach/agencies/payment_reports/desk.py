"""Payments that an agency reports over HTTP; a placement of another is answered as one that does not exist."""

from fastapi import APIRouter, Depends

from services.outreach.agencies.payment_reports import commands, store
from services.outreach.agencies.payment_reports.views import PaymentReportView, ReportAnswer, ReportId, ReportPayment
from services.outreach.agencies.placements.api import PlacementId, WithReason
from services.outreach.agencies.placements.desk import AboutCases, read_placement
from services.outreach.agencies.tenants.tenancy import PlacementsReader, TenantConnection
from shared.http.auth import Role, require
from shared.http.paging import Page, Paging


def agency_routes() -> APIRouter:
    """The routes of agencies."""
    router = APIRouter(prefix="/v1/agency", tags=["agency"], dependencies=[Depends(require(Role.AGENCY))])
    of = "/placements/{placement_id}/payments"
    router.add_api_route(of, list_reports, methods=["GET"])
    router.add_api_route(of, report_payment, methods=["POST"], status_code=201)
    router.add_api_route(f"{of}/{{report_id}}/withdraw", withdraw_report, methods=["POST"])
    return router


async def list_reports(
    placement_id: PlacementId, connection: TenantConnection, paging: Paging, agency: PlacementsReader
) -> Page[PaymentReportView]:
    """The payments that the caller has reported under one of its placements, in order of the reports' ids."""
    await read_placement(placement_id, connection, agency)
    of = {"agency": agency.name, "placement_id": placement_id}
    rows = (await connection.execute(store.OWN_REPORTS, {**of, "after": paging.after, "limit": paging.limit})).all()
    items = [PaymentReportView.model_validate(row) for row in rows]
    return Page(items=items, next=paging.cursor(items[-1].report_id if items else None, len(items)))


async def report_payment(placement_id: PlacementId, body: ReportPayment, asking: AboutCases) -> ReportAnswer:
    """Report a payment: nobody contacts the debtor until the lender has booked it, or has decided otherwise."""
    await asking.submit("report-payment", commands.ReportPayment(placement_id=placement_id, **body.model_dump()))
    return ReportAnswer(report_id=store.report_id_of(placement_id, body.receipt), placement_id=placement_id)


async def withdraw_report(
    placement_id: PlacementId, report_id: ReportId, body: WithReason, asking: AboutCases
) -> ReportAnswer:
    """Take a report back that was a mistake, while the payment is waited for."""
    wanted = commands.WithdrawReport(placement_id=placement_id, report_id=report_id, reason=body.reason)
    await asking.submit("withdraw-payment-report", wanted)
    return ReportAnswer(report_id=report_id, placement_id=placement_id)
