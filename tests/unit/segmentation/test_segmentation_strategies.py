"""Strategies as data: the ladder of source S2 and the timetable of S3; what contradicts itself is refused."""

import shutil
from datetime import date
from pathlib import Path

import pytest

from services.segmentation.domain.ladder import Ladder
from services.segmentation.domain.strategy import Strategy
from services.segmentation.domain.tiers import Tier
from services.segmentation.strategies import FOLDER, load_playbook
from shared.contracts.segmentation import Channel
from shared.data_files import WrongDataError

SHIPPED = (FOLDER / "strategies" / "s2_ladder.yaml").read_text("utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped data, to be spoilt."""
    shutil.copy(FOLDER / "stages.yaml", tmp_path)
    shutil.copy(FOLDER / "tiers.yaml", tmp_path)
    shutil.copy(FOLDER / "steps.yaml", tmp_path)
    for name in ("strategies", "experiments"):
        shutil.copytree(FOLDER / name, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize(
    ("stage", "ladder"),
    [
        pytest.param("REMIND", [("sms", 0), ("phone", 3)], id="REMIND: a first contact by day 5 past due"),
        pytest.param("EARLY", [("phone", 0), ("sms", 5)], id="EARLY: phone first"),
        pytest.param("INTENSIVE", [("phone", 0), ("letter", 2), ("email", 7)], id="INTENSIVE: phone, letter, e-mail"),
        pytest.param(
            "PRE_LEGAL", [("letter", 0), ("visit", 10), ("legal_referral", 25)], id="PRE_LEGAL: referral by day 56"
        ),
        pytest.param("LEGAL_OR_PLAN", [("legal_referral", 0), ("visit", 7)], id="LEGAL_OR_PLAN: referral, or a visit"),
        pytest.param("NPL", [("legal_referral", 0), ("letter", 7)], id="NPL: referral and letter"),
    ],
)
def test_the_ladder_of_s2(stage: str, ladder: list[tuple[str, int]]) -> None:
    (strategy,) = [one for one in load_playbook().strategies if one.name == "s2_ladder"]
    for tier in Tier:
        steps = strategy.prescribes(stage, tier)
        assert [(str(step.channel), step.after_days) for step in steps] == ladder
        assert strategy.label(stage, tier) == "s2_ladder"


def timetable() -> tuple[Ladder, Strategy]:
    playbook = load_playbook()
    return playbook.ladder, next(one for one in playbook.strategies if one.name == "s3_timetable")


def reached(channels: set[str], tier: Tier, *, templates: str = "") -> int:
    """The first day past due on which the timetable does that for a case that goes through every stage."""
    ladder, strategy = timetable()
    return min(
        stage.first_day + step.after_days
        for stage in ladder.stages
        for step in strategy.prescribes(stage.name, tier)
        if step.channel in channels and step.template.startswith(templates)
    )


def channels(tier: Tier, *, until: int) -> set[str]:
    """All channels that the timetable uses for a tier in stages that begin by that day past due."""
    ladder, strategy = timetable()
    stages = [stage.name for stage in ladder.stages if stage.first_day <= until]
    return {str(step.channel) for stage in stages for step in strategy.prescribes(stage, tier)}


@pytest.mark.parametrize("tier", list(Tier))
def test_the_timetable_of_s3_makes_a_first_contact_by_day_5_by_phone_or_sms(tier: Tier) -> None:
    assert reached({"sms", "phone"}, tier) <= 5
    assert reached(set(Channel), tier) == reached({"sms", "phone"}, tier)


@pytest.mark.parametrize("tier", list(Tier))
def test_the_timetable_offers_an_interview_early_enough_for_day_30(tier: Tier) -> None:
    assert reached({"phone"}, tier, templates="interview_offer") <= 20
    if tier is not Tier.LOW:
        assert reached({"visit"}, tier, templates="interview_as_agreed") <= 30


@pytest.mark.parametrize(
    ("tier", "day"),
    [
        pytest.param(Tier.MEDIUM, 55, id="medium: after advice and a plan"),
        pytest.param(Tier.HIGH, 45, id="high: with evidence, a fortnight after the notice"),
    ],
)
def test_the_timetable_asks_for_the_legal_decision_before_day_60(tier: Tier, day: int) -> None:
    assert reached({"legal_referral"}, tier) == day


def test_the_timetable_refers_nobody_with_a_temporary_cause_before_day_61() -> None:
    assert channels(Tier.LOW, until=31) == {"sms", "phone", "email"}
    assert reached({"legal_referral"}, Tier.LOW) > 60


def test_the_timetable_sends_the_legal_notice_to_those_alone_who_do_not_cooperate() -> None:
    ladder, strategy = timetable()
    noticed = {
        tier
        for tier in Tier
        for stage in ladder.stages
        for step in strategy.prescribes(stage.name, tier)
        if step.template == "legal_notice"
    }
    assert noticed == {Tier.HIGH}


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        pytest.param(
            "channel: email",
            "channel: fax",
            "Invalid enum value 'fax' - at `$.stages[2].steps[2].channel`",
            id="a channel that nobody knows",
        ),
        pytest.param(
            "number: 2, channel: phone, after_days: 3",
            "number: 3, channel: phone, after_days: 3",
            "REMIND: steps must be numbered 1 to 2 in order",
            id="a number left out",
        ),
        pytest.param(
            "channel: visit, after_days: 10",
            "channel: visit, after_days: 26",
            "PRE_LEGAL step 3: after_days is below that of the step before",
            id="days that go back",
        ),
        pytest.param(
            "channel: sms, after_days: 0",
            "channel: sms, after_days: -1",
            "REMIND step 1: after_days is below 0",
            id="a step before the plan starts",
        ),
        pytest.param(
            "channel: legal_referral, after_days: 25",
            "channel: legal_referral, after_days: 30",
            "PRE_LEGAL step 3: after_days reaches beyond the stage (PRE_LEGAL 31 to 60)",
            id="a step that the stage never reaches",
        ),
        pytest.param("stage: NPL", "stage: LATE", "LATE: the ladder has no such stage", id="a stage that is not there"),
        pytest.param("stage: NPL", "stage: EARLY", "EARLY: the stage occurs more than once", id="a stage twice"),
        pytest.param(
            "effective_from: 2000-01-01",
            "effective_from: soon",
            "Invalid RFC3339 encoded date - at `$.effective_from`",
            id="a date that is none",
        ),
    ],
)
def test_a_wrong_strategy_is_refused_in_one_line_that_names_file_and_place(
    folder: Path, old: str, new: str, line: str
) -> None:
    assert old in SHIPPED
    (folder / "strategies" / "s2_ladder.yaml").write_text(SHIPPED.replace(old, new, 1), "utf-8")
    with pytest.raises(WrongDataError) as refused:
        load_playbook(folder)
    assert str(refused.value) == f"s2_ladder.yaml: {line}"


