"""What outreach holds about a debtor, the plans and visits of all, and the holds that people place, over HTTP."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from services.outreach.agencies import api as agencies
from services.outreach.agencies.documents import desk as documents
from services.outreach.agencies.documents.api import add_routes as add_documents
from services.outreach.agencies.payment_reports import desk as payment_reports
from services.outreach.agencies.placements.api import add_routes as add_placements
from services.outreach.agencies.placements.desk import agency_routes
from services.outreach.asking import Reason, Staff, ask, fact, no_such_debtor
from services.outreach.contacts.api import add_routes as add_ledger
from services.outreach.contacts.permits import Signer
from services.outreach.matters.api import MatterView
from services.outreach.matters.api import add_routes as add_matters
from services.outreach.matters.store import MATTERS_OF
from services.outreach.outcomes.api import BAD_POINTS, OPT_OUTS, REFUSALS, BadPointView, OptOutView, RefusalView
from services.outreach.outcomes.api import add_routes as add_outcomes
from services.outreach.permits.api import add_routes as add_permits
from services.outreach.plans import commands, store
from services.outreach.plans.api import HoldView
from services.outreach.plans.api import add_routes as add_holds
from services.outreach.plans.domain.rows import CaseStatus, Channel, PlanState, StepState, VisitState
from services.outreach.promises.store import PROMISES
from services.outreach.promises.views import PromiseView
from services.outreach.sending.api import add_routes as add_letters
from services.outreach.work.api import add_routes as add_work
from shared.clock import Clock
from shared.http.auth import Role, require
from shared.http.commands import Commands, IdempotencyKey
from shared.http.database import Connection
from shared.http.inputs import DebtorId, IsoDate
from shared.http.paging import Page, PageRequest, Paging, malformed_cursor
from shared.keys import KeyStore

HoldId = Annotated[
    str,
    Path(
        min_length=1, max_length=200, pattern="^[0-9A-Za-z_.:-]+$", description="The hold, as its placing was answered."
    ),
]
Code = Annotated[str | None, Query(max_length=64, pattern="^[0-9A-Za-z_.:-]+$")]


class _View(BaseModel):
    model_config = ConfigDict(extra="forbid", from_attributes=True)


class GuardView(_View):
    """Outreach's own copy of the case. `past_due` is in minor units of `currency`."""

    lender_id: str
    case_version: int
    status: CaseStatus | None
    stop_version: int = Field(description="A treatment of an older case version starts no plan.")
    jurisdiction: str
    district: str
    past_due: int
    currency: str
    plans_made: int


class TreatmentStepView(_View):
    """One action, `after_days` calendar days after the plan starts."""

    number: int
    channel: Channel
    after_days: int
    template: str


class TreatmentView(_View):
    """The last treatment accepted."""

    case_version: int
    stage: str
    strategy: str
    strategy_version: int
    steps: list[TreatmentStepView]
    plan_number: int = Field(description="The plan that carries it out; 0 where it waits for one.")


class PlanView(_View):
    """One carrying out of a treatment."""

    debtor_id: str
    plan_number: int
    state: PlanState
    stage: str
    strategy: str
    strategy_version: int
    case_version: int
    started_on: date
    started_at: datetime
    ended_at: datetime | None
    end_reason: str


class StepView(_View):
    """One step of a plan."""

    step_number: int
    channel: Channel
    template: str
    due_at: datetime
    state: StepState
    reason: str
    ended_at: datetime | None


class PlanWithSteps(PlanView):
    """A plan and its steps, in order of their numbers."""

    steps: list[StepView]


class DebtorView(_View):
    """Everything that outreach holds about a debtor; `plan` is the latest, all lists the last hundred."""

    debtor_id: str
    guard: GuardView
    treatment: TreatmentView | None
    plan: PlanWithSteps | None
    holds: list[HoldView]
    promises: list[PromiseView]
    matters: list[MatterView]
    opt_outs: list[OptOutView]
    bad_points: list[BadPointView]
    refusals: list[RefusalView]


