"""What segmentation holds about a debtor, and the data by which it decides, over HTTP."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict

from services.segmentation import store
from services.segmentation.domain import Ladder, Playbook, Strategy
from shared.http.auth import Role, require
from shared.http.database import Connection
from shared.http.paging import Page, Paging
from shared.http.problems import Problem

DebtorId = Annotated[
    str, Path(min_length=1, max_length=128, pattern="^[0-9A-Za-z_.-]+$", description="The debtor's pseudonym.")
]


class _View(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ExplanationView(_View):
    """Why: the rule that decided, the version of its file, and what it saw."""

    rule: str
    version: str
    inputs: dict[str, str]


class DebtorView(_View):
    """Where a debtor's case stands; without a stage while it is not open. `decided_for` is a case version."""

    debtor_id: str
    lender_id: str
    case_id: str
    case_version: int
    status: str
    oldest_due_on: date | None
    stage: str | None
    entered_on: date | None
    next_stage_on: date | None
    strategy: str | None
    strategy_version: int | None
    enrolled_on: date | None
    decided_for: int | None
    decided_on: date | None
    explanation: ExplanationView | None


class StageView(_View):
    """A range of days past due, both ends included; `last_day` is null where it has no end."""

    name: str
    first_day: int
    last_day: int | None


class LadderView(_View):
    """The collection stages in force."""

    version: str
    source: str
    stages: list[StageView]


class StepView(_View):
    """One action, `after_days` calendar days after the plan starts."""

    number: int
    channel: str
    after_days: int
    template: str


class StrategyView(_View):
    """One version of a strategy, and what it prescribes by stage."""

    id: str
    version: int
    effective_from: date
    source: str
    stages: dict[str, list[StepView]]


def routes(playbook: Playbook) -> APIRouter:
    """The routes, for operators and supervisors."""
    router = APIRouter(
        prefix="/v1", tags=["segmentation"], dependencies=[Depends(require(Role.OPERATOR, Role.SUPERVISOR))]
    )
    names = [stage.name for stage in playbook.ladder.stages]

    @router.get("/debtors/{debtor_id}")
    async def read_debtor(debtor_id: DebtorId, connection: Connection) -> DebtorView:
        """What is held about a debtor, with the explanation of the treatment that applies."""
        found = await store.find_debtor(connection, debtor_id)
        if found is None:
            raise Problem(404, "No such debtor", "Segmentation has not heard of a case of this debtor.")
        return DebtorView.model_validate(dict(found))

    @router.get("/debtors")
    async def list_debtors(
        connection: Connection,
        paging: Paging,
        stage: Annotated[str | None, Query(max_length=64, json_schema_extra={"enum": list(names)})] = None,
    ) -> Page[DebtorView]:
        """All debtors in order of their id, or those in one stage."""
        if stage is not None and stage not in names:
            raise Problem(422, "No such stage", f"The stages are {', '.join(names)}.", field="stage")
        rows = await store.list_debtors(connection, stage=stage, after=paging.after or "", limit=paging.limit)
        items = [DebtorView.model_validate(dict(row)) for row in rows]
        return Page(items=items, next=paging.cursor(items[-1].debtor_id if items else None, len(items)))

    @router.get("/strategies")
    async def list_strategies() -> list[StrategyView]:
        """Every version of the strategy that cases may hold; new cases get the newest in effect."""
        return [_strategy_view(strategy) for strategy in playbook.strategies]

    @router.get("/stages")
    async def read_stages() -> LadderView:
        """The collection stages in force."""
        return _ladder_view(playbook.ladder)

    return router


def _ladder_view(ladder: Ladder) -> LadderView:
    stages = [StageView(name=one.name, first_day=one.first_day, last_day=one.last_day) for one in ladder.stages]
    return LadderView(version=ladder.version, source=ladder.source, stages=stages)


def _strategy_view(strategy: Strategy) -> StrategyView:
    stages = {
        stage: [
            StepView(number=one.number, channel=one.channel, after_days=one.after_days, template=one.template)
            for one in steps
        ]
        for stage, steps in strategy.steps.items()
    }
    return StrategyView(
        id=strategy.name,
        version=strategy.version,
        effective_from=strategy.effective_from,
        source=strategy.source,
        stages=stages,
    )