TIMETABLE = (FOLDER / "strategies" / "s3_timetable.yaml").read_text("utf-8")


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        pytest.param(
            "    low:\n", "    steps:\n", "EARLY: steps are either for everybody or by tier", id="both at once"
        ),
        pytest.param(
            "channel: phone, after_days: 2, template: plan_call",
            "channel: phone, after_days: 9, template: plan_call",
            "EARLY low step 2: after_days is below that of the step before",
            id="days that go back, in one tier",
        ),
    ],
)
def test_a_wrong_tier_of_a_strategy_is_refused_with_its_name(folder: Path, old: str, new: str, line: str) -> None:
    (folder / "strategies" / "s3_timetable.yaml").write_text(TIMETABLE.replace(old, new, 1), "utf-8")
    with pytest.raises(WrongDataError) as refused:
        load_playbook(folder)
    assert str(refused.value) == f"s3_timetable.yaml: {line}"


def test_a_tier_that_is_left_out_is_refused(folder: Path) -> None:
    start, end = TIMETABLE.index("    low:\n"), TIMETABLE.index("    medium:\n")
    (folder / "strategies" / "s3_timetable.yaml").write_text(TIMETABLE[:start] + TIMETABLE[end:], "utf-8")
    with pytest.raises(WrongDataError) as refused:
        load_playbook(folder)
    assert str(refused.value) == "s3_timetable.yaml: EARLY low: the stage has no steps"


def test_a_stage_without_steps_is_refused(folder: Path) -> None:
    (folder / "strategies" / "s2_ladder.yaml").write_text(SHIPPED[: SHIPPED.index("  - stage: NPL")], "utf-8")
    with pytest.raises(WrongDataError) as refused:
        load_playbook(folder)
    assert str(refused.value) == "s2_ladder.yaml: NPL: the stage has no steps"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        pytest.param(
            {"effective_from: 2000-01-01": "effective_from: 2026-03-01"},
            "s2_ladder_2.yaml: version 1 occurs more than once (also in s2_ladder.yaml)",
            id="one version in two files",
        ),
        pytest.param(
            {"version: 1": "version: 2"},
            "s2_ladder_2.yaml: version 2 takes effect no later than version 1",
            id="a newer version that is not in effect later",
        ),
        pytest.param(
            {"id: s2_ladder": "id: zz_other"},
            "s2_ladder_2.yaml: zz_other beside s2_ladder: no experiment chooses between them",
            id="two strategies, and nothing to choose between them",
        ),
    ],
)
def test_versions_that_contradict_each_other_are_refused(folder: Path, changes: dict[str, str], line: str) -> None:
    text = SHIPPED
    for old, new in changes.items():
        text = text.replace(old, new, 1)
    (folder / "strategies" / "s2_ladder_2.yaml").write_text(text, "utf-8")
    (folder / "strategies" / "s3_timetable.yaml").unlink()
    (folder / "experiments" / "s2_against_s3.yaml").unlink()
    with pytest.raises(WrongDataError) as refused:
        load_playbook(folder)
    assert str(refused.value) == line


def test_no_strategy_at_all_is_refused(folder: Path) -> None:
    shutil.rmtree(folder / "strategies")
    with pytest.raises(WrongDataError, match=r"^strategies: there is not a single strategy$"):
        load_playbook(folder)


@pytest.mark.parametrize(
    ("on", "version"),
    [
        pytest.param(date(1999, 12, 31), 1, id="the first version, before any takes effect"),
        pytest.param(date(2026, 2, 28), 1, id="the older version until the day before"),
        pytest.param(date(2026, 3, 1), 2, id="the newer version from its own day on"),
    ],
)
def test_a_new_case_gets_the_newest_version_in_effect(folder: Path, on: date, version: int) -> None:
    newer = SHIPPED.replace("version: 1", "version: 2", 1).replace("2000-01-01", "2026-03-01", 1)
    (folder / "strategies" / "s2_ladder_2.yaml").write_text(newer, "utf-8")
    assert load_playbook(folder).newest("s2_ladder", on).version == version
