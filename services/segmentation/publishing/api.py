"""Strategies over HTTP: what there is, and what staff propose, approve and withdraw."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy.ext.asyncio import AsyncConnection

from services.segmentation.domain.playbook import Playbook
from services.segmentation.publishing import store
from services.segmentation.publishing.store import REGISTER, State
from services.segmentation.publishing.views import EntryView, VersionView, VersionWithEntries, version_views
from services.segmentation.strategies import strategy_of
from shared.contracts.reasons import REASON_LENGTH, REASON_PATTERN
from shared.contracts.segmentation import Channel, StrategyDocument, StrategyScope
from shared.data_files import WrongDataError
from shared.http.auth import Principal, Role, require
from shared.http.commands import CommandDesk, Commands, IdempotencyKey
from shared.http.database import Connection
from shared.http.inputs import NO_NUL, IsoDate
from shared.http.problems import Problem

Staff = Annotated[Principal, Depends(require(Role.OPERATOR, Role.SUPERVISOR))]
Supervisor = Annotated[Principal, Depends(require(Role.SUPERVISOR))]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=REASON_LENGTH, pattern=REASON_PATTERN)]
Id = Annotated[str, StringConstraints(max_length=64, pattern="^[a-z][a-z0-9_]*$")]
Text = Annotated[str, StringConstraints(max_length=64, pattern=NO_NUL)]
Strategy = Annotated[str, Path(max_length=64, pattern="^[a-z][a-z0-9_]*$", description="The strategy's id.")]
Number = Annotated[int, Path(ge=1, le=10**6, description="The version.")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class StepProposal(_Body):
    """One action, `after_days` calendar days after the plan starts."""

    number: int = Field(ge=1, le=20)
    channel: Channel
    after_days: int = Field(ge=-1000, le=1000)
    template: Text = ""


Steps = Annotated[list[StepProposal], Field(max_length=20)]


class StageProposal(_Body):
    """What is done in a stage: `steps` for everybody, or steps for each of the tiers."""

    stage: Text
    steps: Steps = []
    low: Steps = []
    medium: Steps = []
    high: Steps = []


class StrategyProposal(_Body):
    """The next version of a strategy, in the form of a file; in effect from a business date on.

    cases: "new" for cases that begin from then on; "all" for those that are open too, at the next decision about each.
    """

    id: Id
    version: int = Field(ge=1, le=10**6)
    effective_from: IsoDate
    source: str = Field(min_length=1, max_length=500, pattern=NO_NUL)
    cases: StrategyScope
    stages: list[StageProposal] = Field(max_length=20)


class Approval(_Body):
    """Which text was read: the digest that is shown with the version."""

    digest: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]


class Withdrawal(_Body):
    """Why, in plain words without digits."""

    reason: Reason


class VersionAnswer(_Body):
    """What became of a version."""

    id: str
    version: int
    state: str
    digest: str | None


def add_routes(router: APIRouter, playbook: Playbook) -> None:
    """Add what concerns strategies."""
    _add_reading(router, playbook)
    _add_proposing(router, playbook)
    _add_deciding(router, playbook)


def _add_reading(router: APIRouter, playbook: Playbook) -> None:
    @router.get("/strategies")
    async def list_strategies(connection: Connection) -> list[VersionView]:
        """Every version of every strategy: of the files, and proposed since, with who did what with it and when."""
        return await _shown(connection, playbook)

    @router.get("/strategies/{strategy}/{version}")
    async def read_strategy(strategy: Strategy, version: Number, connection: Connection) -> VersionWithEntries:
        """One version of a strategy, with all that was done with it."""
        found = await _found(connection, playbook, strategy, version)
        entries = await store.list_entries(connection, strategy, version)
        views = [EntryView.model_validate(dict(entry)) for entry in entries]
        return VersionWithEntries(**found.model_dump(), entries=[] if found.shipped else views)


def _add_proposing(router: APIRouter, playbook: Playbook) -> None:
    @router.post("/strategies", status_code=201)
    async def propose_strategy(
        body: StrategyProposal, desk: Commands, key: IdempotencyKey, staff: Staff
    ) -> VersionAnswer:
        """Propose the next version of a strategy; nothing goes by it until a second person has approved it."""
        document = msgspec.convert(body.model_dump(mode="json"), StrategyDocument)
        try:
            strategy_of(document, playbook)
        except WrongDataError as error:
            raise Problem(409, "Refused", str(error), field="stages") from None
        fact = await _submit(desk, key, staff, "propose-strategy", {"strategy": msgspec.to_builtins(document)})
        return VersionAnswer(id=body.id, version=body.version, state=State.PROPOSED, digest=fact["digest"])


def _add_deciding(router: APIRouter, playbook: Playbook) -> None:
    @router.post("/strategies/{strategy}/{version}/approve")
    async def approve_strategy(
        strategy: Strategy, version: Number, body: Approval, desk: Commands, key: IdempotencyKey, staff: Supervisor,
        connection: Connection,
    ) -> VersionAnswer:  # fmt: skip
        """Have a version take effect on its date; whoever proposed it may not, a second person must."""
        await _close_unless_unknown(connection, playbook, strategy, version)
        command = {"strategy": strategy, "version": version, "digest": body.digest}
        fact = await _submit(desk, key, staff, "approve-strategy", command)
        return VersionAnswer(id=strategy, version=version, state=State.APPROVED, digest=fact["digest"])

    @router.post("/strategies/{strategy}/{version}/withdraw")
    async def withdraw_strategy(
        strategy: Strategy, version: Number, body: Withdrawal, desk: Commands, key: IdempotencyKey, staff: Staff,
        connection: Connection,
    ) -> VersionAnswer:  # fmt: skip
        """Take a version back that has not taken effect; its number is not used again."""
        await _close_unless_unknown(connection, playbook, strategy, version)
        command = {"strategy": strategy, "version": version, "reason": body.reason}
        await _submit(desk, key, staff, "withdraw-strategy", command)
        return VersionAnswer(id=strategy, version=version, state=State.WITHDRAWN, digest=None)


async def _shown(connection: AsyncConnection, playbook: Playbook) -> list[VersionView]:
    versions = await store.list_versions(connection)
    return version_views(playbook, versions, await store.books_stand_on(connection))


async def _found(connection: AsyncConnection, playbook: Playbook, strategy: str, version: int) -> VersionView:
    """A version as it is shown. Raises Problem 404."""
    for one in await _shown(connection, playbook):
        if (one.id, one.version) == (strategy, version):
            return one
    raise Problem(404, "No such version", "Neither do the files have it, nor was it ever proposed.")


async def _close_unless_unknown(connection: AsyncConnection, playbook: Playbook, strategy: str, version: int) -> None:
    """Raise Problem 404 where there is no such version; the connection goes back, since the desk waits on that pool."""
    try:
        await _found(connection, playbook, strategy, version)
    finally:
        await connection.close()


async def _submit(
    desk: CommandDesk, key: str, staff: Principal, name: str, body: Mapping[str, Any]
) -> Mapping[str, Any]:
    """What the register told of a command, which is the same on every lane."""
    answer = await desk.submit(
        kind="publisher", number=0, owner=REGISTER, name=name, body=body, key=key, principal=staff
    )
    return dict(answer["facts"][0]["data"])
