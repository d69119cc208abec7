"""The file of rules by which cases go to agencies: what it may say, and how a wrong one is refused."""

from typing import Any

import pytest

from services.outreach.agencies.allocation.store import FILE, read_rules
from services.outreach.service import declare
from shared.data_files import WrongDataError
from shared.settings import Settings


def test_the_rules_of_the_product_can_be_read() -> None:
    (rule,) = read_rules(210)
    assert (rule.version, rule.days, rule.random_share_ppm) == ("1", 120, 200_000)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        pytest.param("days: 0", "days", id="no days at all"),
        pytest.param("days: 211", "rules.yaml: days of version 1: a placement lasts 210 days at most", id="too long"),
        pytest.param("random_share_ppm: 1000001", "random_share_ppm", id="more than all"),
        pytest.param("most_share_ppm: 0", "most_share_ppm", id="nothing for anybody"),
        pytest.param("weights: {alpha: 0}", "weights", id="a weight of nothing"),
        pytest.param("most_a_week: 3", "most_a_week", id="a field that there is not"),
    ],
)
def test_a_wrong_rule_is_refused_with_its_field(tmp_path: Any, wrong: str, said: str) -> None:
    fields = {"version": '"1"', "effective_from": "2026-01-01", "days": "90", "random_share_ppm": "0"}
    fields |= {"most_a_day": "5", "most_share_ppm": "1000000", "weights": "{}"}
    name, _, value = wrong.partition(": ")
    lines = "".join(f"    {key}: {each}\n" for key, each in (fields | {name: value}).items())
    (tmp_path / "rules.yaml").write_text(f"rules:\n  -\n{lines}")
    with pytest.raises(WrongDataError, match=said):
        read_rules(210, tmp_path / "rules.yaml")


def test_two_versions_of_one_name_or_day_are_refused(tmp_path: Any) -> None:
    one = '  - {version: "1", effective_from: 2026-01-01, days: 9, random_share_ppm: 0, most_a_day: 5, '
    (tmp_path / "rules.yaml").write_text("rules:\n" + 2 * (one + "most_share_ppm: 1000000, weights: {}}\n"))
    with pytest.raises(WrongDataError, match="version 1 occurs more than once"):
        read_rules(210, tmp_path / "rules.yaml")


def test_a_house_has_its_own_rules_in_a_file_of_its_own(tmp_path: Any) -> None:
    (tmp_path / "rules.yaml").write_text(FILE.read_text().replace("days: 120", "days: 211"))
    settings = Settings.demo({"FAIRDUE_ALLOCATION": str(tmp_path / "rules.yaml")})
    with pytest.raises(WrongDataError, match="a placement lasts 210 days at most"):
        declare(settings)
