"""Matters over HTTP: all that are to be seen to, one to raise, and one that somebody has seen to."""

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from services.outreach.asking import Reason, Staff, ask, fact
from services.outreach.matters import commands, store
from services.outreach.matters.domain import MatterKind, MatterState
from shared.http.commands import Commands, IdempotencyKey
from shared.http.database import Connection
from shared.http.inputs import DebtorId
from shared.http.paging import Page, Paging

MatterId = Annotated[
    str, Path(min_length=1, max_length=64, pattern="^[0-9A-Za-z]+$", description="The matter, as it was answered.")
]
LoanId = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9._:/@+\-]+$")]


class MatterView(BaseModel):
    """A dispute, a complaint or a claim of hardship: who sees to it, until when, by which text."""

    model_config = ConfigDict(extra="ignore", from_attributes=True)

    debtor_id: str
    matter_id: str
    kind: MatterKind
    state: MatterState
    team: str
    opened_at: datetime
    opened_on: date
    opened_by: str
    due_on: date = Field(description="The last day on which it is in time.")
    force: str = Field(description="How the deadline binds; `house` is our own figure.")
    citation: str
    contact_id: str = Field(description="The contact that it came up in; empty for none.")
    loan_id: str
    resolved_at: datetime | None
    resolved_by: str
    resolution: str
    late: bool


class RaiseMatter(BaseModel):
    """A matter that came up without a contact of ours."""

    model_config = ConfigDict(extra="forbid")

    kind: MatterKind
    loan_id: LoanId | None = None


class ResolveMatter(BaseModel):
    """How a matter was seen to, in plain words without digits."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason


class MatterAnswer(BaseModel):
    """What became of it; `stopped_plan` is the plan that its hold stopped."""

    model_config = ConfigDict(extra="forbid")

    matter_id: str
    due_on: date | None = None
    stopped_plan: int | None = None


def add_routes(router: APIRouter) -> None:
    """Add matters to the routes about debtors."""
    router.add_api_route("/matters", list_matters, methods=["GET"])
    router.add_api_route("/debtors/{debtor_id}/matters", raise_matter, methods=["POST"], status_code=201)
    router.add_api_route("/debtors/{debtor_id}/matters/{matter_id}/resolve", resolve_matter, methods=["POST"])


async def list_matters(
    connection: Connection, paging: Paging, state: MatterState | None = None, kind: MatterKind | None = None
) -> Page[MatterView]:
    """All matters in order of debtor and matter, or those in one state (`overdue`, say), of one kind."""
    debtor, matter = paging.after_of_debtor()
    place = {"after_debtor": debtor, "after_matter": matter, "limit": paging.limit}
    rows = (await connection.execute(store.MATTERS, {"state": state, "kind": kind, **place})).all()
    items = [MatterView.model_validate(row) for row in rows]
    last = f"{items[-1].debtor_id}/{items[-1].matter_id}" if items else None
    return Page(items=items, next=paging.cursor(last, len(items)))


async def raise_matter(
    debtor_id: DebtorId, body: RaiseMatter, desk: Commands, key: IdempotencyKey, staff: Staff, connection: Connection
) -> MatterAnswer:
    """Raise a matter: outreach stands still for the debtor until it is resolved."""
    answer = await ask(desk, connection, debtor_id=debtor_id, name="raise-matter", body=body, key=key, by=staff)
    raised = fact(answer, "outreach.matter-raised.v1")
    stopped = fact(answer, "outreach.plan-stopped.v1")
    return MatterAnswer(matter_id=raised["matter_id"], due_on=raised["due_on"], stopped_plan=stopped.get("plan_number"))


async def resolve_matter(
    debtor_id: DebtorId,
    matter_id: MatterId,
    body: ResolveMatter,
    desk: Commands,
    key: IdempotencyKey,
    staff: Staff,
    connection: Connection,
) -> MatterAnswer:
    """Say how a matter was seen to; its hold is lifted, and a plan follows if nothing else stands against it."""
    await ask(
        desk,
        connection,
        debtor_id=debtor_id,
        name="resolve-matter",
        body=commands.ResolveMatter(matter_id=matter_id, reason=body.reason),
        key=key,
        by=staff,
    )
    return MatterAnswer(matter_id=matter_id)
