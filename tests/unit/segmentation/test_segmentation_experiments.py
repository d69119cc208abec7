"""Champion, challenger and hold-out: shares as data, an arm by person and by chance, and nobody who has one moves."""

import math
import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.segmentation.domain.experiment import WHOLE, Arm, Experiment
from services.segmentation.domain.playbook import Playbook
from services.segmentation.strategies import FOLDER, load_playbook
from shared.contracts import intake
from shared.data_files import WrongDataError
from tests.unit.segmentation.play import (
    DUE_ON,
    HOLD_OUT,
    LADDER,
    TIMETABLE,
    Play,
    case,
    ended,
    handlers,
    loan,
    opened,
    paid,
)

SHIPPED = (FOLDER / "experiments" / "s2_against_s3.yaml").read_text("utf-8")
PLAYBOOK = load_playbook()
(EXPERIMENT,) = PLAYBOOK.experiments
DEBTORS = [f"{number:032x}" for number in range(100_000)]
Z_999 = 3.2905
"""The two-sided 99.9 % quantile of the normal distribution, which 100,000 draws follow closely."""


def within(count: int, of: int, share: int) -> bool:
    """Whether a count lies in the 99.9 % interval of so many draws with that share."""
    p = share / WHOLE
    return abs(count - of * p) <= Z_999 * math.sqrt(of * p * (1 - p)) + 0.5


# -- chance ----------------------------------------------------------------------------------------------------------


def test_of_100_000_debtors_every_arm_gets_its_share() -> None:
    arms = [EXPERIMENT.arm_at(EXPERIMENT.place_of(debtor)).name for debtor in DEBTORS]
    assert {arm.name: within(arms.count(arm.name), len(arms), arm.share) for arm in EXPERIMENT.arms} == {
        "ladder": True,
        "timetable": True,
        "hold_out": True,
    }


def test_a_share_that_is_off_by_a_hundredth_would_be_seen() -> None:
    arms = [EXPERIMENT.arm_at(EXPERIMENT.place_of(debtor)).name for debtor in DEBTORS]
    assert not within(arms.count("ladder"), len(arms), 6600)


@pytest.mark.parametrize(
    ("place", "arm"),
    [(0, "ladder"), (6499, "ladder"), (6500, "timetable"), (9499, "timetable"), (9500, "hold_out"), (9999, "hold_out")],
)
def test_an_arm_holds_just_the_places_of_its_share(place: int, arm: str) -> None:
    assert EXPERIMENT.arm_at(place).name == arm


def test_an_arm_without_a_share_is_given_to_nobody() -> None:
    closed = next_version(0, 10_000, 0)
    assert {closed.arm_at(place).name for place in (0, 1, 9999)} == {"timetable"}


def test_a_hold_out_whose_case_has_a_strategy_that_is_no_longer_kept_is_not_held_out_again() -> None:
    play = opened(18, debtor_id=HOLD_OUT)
    newer = replace(PLAYBOOK.strategies[0], version=2)
    play.handlers = handlers(replace(PLAYBOOK, strategies=(newer, PLAYBOOK.strategies[1])))
    play.hears(paid(case(18, oldest=DUE_ON + timedelta(10))), 2)
    assert (play.treatment.strategy, play.treatment.strategy_version) == ("s2_ladder", 2)


def test_another_experiment_draws_anew() -> None:
    other = replace(EXPERIMENT, name="another")
    both = sum(
        EXPERIMENT.arm_at(EXPERIMENT.place_of(debtor)) == EXPERIMENT.arms[1]
        and other.arm_at(other.place_of(debtor)) == EXPERIMENT.arms[1]
        for debtor in DEBTORS
    )
    assert within(both, len(DEBTORS), 900), "3000 of 3000: the two draws have nothing to do with each other"


def test_the_loans_of_a_person_have_one_arm_whatever_comes_to_light() -> None:
    play = opened(8, debtor_id=TIMETABLE)
    more = tuple(loan(f"L{number}") for number in range(3))
    play.hears(intake.CaseUpdated(case=case(9, loans=more)), 2)
    play.hears(paid(case(10)), 3)
    assert (play.treatment.arm, play.treatment.strategy) == ("timetable", "s3_timetable:low")


# -- who has an arm keeps it -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("debtor", "arm", "strategy"),
    [
        pytest.param(LADDER, "ladder", "s2_ladder", id="champion"),
        pytest.param(TIMETABLE, "timetable", "s3_timetable:low", id="challenger"),
        pytest.param(HOLD_OUT, "hold_out", "s2_against_s3:hold_out", id="hold-out"),
    ],
)
def test_the_treatment_says_which_arm_of_which_version_it_comes_from(debtor: str, arm: str, strategy: str) -> None:
    told = opened(8, debtor_id=debtor).treatment
    assert (told.experiment, told.experiment_version, told.arm) == ("s2_against_s3", 1, arm)
    assert told.strategy == strategy


