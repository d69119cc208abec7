"""The data files are sound, a file that is not is refused in one line, and outreach speaks its neighbours' words."""

from enum import StrEnum
from pathlib import Path

import pytest

from services.outreach import service
from services.outreach.field.store import read_field
from services.outreach.matters.domain import MatterKind
from services.outreach.matters.store import read_deadlines
from services.outreach.outcomes.domain import Result
from services.outreach.plans.domain import rows
from services.outreach.plans.store import read_windows
from services.outreach.promises.store import read_terms
from services.segmentation.strategies import load_playbook
from shared.contracts import intake, outreach, segmentation
from shared.data_files import WrongDataError

FOLDER = Path(service.__file__).parent


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        pytest.param(rows.CaseStatus, intake.CaseStatus, id="the status of a case is intake's"),
        pytest.param(rows.Channel, segmentation.Channel, id="channels are segmentation's"),
        pytest.param(Result, outreach.OutcomeResult, id="results of contacts are those that are told"),
        pytest.param(MatterKind, outreach.MatterKind, id="kinds of matters are those that are told"),
        pytest.param(rows.StepState, outreach.StepState, id="the states of a step are those that are told"),
    ],
)
def test_the_domain_knows_the_words_of_the_contracts(ours: type[StrEnum], theirs: type[StrEnum]) -> None:
    assert [str(word) for word in ours] == [str(word) for word in theirs]


WINDOWS, CREWS, DISTRICTS = "windows.yaml", "field/crews.yaml", "field/districts.yaml"
PROMISES, MATTERS = "promises/promises.yaml", "matters/matters.yaml"
ZONES = {"CN": "Asia/Shanghai"}


@pytest.mark.parametrize(
    ("file", "before", "after", "expected"),
    [
        pytest.param(
            WINDOWS,
            'closes: "20:00:00"',
            'closes: "22:00:01"',
            "windows.yaml: CN is open at hours that its law forbids",
            id="hours beyond the law",
        ),
        pytest.param(
            WINDOWS,
            'opens: "08:00:00"',
            'opens: "07:59:59"',
            "windows.yaml: CN is open at hours that its law forbids",
            id="hours before the law",
        ),
        pytest.param(
            WINDOWS,
            'closes: "20:00:00"',
            'closes: "08:00:00"',
            "windows.yaml: CN closes before it opens",
            id="a window of no length",
        ),
        pytest.param(
            WINDOWS, "Asia/Shanghai", "Asia/Atlantis", "windows.yaml: CN has a zone that the IANA", id="an unknown zone"
        ),
        pytest.param(
            WINDOWS, "jurisdiction: IN", "jurisdiction: CN", "windows.yaml: CN occurs more than once", id="twice"
        ),
        pytest.param(WINDOWS, "zone: Asia/Shanghai", "zones: x", "windows.yaml: Object contains unknown", id="a typo"),
        pytest.param(WINDOWS, "windows:", "windows: [", "windows.yaml: not YAML (line ", id="no YAML"),
        pytest.param(
            CREWS, "SH-N1", "SH-C1", "crews.yaml: crew SH-C1 occurs more than once", id="two crews of one code"
        ),
        pytest.param(
            CREWS, "F-1003", "F-1001", "crews.yaml: member F-1001 occurs more than once", id="one person in two crews"
        ),
        pytest.param(
            CREWS, "[F-1001, F-1002]", "[F-1001]", "crews.yaml: Expected `array` of length 2", id="a crew of one"
        ),
        pytest.param(
            CREWS, "CN-310101", "CN-1", "crews.yaml: crew SH-C1 has its base in a district", id="an unknown base"
        ),
        pytest.param(
            DISTRICTS,
            "CN-310104",
            "CN-310101",
            "districts.yaml: district CN-310101 occurs more than once",
            id="a district twice",
        ),
        pytest.param(
            DISTRICTS, "latitude: 31.23", "latitude: 91", "districts.yaml: Expected `float` <= 90", id="beyond the pole"
        ),
        pytest.param(
            PROMISES, 'jurisdiction: "*"', 'jurisdiction: "XX"', "promises.yaml: XX has no zone", id="terms of nowhere"
        ),
        pytest.param(
            PROMISES,
            'opens: "10:00:00"',
            'opens: "18:00:00"',
            "promises.yaml: * has hours of reminders that close before they open",
            id="no hours to remind in",
        ),
        pytest.param(
            PROMISES, "grace_days: 3", "grace_days: -1", "promises.yaml: Expected `int` >= 0", id="less than no grace"
        ),
        pytest.param(
            MATTERS,
            "kind: complaint",
            "kind: dispute",
            "matters.yaml: * dispute occurs more than once",
            id="two deadlines",
        ),
        pytest.param(
            MATTERS, "kind: hardship", "kind: bad luck", "matters.yaml: Invalid enum value", id="an unknown kind"
        ),
        pytest.param(
            MATTERS,
            "jurisdiction: CN",
            "jurisdiction: XX",
            "matters.yaml: XX complaint has no zone",
            id="deadlines of nowhere",
        ),
    ],
)
def test_a_file_that_contradicts_itself_is_refused_in_one_line(
    tmp_path: Path, file: str, before: str, after: str, expected: str
) -> None:
    for name in (WINDOWS, CREWS, DISTRICTS, PROMISES, MATTERS):
        copy = tmp_path / name
        copy.parent.mkdir(exist_ok=True)
        text = (FOLDER / name).read_text("utf-8")
        copy.write_text(text.replace(before, after, 1) if name == file else text, "utf-8")
    with pytest.raises(WrongDataError) as refused:
        _read_all(tmp_path)
    assert str(refused.value).startswith(expected)
    assert "\n" not in str(refused.value)


def _read_all(folder: Path) -> None:
    read_windows(folder / WINDOWS)
    read_field(folder / "field")
    read_terms(ZONES, folder / PROMISES)
    read_deadlines(ZONES, folder / MATTERS)


def test_every_jurisdiction_has_terms_and_a_pause_outlasts_no_promise() -> None:
    terms = read_terms({**ZONES, "XX": "UTC"})
    assert set(terms) == {"CN", "XX"}
    longest = load_playbook().tiers.pauses.longest_days
    for each in terms.values():
        assert max(limits.most_days for limits in each.limits.values()) + each.grace_days < longest


def test_a_file_that_is_not_there_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(WrongDataError, match=r"^windows.yaml: cannot be read \(FileNotFoundError\)$"):
        read_windows(tmp_path / "windows.yaml")
