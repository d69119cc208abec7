"""What time makes of a claim, to the day, and files about it that contradict themselves."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from services.outreach.compliance.store import BOOKS, read_claims
from shared.data_files import WrongDataError

CLAIMS = BOOKS / "cn_claims.yaml"
A_DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("due_on", "interruptions", "last_day"),
    [
        pytest.param("2023-06-15", [], "2026-06-15", id="three years"),
        pytest.param("2024-02-29", [], "2027-02-28", id="the last of February"),
        pytest.param("2023-06-15", ["2026-06-15"], "2029-06-15", id="begun anew on the last day"),
        pytest.param("2023-06-15", ["2026-06-16"], "2026-06-15", id="not revived the day after"),
        pytest.param("2023-06-15", ["2025-01-10", "2024-01-10"], "2028-01-10", id="the later of two interruptions"),
        pytest.param("2023-06-15", ["2023-06-15"], "2026-06-15", id="a demand before it is overdue interrupts nothing"),
        pytest.param(
            "2000-01-01", [f"{year}-01-01" for year in range(2001, 2020)], "2020-01-01", id="twenty years at most"
        ),
    ],
)
def test_a_claim_can_be_sued_for_until_its_last_day(due_on: str, interruptions: list[str], last_day: str) -> None:
    limitation = read_claims().limitation
    due, interrupted, last = (
        date.fromisoformat(due_on),
        [date.fromisoformat(each) for each in interruptions],
        date.fromisoformat(last_day),
    )
    assert limitation.last_day(due, interrupted) == last
    assert not limitation.is_over(due, interrupted, last)
    assert limitation.is_over(due, interrupted, last + A_DAY)


def test_what_interrupts_a_claim_later_is_not_known_before() -> None:
    limitation = read_claims().limitation
    due, demanded = date(2023, 6, 15), date(2026, 6, 1)
    assert limitation.is_over(due, [demanded], date(2029, 6, 2))
    assert not limitation.is_over(due, [demanded], date(2029, 6, 1))
    assert not limitation.is_over(due, [date(2030, 1, 1)], date(2026, 6, 15))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        pytest.param("from_days: 0,", "from_days: 1,", "classes do not begin at 0 and go up", id="no beginning"),
        pytest.param(
            "from_days: 271", "from_days: 91", "classes do not begin at 0 and go up", id="the same days twice"
        ),
        pytest.param("outer_years: 20", "outer_years: 2", "limitation has an outer limit that comes first", id="limit"),
    ],
)
def test_tables_that_contradict_themselves_are_refused(tmp_path: Path, old: str, new: str, problem: str) -> None:
    copy = tmp_path / CLAIMS.name
    copy.write_text(CLAIMS.read_text("utf-8").replace(old, new), "utf-8")
    with pytest.raises(WrongDataError, match=f"^{CLAIMS.name}: {problem}$"):
        read_claims(copy)
