"""The work that waits for people over HTTP: what there is, and to claim or release a piece of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from services.outreach.asking import ask
from services.outreach.contacts.permits import Signer
from services.outreach.permits.answers import REFUSED, PermitAnswer, permit_in
from services.outreach.work.commands import ClaimWork, ReleaseWork
from services.outreach.work.domain import WorkState
from services.outreach.work.store import WORK
from shared.http.auth import Principal, Role, require
from shared.http.commands import Commands, IdempotencyKey
from shared.http.database import Connection
from shared.http.inputs import DebtorId
from shared.http.paging import Page, PageRequest, Paging, malformed_cursor

Staff = Annotated[Principal, Depends(require(Role.OPERATOR, Role.SUPERVISOR))]
Queue = Annotated[str | None, Query(max_length=64, pattern="^[0-9A-Za-z_.:-]+$")]
Number = Annotated[int, Path(ge=0, le=2**31 - 1)]

DIGITS = 12
"""Of a number in a cursor: none of ours is longer."""


class WorkView(BaseModel):
    """One due step that a person is to carry out; who the person is, the case says to whoever has claimed it."""

    model_config = ConfigDict(extra="ignore", from_attributes=True)

    debtor_id: str
    plan_number: int
    step_number: int
    queue: str
    channel: str
    template: str
    priority: int = Field(description="The highest is to be done first.")
    opened_at: datetime
    due_at: datetime = Field(description="Not to be done before.")
    call_back_at: datetime | None = Field(description="When the person has asked to be called.")
    state: WorkState
    claimed_by: str
    claimed_at: datetime | None
    contact_id: str = Field(description="The permit under which it is claimed, or was done.")
    reason: str
    ended_at: datetime | None


class ReleasedAnswer(BaseModel):
    """Work that waits again."""

    model_config = ConfigDict(extra="forbid")

    debtor_id: str
    plan_number: int
    step_number: int
    state: WorkState = WorkState.OPEN


def add_routes(router: APIRouter, signer: Signer) -> None:
    """Add the routes to those about debtors."""
    of = "/work-items/{debtor_id}/{plan}-{step}"
    router.add_api_route("/work-items", list_work, methods=["GET"])
    router.add_api_route(f"{of}/claim", _Desk(signer).claim_work, methods=["POST"], status_code=201, responses=REFUSED)
    router.add_api_route(f"{of}/release", release_work, methods=["POST"])


async def list_work(
    connection: Connection, paging: Paging, queue: Queue = None, state: WorkState | None = None
) -> Page[WorkView]:
    """All work, what is to be done first first; or that of one queue, in one state."""
    place = {**_after(paging), "limit": paging.limit}
    rows = (await connection.execute(WORK, {"queue": queue, "state": state, **place})).all()
    items = [WorkView.model_validate(row) for row in rows]
    return Page(items=items, next=paging.cursor(_place(items[-1]) if items else None, len(items)))


def _place(item: WorkView) -> str:
    numbers = (item.priority, item.due_at.isoformat(), item.debtor_id, item.plan_number, item.step_number)
    return "/".join(map(str, numbers))


def _after(paging: PageRequest) -> dict[str, Any]:
    """The place in a cursor. Raises Problem 422 for a cursor of another list."""
    names = ("after_priority", "after_due", "after_debtor", "after_plan", "after_step")
    if paging.after is None:
        return dict.fromkeys(names)
    parts = paging.after.split("/")
    try:
        priority, due, debtor, plan, step = parts
        due_at, numbers = datetime.fromisoformat(due), [_number(each) for each in (priority, plan, step)]
    except ValueError:
        raise malformed_cursor() from None
    if due_at.tzinfo is None:
        raise malformed_cursor()
    return dict(zip(names, (numbers[0], due_at, debtor, *numbers[1:]), strict=True))


def _number(said: str) -> int:
    if len(said) > DIGITS:
        raise ValueError(said)
    return int(said)


@dataclass(frozen=True)
class _Desk:
    signer: Signer

    async def claim_work(
        self,
        debtor_id: DebtorId,
        plan: Number,
        step: Number,
        desk: Commands,
        key: IdempotencyKey,
        staff: Staff,
        connection: Connection,
    ) -> PermitAnswer:
        """Take a piece of work, with the permit to carry it out now; where the rules deny that, it is put off."""
        body = ClaimWork(plan_number=plan, step_number=step)
        answer = await ask(desk, connection, debtor_id=debtor_id, name="claim-work", body=body, key=key, by=staff)
        return permit_in(answer, debtor_id, self.signer)


async def release_work(
    debtor_id: DebtorId,
    plan: Number,
    step: Number,
    desk: Commands,
    key: IdempotencyKey,
    staff: Staff,
    connection: Connection,
) -> ReleasedAnswer:
    """Let go of a claimed piece of work that was not carried out, with its permit."""
    body = ReleaseWork(plan_number=plan, step_number=step)
    await ask(desk, connection, debtor_id=debtor_id, name="release-work", body=body, key=key, by=staff)
    return ReleasedAnswer(debtor_id=debtor_id, plan_number=plan, step_number=step)
