"""Which course a case takes: the strategy of its arm, or none while the person is held out or has promised to pay."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from services.segmentation.domain.experiment import Arm, Experiment
from services.segmentation.domain.playbook import Playbook
from services.segmentation.domain.strategy import Step, Strategy
from services.segmentation.domain.tiers import Known, Tier, Tiers
from services.segmentation.handlers.position import Position, person_of
from services.segmentation.store import DebtorFile, Enrolment, HeldArm, Person
from shared.contracts.segmentation import Explanation
from shared.frozen import replace


@dataclass(frozen=True, slots=True)
class Course:
    """What is prescribed: the name and version under which it is told, its steps, and by which rule of which file."""

    strategy: str
    version: int
    steps: Sequence[Step]
    rule: str
    rule_version: str
    inputs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class HeldOut:
    """That a person is contacted by nobody before `until`."""

    experiment: Experiment
    arm: str
    until: date


def enrolled(playbook: Playbook, file: DebtorFile, position: Position) -> tuple[DebtorFile, Strategy | HeldOut]:
    """The debtor's own strategy, or that of their arm where they have none yet, or theirs is no longer kept."""
    held, on = file.enrolment, position.as_of
    kept = held and playbook.find(held.strategy, held.strategy_version)
    if kept:
        newer = playbook.successor(kept, on)
        return (file, kept) if newer is None else _given(file, newer, on)
    file = file if held else drawn(playbook, file, on)
    held_out = held_out_by(playbook, file, position)
    if held_out is not None:
        return file, held_out
    experiment, arm = _arm_on(playbook, file, on)
    named = arm.strategy if arm is not None else None
    return _given(file, playbook.newest(named or playbook.champion_on(on, experiment), on), on)


def _given(file: DebtorFile, strategy: Strategy, on: date) -> tuple[DebtorFile, Strategy]:
    return replace(file, enrolment=Enrolment(strategy.name, strategy.version, on)), strategy


def drawn(playbook: Playbook, file: DebtorFile, on: date) -> DebtorFile:
    """The file with an arm: the one held, unless the case begins under another experiment, or one by chance."""
    experiment = playbook.experiment_on(on)
    if experiment is None or (file.arm is not None and (file.assignment or file.arm.experiment == experiment.name)):
        return file
    place = experiment.place_of(file.debtor_id)
    arm = experiment.arm_at(place)
    why = Explanation(
        rule=f"{experiment.file}: {arm.name}",
        version=str(experiment.version),
        inputs={"place": str(place), **{f"share of {one.name}": str(one.share) for one in experiment.arms}},
    )
    return replace(file, arm=HeldArm(experiment.name, experiment.version, arm.name, on, why))


def _arm_on(playbook: Playbook, file: DebtorFile, on: date) -> tuple[Experiment | None, Arm | None]:
    """What the experiment of the person's arm says of it; None where it is no longer kept."""
    experiment = None if file.arm is None else playbook.experiment_on(on, file.arm.experiment)
    if experiment is None or file.arm is None:
        return None, None
    return experiment, experiment.arm(file.arm.arm)


def held_out_by(playbook: Playbook, file: DebtorFile, position: Position) -> HeldOut | None:
    """Until when nobody contacts the person, None where somebody may; a case that has a strategy keeps it."""
    experiment, arm = _arm_on(playbook, file, position.as_of)
    if file.enrolment is not None or experiment is None or arm is None or arm.strategy is not None:
        return None
    bound = experiment.bound
    until = bound.ends_on(position.oldest_due_on, position.copy.summary.opened_on) if bound else position.as_of
    return HeldOut(experiment, arm.name, until) if position.as_of < until else None


def paused_until(tiers: Tiers, person: Person, on: date) -> date | None:
    """The first date on which no promise pauses anything any more; None where none does."""
    if person.known.promises_broken >= tiers.pauses.until_broken:
        return None
    return max((each.ends_on for each in person.promises if on < each.ends_on), default=None)


def course_of(
    playbook: Playbook, file: DebtorFile, position: Position, found: Strategy | HeldOut, tier: Tier
) -> Course:
    """What is prescribed now."""
    if isinstance(found, HeldOut):
        return _held_out(found)
    until = paused_until(playbook.tiers, person_of(file), position.as_of)
    if until is not None:
        return _paused(playbook.tiers, found, until)
    return Course(
        strategy=found.label(position.stage.name, tier),
        version=found.version,
        steps=found.prescribes(position.stage.name, tier),
        rule=f"{found.file}: {position.stage.name}",
        rule_version=str(found.version),
        inputs={},
    )


def _held_out(found: HeldOut) -> Course:
    name, version = found.experiment.name, found.experiment.version
    rule, inputs = f"{found.experiment.file}: {found.arm}", {"no_contact_before": found.until.isoformat()}
    return Course(f"{name}:{found.arm}", version, (), rule, str(version), inputs)


def _paused(tiers: Tiers, found: Strategy, until: date) -> Course:
    inputs = {"promise_stands": "yes", "no_contact_before": until.isoformat()}
    return Course(f"{found.name}:promise", found.version, (), "tiers.yaml: pauses", tiers.version, inputs)


def next_review(playbook: Playbook, file: DebtorFile, position: Position) -> date | None:
    """The next date on which something other than the stage may change what applies; None where there is none."""
    tiers, person, on = playbook.tiers, person_of(file), position.as_of
    held_out = held_out_by(playbook, file, position)
    ends = [
        None if held_out is None else held_out.until,
        paused_until(tiers, person, on),
        tiers.next_day(position.oldest_due_on, on),
        tiers.said_until(person.known),
        None if person.override is None else person.override.until,
    ]
    return min((each for each in ends if each is not None and each > on), default=None)


def known_on(tiers: Tiers, person: Person, on: date) -> Known:
    """What still counts of what is known."""
    until = tiers.said_until(person.known)
    return person.known if until is None or on < until else person.known.forgotten()
