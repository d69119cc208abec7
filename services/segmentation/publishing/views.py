"""How versions of strategies are shown: those of the files, and those of the register."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime

from pydantic import BaseModel, ConfigDict, Field

from services.segmentation.domain.playbook import Playbook
from services.segmentation.domain.strategy import Strategy
from services.segmentation.publishing.editions import Editions
from services.segmentation.publishing.store import State, Version
from services.segmentation.views import StepView, StrategyView, strategy_view
from shared.contracts.segmentation import StageSteps, StrategyScope, TreatmentStep


class VersionView(StrategyView):
    """One version, how it stands, and who did what with it; one of the files came with the software."""

    cases: StrategyScope = Field(description="Whom it concerns once in effect: cases that begin, or all.")
    state: str = Field(
        description="proposed, approved, effective, withdrawn; unusable where it contradicts the files of this release."
    )
    shipped: bool
    digest: str = Field(description="SHA-256 of the text, which an approval names; empty for a version of the files.")
    proposed_by: str
    proposed_at: datetime | None
    approved_by: str
    approved_at: datetime | None
    withdrawn_by: str
    withdrawn_at: datetime | None
    reason: str


class EntryView(BaseModel):
    """One step of a version's way."""

    model_config = ConfigDict(extra="forbid")

    step: str
    actor: str
    at: datetime
    digest: str
    reason: str


class VersionWithEntries(VersionView):
    """A version with all that was done with it, in order."""

    entries: list[EntryView]


def version_views(playbook: Playbook, versions: Sequence[Version], books: date) -> list[VersionView]:
    """All versions, by strategy and number, as of a business date; a number that the files have is of the files."""
    usable = Editions(playbook).with_documents(one.document for one in versions if one.state is State.APPROVED)
    shown = {(one.name, one.version): _of_files(one, books) for one in playbook.strategies}
    for one in versions:
        shown.setdefault((one.strategy, one.version), _of_register(one, _state(one, usable, books)))
    return [shown[key] for key in sorted(shown)]


def _state(version: Version, usable: Playbook, books: date) -> str:
    if version.state is not State.APPROVED:
        return version.state
    if usable.find(version.strategy, version.version) is None:
        return "unusable"
    return _reached(version.effective_from, books)


def _reached(effective_from: date, books: date) -> str:
    return "effective" if effective_from <= books else "approved"


def _of_files(strategy: Strategy, books: date) -> VersionView:
    return VersionView(
        **strategy_view(strategy).model_dump(),
        cases=StrategyScope.ALL if strategy.all_cases else StrategyScope.NEW,
        state=_reached(strategy.effective_from, books),
        shipped=True,
        digest="",
        proposed_by="",
        proposed_at=None,
        approved_by="",
        approved_at=None,
        withdrawn_by="",
        withdrawn_at=None,
        reason="",
    )


def _of_register(version: Version, state: str) -> VersionView:
    document = version.document
    return VersionView(
        id=document.id,
        version=document.version,
        effective_from=document.effective_from,
        source=document.source,
        stages={one.stage: _by_tier(one) for one in document.stages},
        cases=document.cases,
        state=state,
        shipped=False,
        digest=version.digest,
        proposed_by=version.proposed_by,
        proposed_at=version.proposed_at,
        approved_by=version.approved_by,
        approved_at=version.approved_at,
        withdrawn_by=version.withdrawn_by,
        withdrawn_at=version.withdrawn_at,
        reason=version.reason,
    )


def _by_tier(stage: StageSteps) -> dict[str, list[StepView]]:
    if stage.steps:
        return {"everybody": _steps(stage.steps)}
    return {"low": _steps(stage.low), "medium": _steps(stage.medium), "high": _steps(stage.high)}


def _steps(steps: Iterable[TreatmentStep]) -> list[StepView]:
    return [
        StepView(number=one.number, channel=one.channel, after_days=one.after_days, template=one.template)
        for one in steps
    ]
