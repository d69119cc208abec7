"""The screen as tables: which claims pass, which rule stops the others, and which data files are refused."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.legal.domain import Claim, Verdict, claims_of, last_day_to_sue, screen
from services.legal.screening import FILE, load_screening
from shared.data_files import WrongDataError

SHIPPED = FILE.read_text("utf-8")
ON = date(2026, 6, 1)


def claim(past_due: int = 120_000, currency: str = "CNY", since: date = date(2026, 3, 1)) -> Claim:
    return Claim(currency, past_due, since)


@pytest.mark.parametrize(
    ("claims", "rule", "passed"),
    [
        pytest.param([claim(50_000)], "minimum_claim and limitation_period", ["CNY"], id="a claim of just the minimum"),
        pytest.param([claim(49_999)], "minimum_claim", [], id="a claim just below the minimum"),
        pytest.param([], "minimum_claim", [], id="nothing past due"),
        pytest.param([claim(10**9, "XAF")], "minimum_claim", [], id="a currency for which nobody set a minimum"),
        pytest.param(
            [claim(since=date(2023, 6, 1))],
            "minimum_claim and limitation_period",
            ["CNY"],
            id="the last day of the third year",
        ),
        pytest.param([claim(since=date(2023, 5, 31))], "limitation_period", [], id="the day after the third year"),
        pytest.param(
            [claim(), claim(20_000, "EUR")],
            "minimum_claim and limitation_period",
            ["CNY", "EUR"],
            id="two currencies are two claims",
        ),
        pytest.param(
            [claim(49_999), claim(20_000, "EUR")],
            "minimum_claim and limitation_period",
            ["EUR"],
            id="a small claim does not hold up a large one in another currency",
        ),
        pytest.param([claim(49_999), claim(9_999, "EUR")], "minimum_claim", [], id="two small claims are not added up"),
    ],
)
def test_which_claims_pass(claims: list[Claim], rule: str, passed: list[str]) -> None:
    verdict = screen(load_screening(), claims=claims, case_is_open=True, matter_is_open=False, on=ON)
    assert (verdict.rule, [one.currency for one in verdict.passed]) == (rule, passed)


@pytest.mark.parametrize(
    ("case_is_open", "matter_is_open", "verdict"),
    [
        pytest.param(False, False, Verdict("case_open", "the case is not open"), id="a case that is not open"),
        pytest.param(True, True, Verdict("no_open_matter", "a matter is open"), id="a second referral"),
    ],
)
def test_a_sound_claim_is_declined_where_it_cannot_be_pursued(
    *, case_is_open: bool, matter_is_open: bool, verdict: Verdict
) -> None:
    found = screen(load_screening(), claims=[claim()], case_is_open=case_is_open, matter_is_open=matter_is_open, on=ON)
    assert found == verdict


@pytest.mark.parametrize(
    ("due_on", "last_day"),
    [
        pytest.param(date(2023, 6, 15), date(2026, 6, 15), id="three years later, the same day"),
        pytest.param(date(2024, 2, 29), date(2027, 2, 28), id="a leap day ends on the last day of February"),
        pytest.param(date(2023, 12, 31), date(2026, 12, 31), id="the end of a year"),
    ],
)
def test_the_last_day_to_sue(due_on: date, last_day: date) -> None:
    assert last_day_to_sue(due_on, 3) == last_day


@pytest.mark.parametrize(
    ("due_on", "interruptions", "on", "in_time"),
    [
        pytest.param("2023-06-15", [], "2026-06-01", True, id="within three years"),
        pytest.param("2023-06-15", [], "2026-07-01", False, id="beyond three years"),
        pytest.param("2023-06-15", ["2025-01-10"], "2026-07-01", True, id="a demand begins them anew"),
        pytest.param("2023-06-15", ["2025-01-10"], "2028-02-01", False, id="beyond three years from the demand"),
        pytest.param("2020-01-15", ["2025-01-10"], "2025-02-01", False, id="a demand after the end revives nothing"),
        pytest.param("2020-01-15", ["2025-01-10", "2022-12-01"], "2025-02-01", True, id="each demand in its time"),
        pytest.param("2023-06-15", ["2023-06-14"], "2026-06-15", True, id="a demand before it was due"),
    ],
)
def test_a_demand_in_time_begins_the_period_anew(
    due_on: str, interruptions: list[str], on: str, *, in_time: bool
) -> None:
    demands = [date.fromisoformat(day) for day in interruptions]
    assert (date.fromisoformat(on) <= last_day_to_sue(date.fromisoformat(due_on), 3, demands)) is in_time


@pytest.mark.parametrize(
    ("loans", "claims"),
    [
        pytest.param([], [], id="no loans, no claims"),
        pytest.param([("CNY", 0, date(2026, 1, 1))], [], id="a loan with nothing past due"),
        pytest.param([("CNY", 5, None)], [], id="an amount that nobody dated"),
        pytest.param(
            [("CNY", 5, date(2026, 2, 1)), ("CNY", 7, date(2026, 1, 1))],
            [claim(12, since=date(2026, 1, 1))],
            id="two loans of one currency are one claim, as old as the older",
        ),
        pytest.param(
            [("EUR", 5, date(2026, 2, 1)), ("CNY", 7, date(2026, 1, 1))],
            [claim(7, since=date(2026, 1, 1)), claim(5, "EUR", date(2026, 2, 1))],
            id="two currencies stay apart",
        ),
    ],
)
def test_claims_by_currency(loans: list[tuple[str, int, date | None]], claims: list[Claim]) -> None:
    assert list(claims_of(loans)) == claims


@given(
    st.lists(st.tuples(st.sampled_from(["CNY", "EUR", "USD"]), st.integers(0, 10**6), st.dates()), max_size=12),
    st.randoms(),
)
def test_claims_hold_every_unit_once_whatever_the_order(
    loans: list[tuple[str, int, date | None]], random: object
) -> None:
    shuffled = list(loans)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    claims = claims_of(shuffled)
    assert claims == claims_of(loans)
    for one in claims:
        assert one.past_due == sum(amount for currency, amount, _ in loans if currency == one.currency)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        pytest.param("years: 3", "years: 0", "limitation_period: 0 years is below 1", id="no limitation period"),
        pytest.param(
            "years: 3", "years: three", "Expected `int`, got `str` - at `$.limitation_period.years`", id="a word"
        ),
        pytest.param("CNY: 50000", "CNY: 0", "minimum_claim: CNY 0 is below 1", id="a minimum of nothing"),
        pytest.param(
            "CNY: 50000",
            "Yuan: 50000",
            "Expected `str` matching regex '^[A-Z]{3}$' - at `key` in `$.minimum_claim.minor_units`",
            id="a currency that is no code",
        ),
        pytest.param('version: "1"', "", "Object missing required field `version`", id="no version"),
        pytest.param('version: "1"', "{", "not YAML (line 7)", id="no YAML"),
    ],
)
def test_wrong_data_is_refused_in_one_line_that_names_the_file(tmp_path: Path, old: str, new: str, line: str) -> None:
    assert old in SHIPPED
    file = tmp_path / "screening.yaml"
    file.write_text(SHIPPED.replace(old, new, 1), "utf-8")
    with pytest.raises(WrongDataError) as refused:
        load_screening(file)
    assert str(refused.value) == f"screening.yaml: {line}"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WrongDataError, match=r"^screening\.yaml: cannot be read \(FileNotFoundError\)$"):
        load_screening(tmp_path / "screening.yaml")
