"""Reads the ladder and the strategies from their files, and refuses what contradicts itself."""

from collections import Counter
from datetime import date
from pathlib import Path

from services.segmentation.domain import ContradictionError, Ladder, Playbook, Stage, Step, Strategy, check_strategy
from shared.contracts.segmentation import TreatmentStep
from shared.data_files import Form, WrongDataError, read

FOLDER = Path(__file__).parent


class _StageForm(Form, frozen=True, rename={"first_day": "from", "last_day": "to"}):
    name: str
    first_day: int
    last_day: int | None = None


class _LadderForm(Form, frozen=True):
    version: str
    source: str
    stages: tuple[_StageForm, ...]


class _StepForm(TreatmentStep, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class _StageStepsForm(Form, frozen=True):
    stage: str
    steps: tuple[_StepForm, ...]


class _StrategyForm(Form, frozen=True):
    id: str
    version: int
    effective_from: date
    source: str
    stages: tuple[_StageStepsForm, ...]


def load_playbook(folder: Path = FOLDER) -> Playbook:
    """The ladder in `stages.yaml` and all in `strategies/`. Raises WrongDataError, one line that names the file."""
    ladder = load_ladder(folder / "stages.yaml")
    strategies = [load_strategy(file, ladder) for file in sorted((folder / "strategies").glob("*.yaml"))]
    try:
        return Playbook(ladder, tuple(strategies))
    except ContradictionError as error:
        raise WrongDataError(str(error)) from None


def load_ladder(file: Path) -> Ladder:
    """The ladder in a file. Raises WrongDataError, one line with the file and the range."""
    form = read(file, _LadderForm)
    try:
        return Ladder(
            form.version, form.source, tuple(Stage(one.name, one.first_day, one.last_day) for one in form.stages)
        )
    except ContradictionError as error:
        raise WrongDataError(f"{file.name}: {error}") from None


def load_strategy(file: Path, ladder: Ladder) -> Strategy:
    """The strategy in a file. Raises WrongDataError, one line with the file, the stage and the step."""
    form = read(file, _StrategyForm)
    try:
        strategy = _strategy(form, file.name)
        check_strategy(strategy, ladder)
    except ContradictionError as error:
        raise WrongDataError(f"{file.name}: {error}") from None
    return strategy


def _strategy(form: _StrategyForm, file: str) -> Strategy:
    twice = [name for name, count in Counter(one.stage for one in form.stages).items() if count > 1]
    if twice:
        raise ContradictionError(f"{twice[0]}: the stage occurs more than once")
    steps = {one.stage: tuple(map(_step, one.steps)) for one in form.stages}
    return Strategy(form.id, form.version, form.effective_from, form.source, steps, file)


def _step(form: _StepForm) -> Step:
    return Step(form.number, form.channel, form.after_days, form.template)