class VisitView(_View):
    """A crew that was sent, or withdrawn before it went."""

    debtor_id: str
    plan_number: int
    step_number: int
    district: str
    crew: str
    visit_on: date
    distance_km: int
    state: VisitState


class RefusedView(_View):
    """How many treatments came too late, by reason."""

    reason: str
    treatments: int


class PlaceHold(BaseModel):
    """A hold to place: a reason in plain words without digits, and the business date that ends it, if any does."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason
    until: IsoDate | None = None


class ReleaseHold(BaseModel):
    """Why a hold is lifted, in plain words without digits."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason


class HoldAnswer(BaseModel):
    """What became of it; `stopped_plan` is the plan that the hold stopped."""

    model_config = ConfigDict(extra="forbid")

    hold_id: str
    stopped_plan: int | None = None


def routes(signer: Signer, clock: Clock, keys: Callable[[], KeyStore]) -> APIRouter:
    """The routes: for operators and supervisors, and for agencies. Permits are signed by `signer`, and live by `clock`.

    keys: opens what was sealed, and seals what agencies and staff file.
    """
    router = APIRouter(prefix="/v1", tags=["outreach"], dependencies=[Depends(require(Role.OPERATOR, Role.SUPERVISOR))])
    router.add_api_route("/debtors/{debtor_id}", read_debtor, methods=["GET"])
    router.add_api_route("/debtors/{debtor_id}/holds", place_hold, methods=["POST"], status_code=201)
    router.add_api_route("/debtors/{debtor_id}/holds/{hold_id}/release", release_hold, methods=["POST"])
    add_holds(router)
    add_ledger(router)
    add_permits(router, signer, clock)
    add_work(router, signer)
    add_outcomes(router)
    add_matters(router)
    add_letters(router, keys)
    agencies.add_for_staff(router)
    add_placements(router)
    add_documents(router, keys)
    router.add_api_route("/plans", list_plans, methods=["GET"])
    router.add_api_route("/visits", list_visits, methods=["GET"])
    router.add_api_route("/refused-treatments", list_refused, methods=["GET"])
    whole = APIRouter()
    of_agencies = (
        agencies.routes_for_machines(),
        agency_routes(signer, clock),
        documents.agency_routes(keys),
        payment_reports.agency_routes(),
    )
    for each in (router, *of_agencies):
        whole.include_router(each)
    return whole


async def read_debtor(debtor_id: DebtorId, connection: Connection) -> DebtorView:
    """What is held about a debtor: the case as copied, the treatment, the latest plan, holds, promises, matters."""
    key = {"debtor_id": debtor_id}
    guard = (await connection.execute(store.GUARD, key)).first()
    if guard is None:
        raise no_such_debtor()
    treatment = (await connection.execute(store.TREATMENT, key)).first()
    holds = (await connection.execute(store.HOLDS, key)).all()
    return DebtorView(
        debtor_id=debtor_id,
        guard=GuardView.model_validate(guard),
        treatment=None if treatment is None else TreatmentView.model_validate(treatment),
        plan=await _latest_plan(connection, debtor_id),
        holds=[HoldView.model_validate(hold) for hold in holds],
        promises=[PromiseView.model_validate(each) for each in (await connection.execute(PROMISES, key)).all()],
        matters=[MatterView.model_validate(each) for each in (await connection.execute(MATTERS_OF, key)).all()],
        opt_outs=[OptOutView.model_validate(each) for each in (await connection.execute(OPT_OUTS, key)).all()],
        bad_points=[BadPointView.model_validate(each) for each in (await connection.execute(BAD_POINTS, key)).all()],
        refusals=[RefusalView.model_validate(each) for each in (await connection.execute(REFUSALS, key)).all()],
    )