@pytest.mark.parametrize("debtor", [LADDER, TIMETABLE, HOLD_OUT])
def test_an_arm_survives_the_closing_and_reopening_of_the_case(debtor: str) -> None:
    play = opened(8, debtor_id=debtor)
    before = play.file.arm
    play.hears(intake.CaseClosed(case=ended(9)), 2)
    assert (play.file.arm, play.file.enrolment) == (before, None)
    play.hears(intake.CaseReopened(case=case(60, oldest=DUE_ON + timedelta(52))), 3)
    assert play.file.arm == before
    assert before is not None
    assert play.treatment.arm == before.arm


def test_a_case_that_had_a_strategy_before_there_was_an_experiment_keeps_it_until_it_is_closed() -> None:
    alone = replace(PLAYBOOK, strategies=PLAYBOOK.strategies[:1], experiments=())
    play = opened(8, alone, TIMETABLE)
    assert (play.treatment.strategy, play.treatment.experiment, play.treatment.arm) == ("s2_ladder", "", "")
    play.handlers = handlers()
    play.hears(paid(case(9)), 2)
    assert (play.treatment.strategy, play.treatment.arm) == ("s2_ladder", "")
    play.hears(intake.CaseClosed(case=ended(10)), 3)
    play.hears(intake.CaseReopened(case=case(60, oldest=DUE_ON + timedelta(52))), 4)
    assert (play.treatment.strategy, play.treatment.arm) == ("s3_timetable:low", "timetable")


def with_next(experiment: Experiment) -> Playbook:
    return replace(PLAYBOOK, experiments=(EXPERIMENT, experiment))


def next_version(*shares: int) -> Experiment:
    """Version 2, in effect from the tenth day past due of the plays on, with other shares."""
    arms = tuple(replace(arm, share=share) for arm, share in zip(EXPERIMENT.arms, shares, strict=True))
    on = DUE_ON + timedelta(10)
    return replace(EXPERIMENT, version=2, effective_from=on, arms=arms, file="s2_against_s3_2.yaml")


@st.composite
def three_shares(draw: st.DrawFn) -> tuple[int, int, int]:
    """Shares that add up, each as small as nothing."""
    low, high = sorted((draw(st.integers(0, WHOLE)), draw(st.integers(0, WHOLE))))
    return low, high - low, WHOLE - high


@given(three_shares(), st.integers(0, 10**6))
def test_nobody_who_has_an_arm_moves_when_the_shares_change_and_who_has_none_gets_the_new_ones(
    shares: tuple[int, int, int], start: int
) -> None:
    playbook = with_next(next_version(*shares))
    ends = (shares[0], shares[0] + shares[1], WHOLE)
    for debtor in (f"p{start + number}" for number in range(20)):
        old = opened(8, playbook, debtor)
        first = old.file.arm
        old.hears(intake.CaseClosed(case=ended(11)), 2)
        old.hears(intake.CaseReopened(case=case(60, oldest=DUE_ON + timedelta(52))), 3)
        assert old.file.arm == first
        new = opened(12, playbook, debtor).file.arm
        assert new is not None
        place = EXPERIMENT.place_of(debtor)
        expected = next(arm.name for arm, end in zip(EXPERIMENT.arms, ends, strict=True) if place < end)
        assert (new.experiment_version, new.arm) == (2, expected)


def test_when_the_hold_out_is_closed_to_new_persons_those_in_it_stay() -> None:
    play = opened(8, with_next(next_version(7000, 3000, 0)), HOLD_OUT)
    assert play.day(12) == []
    play.hears(paid(case(12)), 2)
    assert (play.treatment.arm, play.treatment.steps) == ("hold_out", ())


def test_another_experiment_assigns_whoever_begins_a_case_anew() -> None:
    other = replace(EXPERIMENT, name="another", effective_from=DUE_ON + timedelta(10), file="another.yaml")
    play = opened(8, with_next(other), HOLD_OUT)
    play.hears(paid(case(12)), 2)
    assert play.treatment.experiment == "s2_against_s3"
    play.hears(intake.CaseClosed(case=ended(13)), 3)
    play.hears(intake.CaseReopened(case=case(60, oldest=DUE_ON + timedelta(52))), 4)
    assert play.treatment.experiment == "another"


# -- the hold-out ----------------------------------------------------------------------------------------------------


def test_the_hold_out_has_no_steps_says_why_and_ends_with_the_champion() -> None:
    play = opened(3, debtor_id=HOLD_OUT)
    why = play.treatment.explanation
    assert (play.treatment.steps, why.rule, why.version) == ((), "s2_against_s3.yaml: hold_out", "1")
    assert why.inputs["no_contact_before"] == (DUE_ON + timedelta(18)).isoformat()
    assert play.day(6) == ["segmented REMIND > EARLY v1", "treatment EARLY v1 without steps"]
    assert play.day(17) == []
    assert play.day(18) == ["segmented EARLY > INTENSIVE v1", "treatment INTENSIVE v1"]
    assert (play.treatment.strategy, play.treatment.arm) == ("s2_ladder", "hold_out")


