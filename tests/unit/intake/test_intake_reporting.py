"""Reporting schemes: which bucket, when it changes, and which files are refused."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from services.intake.cases import reporting_schemes
from services.intake.cases.domain.reporting import Range, Scheme, SchemeError
from shared.data_files import WrongDataError

SCHEMES = reporting_schemes.load()


@pytest.mark.parametrize(
    ("portfolio", "days", "bucket"),
    [
        ("card-panel", 0, "current"),
        ("card-panel", 1, "0"),
        ("card-panel", 29, "0"),
        ("card-panel", 30, "1"),
        ("card-panel", 59, "1"),
        ("card-panel", 60, "2"),
        ("card-panel", 89, "2"),
        ("card-panel", 90, "3"),
        ("card-panel", 120, "4"),
        ("card-panel", 149, "4"),
        ("card-panel", 150, "5"),
        ("card-panel", 99_999, "5"),
        ("default", -5, "current"),
        ("default", 1, "M1"),
        ("default", 30, "M1"),
        ("default", 31, "M2"),
        ("default", 91, "M4"),
        ("default", 180, "M6"),
        ("default", 181, "M7+"),
        ("default", 99_999, "M7+"),
    ],
)
def test_days_past_due_lie_in_one_bucket_of_the_portfolios_scheme(portfolio: str, days: int, bucket: str) -> None:
    assert SCHEMES.of(portfolio).bucket(days) == bucket


@pytest.mark.parametrize("name", ["card-panel", "default"])
def test_the_next_change_is_the_first_date_with_another_bucket(name: str) -> None:
    scheme, oldest = SCHEMES.of(name), date(2023, 12, 31)
    for days in range(250):
        on = oldest + timedelta(days)
        change = scheme.next_change(oldest, on)
        later = [on + timedelta(n) for n in range(1, 100) if scheme.bucket(days + n) != scheme.bucket(days)]
        assert change == next(iter(later), None)


@pytest.mark.parametrize(
    ("ranges", "complaint"),
    [
        pytest.param([], "has no ranges", id="no range at all"),
        pytest.param([(1, 30), (30, None)], "overlap", id="two ranges share a day"),
        pytest.param([(1, None), (31, None)], "overlap", id="a range after the open-ended one"),
        pytest.param([(1, 30), (32, None)], "days 31-31 lie in no range", id="a day in no range"),
        pytest.param([(1, 30), (31, 60)], "must be open-ended", id="a last range with an end"),
        pytest.param([(0, 30), (31, None)], "must begin with day 1", id="a range that holds day 0"),
        pytest.param([(2, 30), (31, None)], "must begin with day 1", id="day 1 in no range"),
        pytest.param([(1, 0), (1, None)], "ends before it begins", id="a range that ends before it begins"),
    ],
)
def test_ranges_that_contradict_each_other_are_refused(ranges: list[tuple[int, int | None]], complaint: str) -> None:
    given = tuple(Range(f"B{place}", first, last) for place, (first, last) in enumerate(ranges))
    with pytest.raises(SchemeError, match=complaint) as refusal:
        Scheme("test", given)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("labels", [("A", "A"), ("current", "B"), ("A", "closed")])
def test_labels_are_unique_and_not_reserved(labels: tuple[str, str]) -> None:
    with pytest.raises(SchemeError, match="label of its own"):
        Scheme("test", (Range(labels[0], 1, 30), Range(labels[1], 31)))


RANGES = "{ranges: [{label: A, first: 1}], portfolios: [x]}"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param("schemes: [", "not YAML", id="no YAML"),
        pytest.param("version: 1", "missing required field `default`", id="a field is missing"),
        pytest.param(f"{{version: 1, default: b, schemes: {{a: {RANGES}}}}}", "no scheme b", id="an unknown default"),
        pytest.param(
            f"{{version: 1, default: a, schemes: {{a: {RANGES}, b: {RANGES}}}}}",
            "two schemes",
            id="two for one portfolio",
        ),
        pytest.param("{version: 1, default: a, scheems: {}}", "scheems", id="a misspelt field"),
        pytest.param(
            "{version: 1, default: a, schemes: {a: {ranges: [{label: A, first: one}]}}}", "first", id="no number"
        ),
    ],
)
def test_a_wrong_file_is_refused_in_one_line_that_names_it(tmp_path: Path, content: str, complaint: str) -> None:
    file = tmp_path / "schemes.yaml"
    file.write_text(content)
    with pytest.raises(WrongDataError, match=complaint) as refusal:
        reporting_schemes.load(file)
    assert str(refusal.value).startswith("schemes.yaml: ")
    assert "\n" not in str(refusal.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WrongDataError, match=r"nowhere\.yaml: cannot be read"):
        reporting_schemes.load(tmp_path / "nowhere.yaml")
