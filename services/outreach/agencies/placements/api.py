"""Placements over HTTP, for supervisors: to offer a case, to ask for it back, and what was earned."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.outreach.agencies.placements import commands, store
from services.outreach.agencies.placements.domain.placement import PlacementState
from services.outreach.agencies.placements.statements import Month, statement_of
from services.outreach.agencies.placements.views import OfferAnswer, PlacementAnswer, StaffPlacementView, StatementView
from services.outreach.agencies.register.bodies import AGENCY_PATTERN, AgencyId
from services.outreach.asking import Asking, Reason, fact, no_such_debtor
from services.outreach.plans.store import GUARD
from shared.http.auth import Principal, Role, require
from shared.http.commands import Commands, IdempotencyKey
from shared.http.database import Connection
from shared.http.inputs import DebtorId, IsoDate
from shared.http.paging import Paging

Supervisor = Annotated[Principal, Depends(require(Role.SUPERVISOR))]
PlacementId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="The placement, as its offer was answered.")]

MOST_DAYS_SAID = 3660


class OfferPlacement(BaseModel):
    """A case to be offered to an agency, for so many days."""

    model_config = ConfigDict(extra="forbid")

    agency_id: Annotated[str, StringConstraints(pattern=AGENCY_PATTERN)]
    days: int = Field(ge=1, le=MOST_DAYS_SAID)


class AskRecall(BaseModel):
    """Why a case is wanted back, and the business date until which the agency may object."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason
    objections_until: IsoDate


class WithReason(BaseModel):
    """Why, in plain words without digits."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason


def add_routes(router: APIRouter) -> None:
    """Add placements to the routes about debtors, and statements to those of staff."""
    of = "/debtors/{debtor_id}/placements"
    router.add_api_route(of, list_placements, methods=["GET"])
    router.add_api_route(of, offer_placement, methods=["POST"], status_code=201)
    router.add_api_route(f"{of}/{{placement_id}}/recall", ask_recall, methods=["POST"])
    router.add_api_route(f"{of}/{{placement_id}}/recall/withdraw", withdraw_recall, methods=["POST"])
    router.add_api_route(f"{of}/{{placement_id}}/recall/final", recall_placement, methods=["POST"])
    guarded = [Depends(require(Role.SUPERVISOR))]
    statements = "/agencies/{agency_id}/statements/{month}"
    router.add_api_route(statements, read_statement, methods=["GET"], dependencies=guarded)


async def list_placements(debtor_id: DebtorId, connection: Connection) -> list[StaffPlacementView]:
    """The placements of a debtor's case: the live one first, then those that have ended, the latest first."""
    if (await connection.execute(GUARD, {"debtor_id": debtor_id})).first() is None:
        raise no_such_debtor()
    rows = (await connection.execute(store.PLACEMENTS_OF, {"debtor_id": debtor_id})).all()
    return [StaffPlacementView.model_validate(row) for row in rows]


def _supervised(desk: Commands, key: IdempotencyKey, by: Supervisor, connection: Connection) -> Asking:
    return Asking(desk, key, connection, by)


Supervised = Annotated[Asking, Depends(_supervised)]


async def offer_placement(debtor_id: DebtorId, body: OfferPlacement, asking: Supervised) -> OfferAnswer:
    """Offer a case to an agency that is on the register, and has not had it before."""
    answer = await asking.ask(debtor_id, "offer-placement", body)
    offered = fact(answer, "outreach.placement-offered.v1")
    return OfferAnswer.model_validate({"state": PlacementState.OFFERED, **offered})


async def ask_recall(
    debtor_id: DebtorId, placement_id: PlacementId, body: AskRecall, asking: Supervised
) -> PlacementAnswer:
    """Ask for a case back; it is final by itself once nobody has objected in time."""
    wanted = commands.AskRecall(placement_id=placement_id, reason=body.reason, objections_until=body.objections_until)
    await asking.ask(debtor_id, "ask-recall", wanted)
    return PlacementAnswer(placement_id=placement_id, state=PlacementState.RECALL_ASKED)


async def withdraw_recall(
    debtor_id: DebtorId, placement_id: PlacementId, body: WithReason, asking: Supervised
) -> PlacementAnswer:
    """Leave a case with its agency after all."""
    wanted = commands.WithdrawRecall(placement_id=placement_id, reason=body.reason)
    await asking.ask(debtor_id, "withdraw-recall", wanted)
    return PlacementAnswer(placement_id=placement_id, state=PlacementState.ACCEPTED)


async def recall_placement(
    debtor_id: DebtorId, placement_id: PlacementId, body: WithReason, asking: Supervised
) -> PlacementAnswer:
    """Take a case back at once, with every permit of the agency, asked for before or not."""
    wanted = commands.RecallPlacement(placement_id=placement_id, reason=body.reason)
    await asking.ask(debtor_id, "recall-placement", wanted)
    return PlacementAnswer(placement_id=placement_id, state=PlacementState.ENDED)


async def read_statement(agency_id: AgencyId, month: Month, connection: Connection, paging: Paging) -> StatementView:
    """What an agency has earned in a month of the lender's business dates."""
    return await statement_of(connection, agency_id, month, paging)
