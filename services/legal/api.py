"""What legal holds about a debtor, and the list of matters, over HTTP."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import AsyncConnection

from services.legal import store
from shared.http.auth import Role, require
from shared.http.database import Connection
from shared.http.inputs import DebtorId
from shared.http.paging import Page, PageRequest, Paging
from shared.http.problems import Problem


class MatterState(StrEnum):
    """Whether a matter is still pursued."""

    OPEN = "open"
    CLOSED = "closed"


class _View(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ExplanationView(_View):
    """Why: the rule that decided, the version of its file, and what it saw."""

    rule: str
    version: str
    inputs: dict[str, str]


class MatterView(_View):
    """A claim that is pursued at law; `claim` in minor units of `currency`, as it stood when the matter was opened."""

    debtor_id: str
    matter_id: str
    lender_id: str
    referral_id: str
    hold_id: str
    currency: str
    claim: int
    oldest_due_on: date
    opened_on: date
    closed: bool
    closed_on: date | None
    closed_because: str
    explanation: ExplanationView


class ReferralView(_View):
    """What outreach handed over; not answered yet while the case it speaks of has not been heard of."""

    referral_id: str
    lender_id: str
    case_version: int
    plan_number: int
    step_number: int
    referred_at: datetime
    answered: bool
    accepted: bool
    explanation: ExplanationView | None


class CaseView(_View):
    """The case as legal last heard of it."""

    debtor_id: str
    lender_id: str
    case_id: str
    case_version: int
    status: str


class DebtorView(_View):
    """All that legal holds about a debtor."""

    case: CaseView | None
    matters: list[MatterView]
    referrals: list[ReferralView]


def routes() -> APIRouter:
    """The routes, for operators and supervisors."""
    router = APIRouter(prefix="/v1", tags=["legal"], dependencies=[Depends(require(Role.OPERATOR, Role.SUPERVISOR))])

    @router.get("/debtors/{debtor_id}")
    async def read_debtor(debtor_id: DebtorId, connection: Connection) -> DebtorView:
        """The case, the matters and the referrals of a debtor, with the explanation of each answer."""
        view = await _debtor(connection, debtor_id)
        if view.case is None and not view.referrals:
            raise Problem(404, "No such debtor", "Legal has heard neither of a case nor of a referral of this debtor.")
        return view

    @router.get("/matters")
    async def list_matters(
        connection: Connection, paging: Paging, state: Annotated[MatterState | None, Query()] = None
    ) -> Page[MatterView]:
        """All matters in order of their id, or only the open or the closed ones."""
        return await _matters(connection, paging, state)

    return router


async def _debtor(connection: AsyncConnection, debtor_id: str) -> DebtorView:
    case = await store.find_case(connection, debtor_id)
    matters = await store.matters_of(connection, debtor_id)
    referrals = await store.referrals_of(connection, debtor_id)
    return DebtorView(
        case=None if case is None else CaseView.model_validate(dict(case)),
        matters=[MatterView.model_validate(dict(row)) for row in matters],
        referrals=[ReferralView.model_validate(dict(row)) for row in referrals],
    )


async def _matters(connection: AsyncConnection, paging: PageRequest, state: MatterState | None) -> Page[MatterView]:
    closed = None if state is None else state is MatterState.CLOSED
    rows = await store.list_matters(connection, closed=closed, after=paging.after or "", limit=paging.limit)
    items = [MatterView.model_validate(dict(row)) for row in rows]
    return Page(items=items, next=paging.cursor(items[-1].matter_id if items else None, len(items)))
