"""The strategy as data: what ships is the ladder of source S2, and a file that contradicts itself is refused."""

import shutil
from datetime import date
from pathlib import Path

import pytest

from services.segmentation.strategies import FOLDER, load_playbook
from shared.data_files import WrongDataError

SHIPPED = (FOLDER / "strategies" / "s2_ladder.yaml").read_text("utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped data, to be spoilt."""
    shutil.copy(FOLDER / "stages.yaml", tmp_path)
    shutil.copytree(FOLDER / "strategies", tmp_path / "strategies")
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
    (strategy,) = load_playbook().strategies
    assert [(str(step.channel), step.after_days) for step in strategy.steps[stage]] == ladder


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
            {"version: 1": "version: 2", "id: s2_ladder": "id: other"},
            "s2_ladder_2.yaml: other beside s2_ladder: only one strategy can be in effect",
            id="two strategies, and nothing to choose between them",
        ),
    ],
)
def test_versions_that_contradict_each_other_are_refused(folder: Path, changes: dict[str, str], line: str) -> None:
    text = SHIPPED
    for old, new in changes.items():
        text = text.replace(old, new, 1)
    (folder / "strategies" / "s2_ladder_2.yaml").write_text(text, "utf-8")
    with pytest.raises(WrongDataError) as refused:
        load_playbook(folder)
    assert str(refused.value) == line


def test_no_strategy_at_all_is_refused(folder: Path) -> None:
    (folder / "strategies" / "s2_ladder.yaml").unlink()
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
    assert load_playbook(folder).for_new_case(on).version == version