async def _latest_plan(connection: AsyncConnection, debtor_id: str) -> PlanWithSteps | None:
    found = (await connection.execute(store.LATEST_PLAN, {"debtor_id": debtor_id})).first()
    if found is None:
        return None
    key = {"debtor_id": debtor_id, "plan_number": found.plan_number}
    steps = [StepView.model_validate(step) for step in (await connection.execute(store.STEPS, key)).all()]
    return PlanWithSteps(**PlanView.model_validate(found).model_dump(), steps=steps)


async def list_plans(
    connection: Connection,
    paging: Paging,
    state: PlanState | None = None,
    stage: Code = None,
    debtor_id: Code = None,
) -> Page[PlanView]:
    """All plans in order of debtor and number, or those in one state, of one stage, of one debtor."""
    debtor, plan, _ = _after(paging, 2)
    filters = {"state": state, "stage": stage, "debtor_id": debtor_id}
    place = {"after_debtor": debtor, "after_plan": plan, "limit": paging.limit}
    rows = (await connection.execute(store.PLANS, {**filters, **place})).all()
    items = [PlanView.model_validate(row) for row in rows]
    last = f"{items[-1].debtor_id}/{items[-1].plan_number}" if items else None
    return Page(items=items, next=paging.cursor(last, len(items)))


async def list_visits(
    connection: Connection,
    paging: Paging,
    state: VisitState | None = None,
    crew: Code = None,
    visit_on: IsoDate | None = None,
) -> Page[VisitView]:
    """All visits in order of debtor, plan and step, or those in one state, of one crew, on one day."""
    debtor, plan, step = _after(paging, 3)
    filters = {"state": state, "crew": crew, "visit_on": visit_on}
    place = {"after_debtor": debtor, "after_plan": plan, "after_step": step, "limit": paging.limit}
    rows = (await connection.execute(store.VISITS, {**filters, **place})).all()
    items = [VisitView.model_validate(row) for row in rows]
    last = "/".join(map(str, (items[-1].debtor_id, items[-1].plan_number, items[-1].step_number))) if items else None
    return Page(items=items, next=paging.cursor(last, len(items)))


def _after(paging: PageRequest, parts: int) -> tuple[str | None, int | None, int | None]:
    """The place in a cursor: a debtor and up to two numbers. Raises Problem 422 for a cursor of another list."""
    if paging.after is None:
        return None, None, None
    debtor, *numbers = paging.after.split("/")
    if len(numbers) != parts - 1 or not all(number.isdecimal() and len(number) < 19 for number in numbers):  # noqa: PLR2004  # bigint
        raise malformed_cursor()
    return debtor, int(numbers[0]), int(numbers[-1])


async def list_refused(connection: Connection) -> list[RefusedView]:
    """How many treatments were refused because they came too late, by reason."""
    return [RefusedView.model_validate(row) for row in (await connection.execute(store.REFUSED)).all()]


async def place_hold(
    debtor_id: DebtorId, body: PlaceHold, desk: Commands, key: IdempotencyKey, staff: Staff, connection: Connection
) -> HoldAnswer:
    """Have outreach stand still for a debtor; what is queued is cancelled at once."""
    answer = await ask(desk, connection, debtor_id=debtor_id, name="place-hold", body=body, key=key, by=staff)
    placed = fact(answer, "outreach.hold-placed.v1")
    stopped = fact(answer, "outreach.plan-stopped.v1")
    return HoldAnswer(hold_id=placed["hold_id"], stopped_plan=stopped.get("plan_number"))


async def release_hold(
    debtor_id: DebtorId,
    hold_id: HoldId,
    body: ReleaseHold,
    desk: Commands,
    key: IdempotencyKey,
    staff: Staff,
    connection: Connection,
) -> HoldAnswer:
    """Lift a hold that people or outreach itself placed; a plan follows if nothing else stands against it."""
    wanted = commands.ReleaseHold(hold_id=hold_id, reason=body.reason)
    await ask(desk, connection, debtor_id=debtor_id, name="release-hold", body=wanted, key=key, by=staff)
    return HoldAnswer(hold_id=hold_id)
