"""The routes of agencies: the register for staff, and what their own machines ask."""

from fastapi import APIRouter, Depends

from services.outreach.agencies.access import api as access
from services.outreach.agencies.allocation import api as allocation
from services.outreach.agencies.payment_reports import api as payment_reports
from services.outreach.agencies.register import api as register
from services.outreach.agencies.tenants import api as tenants
from shared.http.auth import Role, require


def add_for_staff(router: APIRouter) -> None:
    """Add the register, and what agencies make of their cases, to the routes of operators and supervisors."""
    register.add_routes(router)
    allocation.add_routes(router)
    payment_reports.add_routes(router)


def routes_for_machines() -> APIRouter:
    """Where machines get their tokens, and the routes that agencies alone may ask."""
    router = APIRouter()
    router.include_router(access.routes())
    agencies = APIRouter(prefix="/v1", tags=["agencies"], dependencies=[Depends(require(Role.AGENCY))])
    tenants.add_routes(agencies)
    router.include_router(agencies)
    return router
