"""The collection stages: exactly one for each day past due, and files that say otherwise are refused by name."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.segmentation.domain.ladder import Ladder, Stage, days_past_due
from services.segmentation.strategies import load_ladder, load_playbook
from shared.data_files import WrongDataError

HEAD = 'version: "9"\nsource: "a test"\nstages:\n'


@pytest.mark.parametrize(
    ("days", "stage"),
    [
        pytest.param(0, None, id="on the due date itself a case is in no stage"),
        pytest.param(1, "REMIND", id="the first day past due is the first of REMIND"),
        pytest.param(5, "REMIND", id="the end of a range belongs to it"),
        pytest.param(6, "EARLY", id="EARLY begins on day 6"),
        pytest.param(17, "EARLY", id="EARLY ends on day 17"),
        pytest.param(18, "INTENSIVE", id="INTENSIVE begins on day 18"),
        pytest.param(31, "PRE_LEGAL", id="PRE_LEGAL begins on day 31"),
        pytest.param(60, "PRE_LEGAL", id="the legal decision is due by day 60, still PRE_LEGAL"),
        pytest.param(61, "LEGAL_OR_PLAN", id="LEGAL_OR_PLAN begins on day 61"),
        pytest.param(91, "NPL", id="NPL begins on day 91"),
        pytest.param(40_000, "NPL", id="the last stage has no end"),
    ],
)
def test_the_stage_of_a_day(days: int, stage: str | None) -> None:
    found = load_playbook().ladder.stage_at(days)
    assert (found and found.name) == stage


@st.composite
def ladders(draw: st.DrawFn) -> Ladder:
    """Sound ladders of one to eight stages, written down in any order."""
    first = draw(st.integers(-10, 10))
    lengths = draw(st.lists(st.integers(1, 40), max_size=7))
    starts = [first + sum(lengths[:n]) for n in range(len(lengths) + 1)]
    ends = [start - 1 for start in starts[1:]]
    stages = [Stage(f"S{n}", start, end) for n, (start, end) in enumerate(zip(starts, [*ends, None], strict=True))]
    return Ladder("1", "a test", tuple(draw(st.permutations(stages))))


@given(ladder=ladders(), days=st.integers(-50, 2_000))
def test_each_day_from_the_first_on_lies_in_exactly_one_stage(ladder: Ladder, days: int) -> None:
    holding = [one for one in ladder.stages if one.first_day <= days and (one.last_day is None or days <= one.last_day)]
    assert len(holding) == (1 if days >= ladder.stages[0].first_day else 0)
    assert ladder.stage_at(days) == next(iter(holding), None)


@given(ladder=ladders(), days=st.integers(-50, 2_000))
def test_the_next_entry_is_the_first_date_with_another_stage(ladder: Ladder, days: int) -> None:
    due_on = date(2026, 1, 1)
    on = due_on + timedelta(days)
    now, entry = ladder.stage_at(days), ladder.next_entry(due_on, on)
    if entry is None:
        assert now == ladder.stages[-1]
        return
    assert entry > on
    assert ladder.stage_at(days_past_due(due_on, entry - timedelta(1))) == now
    assert ladder.stage_at(days_past_due(due_on, entry)) not in (now, None)


@pytest.mark.parametrize(
    ("stages", "line"),
    [
        pytest.param(
            "  - {name: A, from: 1, to: 5}\n  - {name: B, from: 5}\n",
            "wrong.yaml: A 1 to 5 and B 5 and above overlap",
            id="an overlap of one day",
        ),
        pytest.param(
            "  - {name: A, from: 1, to: 5}\n  - {name: B, from: 8}\n",
            "wrong.yaml: gap: days 6 to 7 lie in no stage, between A 1 to 5 and B 8 and above",
            id="a gap",
        ),
        pytest.param(
            "  - {name: A, from: 1, to: 5}\n  - {name: B, from: 6, to: 90}\n",
            "wrong.yaml: B 6 to 90 is the last stage and must have no end",
            id="a last stage with an end",
        ),
        pytest.param(
            "  - {name: A, from: 1}\n  - {name: B, from: 6}\n",
            "wrong.yaml: A 1 and above and B 6 and above overlap",
            id="a stage without an end before another",
        ),
        pytest.param("  - {name: A, from: 5, to: 1}\n", "wrong.yaml: A 5 to 1 ends before it begins", id="backwards"),
        pytest.param(
            "  - {name: A, from: 1, to: 5}\n  - {name: A, from: 6}\n",
            "wrong.yaml: A 1 to 5: the name occurs more than once",
            id="two stages with one name",
        ),
        pytest.param("  []\n", "wrong.yaml: there are no stages", id="no stages"),
        pytest.param(
            "  - {name: A, from: one}\n",
            "wrong.yaml: Expected `int`, got `str` - at `$.stages[0].from`",
            id="a first day that is no number",
        ),
        pytest.param(
            "  - {name: A, from: 1, until: 5}\n",
            "wrong.yaml: Object contains unknown field `until` - at `$.stages[0]`",
            id="a field that nobody knows",
        ),
        pytest.param("  - {name: A, from: 1\n", "wrong.yaml: not YAML (line 5)", id="no YAML"),
    ],
)
def test_a_wrong_ladder_is_refused_in_one_line_that_names_file_and_range(
    tmp_path: Path, stages: str, line: str
) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(HEAD + stages)
    with pytest.raises(WrongDataError) as refused:
        load_ladder(file)
    assert str(refused.value) == line


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WrongDataError, match=r"^stages\.yaml: cannot be read \(FileNotFoundError\)$"):
        load_playbook(tmp_path)
