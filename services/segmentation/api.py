"""What segmentation holds about a debtor, the data by which it decides, and the tier that staff set, over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy.ext.asyncio import AsyncConnection

from services.segmentation import store, views
from services.segmentation.domain.playbook import Playbook
from services.segmentation.publishing import api as publishing
from shared.contracts.reasons import REASON_LENGTH, REASON_PATTERN
from shared.contracts.segmentation import Tier
from shared.http.auth import Principal, Role, require
from shared.http.commands import Commands, IdempotencyKey
from shared.http.database import Connection
from shared.http.inputs import DebtorId, IsoDate
from shared.http.paging import Page, Paging
from shared.http.problems import Problem

Staff = Annotated[Principal, Depends(require(Role.OPERATOR, Role.SUPERVISOR))]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=REASON_LENGTH, pattern=REASON_PATTERN)]


class SetTier(BaseModel):
    """A tier to set: a reason in plain words without digits, and the business date that ends it."""

    model_config = ConfigDict(extra="forbid")

    tier: Tier
    reason: Reason
    until: IsoDate


class TierAnswer(BaseModel):
    """What became of it; `strategy` is the treatment that was told, if the tier has changed it."""

    model_config = ConfigDict(extra="forbid")

    tier: Tier
    previous_tier: Tier | None
    strategy: str | None = Field(default=None, description="As it is told, with the tier where it differs by that.")


def routes(playbook: Playbook) -> APIRouter:
    """The routes, for operators and supervisors."""
    router = APIRouter(
        prefix="/v1", tags=["segmentation"], dependencies=[Depends(require(Role.OPERATOR, Role.SUPERVISOR))]
    )
    _add_debtors(router, [stage.name for stage in playbook.ladder.stages])
    _add_data(router, playbook)
    publishing.add_routes(router, playbook)
    return router


def _add_debtors(router: APIRouter, names: list[str]) -> None:
    router.add_api_route("/debtors/{debtor_id}", read_debtor, methods=["GET"])
    router.add_api_route("/debtors/{debtor_id}/assignment", read_assignment, methods=["GET"])
    router.add_api_route("/debtors/{debtor_id}/tier", set_tier, methods=["POST"], status_code=201)

    @router.get("/debtors")
    async def list_debtors(
        connection: Connection,
        paging: Paging,
        stage: Annotated[str | None, Query(max_length=64, json_schema_extra={"enum": list(names)})] = None,
    ) -> Page[views.DebtorView]:
        """All debtors in order of their id, or those in one stage."""
        if stage is not None and stage not in names:
            raise Problem(422, "No such stage", f"The stages are {', '.join(names)}.", field="stage")
        rows = await store.list_debtors(connection, stage=stage, after=paging.after or "", limit=paging.limit)
        items = [views.DebtorView.model_validate(dict(row)) for row in rows]
        return Page(items=items, next=paging.cursor(items[-1].debtor_id if items else None, len(items)))


def _add_data(router: APIRouter, playbook: Playbook) -> None:
    @router.get("/experiments")
    async def list_experiments() -> list[views.ExperimentView]:
        """Every version of every experiment; persons are assigned by the one in effect, and keep their arm."""
        return [views.experiment_view(experiment) for experiment in playbook.experiments]

    @router.get("/tiers")
    async def read_tiers() -> views.TiersView:
        """The rules of the tiers in force, in the order in which they are tried, and the matrix."""
        return views.tiers_view(playbook.tiers)

    @router.get("/stages")
    async def read_stages() -> views.LadderView:
        """The collection stages in force."""
        return views.ladder_view(playbook.ladder)


async def read_debtor(debtor_id: DebtorId, connection: Connection) -> views.DebtorView:
    """What is held about a debtor, with the explanation of the treatment that applies."""
    found = await store.find_debtor(connection, debtor_id)
    if found is None:
        raise _no_such_debtor()
    return views.DebtorView.model_validate(dict(found))


async def read_assignment(debtor_id: DebtorId, connection: Connection) -> views.AssignmentView:
    """What a debtor was assigned and why: the arm by chance, the tier by rule or by staff, and the treatment."""
    found = await store.find_assignment(connection, debtor_id)
    if found is None:
        raise _no_such_debtor()
    return views.AssignmentView.model_validate(dict(found))


async def set_tier(
    debtor_id: DebtorId, body: SetTier, desk: Commands, key: IdempotencyKey, staff: Staff, connection: Connection
) -> TierAnswer:
    """Have a debtor treated as of another tier, until a date; it takes the place of what staff have said before."""
    answer = await desk.submit(
        kind="lane",
        owner=debtor_id,
        lender_id=await _lender_of(connection, debtor_id),
        name="override-tier",
        body=body,
        key=key,
        principal=staff,
    )
    facts = {fact["type"]: fact["data"] for fact in answer.get("facts", ())}
    tier = facts["segmentation.tier-assigned.v1"]
    treatment = facts.get("segmentation.treatment-assigned.v1", {})
    return TierAnswer(tier=tier["tier"], previous_tier=tier["previous_tier"], strategy=treatment.get("strategy"))


async def _lender_of(connection: AsyncConnection, debtor_id: str) -> str:
    """The debtor's lender, by whose business date a command is judged. Raises Problem 404."""
    lender_id = await store.lender_of(connection, debtor_id)
    # The desk waits on connections of the same pool: one that is kept meanwhile could be the one that it waits for.
    await connection.close()
    if lender_id is None:
        raise _no_such_debtor()
    return lender_id


def _no_such_debtor() -> Problem:
    return Problem(404, "No such debtor", "Segmentation has not heard of a case of this debtor.")