def test_the_hold_out_ends_by_the_days_since_opening_where_the_case_grows_no_older() -> None:
    play = opened(3, debtor_id=HOLD_OUT)
    assert play.hears(paid(case(4, oldest=DUE_ON + timedelta(20))), 2) == []
    assert play.day(21) == ["segmented - > REMIND v2", "tier - > low", "treatment REMIND v2 without steps"]
    assert play.day(22) == ["treatment REMIND v2"]
    assert play.treatment.explanation.inputs["because"] == "review due"


def test_who_was_held_out_in_a_case_is_not_held_out_again_in_it() -> None:
    play = opened(3, debtor_id=HOLD_OUT)
    play.day(18)
    play.hears(paid(case(18, oldest=DUE_ON + timedelta(12))), 2)
    assert (play.treatment.stage, play.treatment.strategy) == ("EARLY", "s2_ladder")


def test_a_case_that_comes_too_late_for_the_hold_out_gets_the_champion_and_counts_in_its_arm() -> None:
    told = opened(40, debtor_id=HOLD_OUT).treatment
    assert (told.strategy, told.arm, bool(told.steps)) == ("s2_ladder", "hold_out", True)


def test_a_lifted_hold_contacts_nobody_in_the_hold_out() -> None:
    play = Play(debtor_id=HOLD_OUT)
    play.day(8)
    play.hears(intake.CaseOpened(case=case(8)), 1)
    for version, stop in enumerate((paid(case(9)), intake.CaseReopened(case=case(9))), 2):
        play.hears(stop, version)
        assert play.treatment.steps == ()


# -- data that contradicts itself ------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped data, to be spoilt."""
    for name in ("stages.yaml", "tiers.yaml", "steps.yaml"):
        shutil.copy(FOLDER / name, tmp_path)
    for name in ("strategies", "experiments"):
        shutil.copytree(FOLDER / name, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        pytest.param(
            "share: 6500", "share: 6499", "arms: the shares add up to 9999 basis points instead of 10000",
            id="shares that do not add up",
        ),
        pytest.param("share: 500", "share: -500", "hold_out: share is below 0", id="a share below nothing"),
        pytest.param("name: ladder", "name: timetable", "arms: a name occurs more than once", id="an arm twice"),
        pytest.param(
            "champion: ladder", "champion: hold_out", "champion: hold_out is not an arm with a strategy",
            id="a champion that contacts nobody",
        ),
        pytest.param(
            "strategy: s3_timetable, ", "", "arms: hold_out is a second hold-out", id="two hold-outs"
        ),
        pytest.param(
            "hold_out: {", "# {", "hold_out: a hold-out and its bound need each other", id="a hold-out without an end"
        ),
        pytest.param(
            "strategy: s3_timetable", "strategy: s4", "timetable: there is no strategy s4", id="an unknown strategy"
        ),
        pytest.param(
            "share: 500 }", "share: 500, lenders: all }", "Object contains unknown field `lenders` - at `$.arms[2]`",
            id="a field that nobody knows",
        ),
    ],
)  # fmt: skip
def test_a_wrong_experiment_is_refused_in_one_line(folder: Path, old: str, new: str, line: str) -> None:
    assert old in SHIPPED
    (folder / "experiments" / "s2_against_s3.yaml").write_text(SHIPPED.replace(old, new, 1), "utf-8")
    with pytest.raises(WrongDataError) as refused:
        load_playbook(folder)
    assert str(refused.value) == f"s2_against_s3.yaml: {line}"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        pytest.param({"version: 1": "version: 2"}, "takes effect on the same day as s2_against_s3.yaml", id="same day"),
        pytest.param({"2000-01-01": "2026-01-01"}, "version 1 takes effect after version 1", id="the same version"),
        pytest.param(
            {"2000-01-01": "2026-01-01", "version: 1": "version: 2", "name: timetable": "name: calendar"},
            "timetable: an arm that persons have must stay as it is",
            id="an arm that is gone",
        ),
        pytest.param(
            {"2000-01-01": "2026-01-01", "version: 1": "version: 2", "strategy: s3_timetable": "strategy: s2_ladder"},
            "timetable: an arm that persons have must stay as it is",
            id="an arm that means something else",
        ),
    ],
)
def test_a_version_that_would_move_persons_is_refused(folder: Path, changes: dict[str, str], line: str) -> None:
    text = SHIPPED
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new, 1)
    (folder / "experiments" / "z2.yaml").write_text(text, "utf-8")
    with pytest.raises(WrongDataError) as refused:
        load_playbook(folder)
    assert str(refused.value) == f"z2.yaml: {line}"


def test_before_any_experiment_takes_effect_the_first_one_applies() -> None:
    assert PLAYBOOK.experiment_on(date(1999, 1, 1)) == EXPERIMENT
    assert EXPERIMENT.arm("hold_out") == Arm("hold_out", None, 500)
