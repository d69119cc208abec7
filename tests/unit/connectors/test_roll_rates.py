"""The target of the made-up book: it is what the real panel says, and what a debtor can do."""

import csv
import io
import zipfile
from collections import Counter
from itertools import pairwise

import pytest

from services.intake.connectors.roll_rates import ladders, rates
from tests.real_data import card_panel


@pytest.fixture(scope="module")
def panel() -> dict[str, dict[int, str]]:
    """The statuses of each account by month, straight from the file."""
    accounts: dict[str, dict[int, str]] = {}
    with zipfile.ZipFile(card_panel()) as archive, archive.open("credit_record.csv") as packed:
        for account, month, status in list(csv.reader(io.TextIOWrapper(packed, encoding="utf-8")))[1:]:
            accounts.setdefault(account, {})[int(month)] = status
    return accounts


@pytest.mark.slow
def test_the_rolls_are_those_of_the_real_panel(panel: dict[str, dict[int, str]]) -> None:
    counted: Counter[tuple[str, str]] = Counter()
    for months in panel.values():
        for (month, status), (next_month, after) in pairwise(sorted(months.items())):
            if next_month == month + 1:
                counted[status, after] += 1
    told = {(status, after): count for status, row in rates().counts.items() for after, count in row.items()}
    assert told == {(status, after): counted[status, after] for status in "012345X" for after in "012345CX"}


@pytest.mark.slow
def test_what_stands_is_what_stands_in_the_real_panel(panel: dict[str, dict[int, str]]) -> None:
    counted = Counter(status for months in panel.values() for status in months.values())
    del counted["C"]
    assert rates().standing == counted


def test_in_a_month_a_debtor_misses_one_instalment_and_never_two() -> None:
    for status, ladder in ladders().items():
        one_more = min("X012345".index(status) + 1, 6)
        assert set("X012345"[one_more + 1 :]) & set(ladder.statuses) == set()
        assert {"C", "X012345"[one_more]} <= set(ladder.statuses)


def test_what_a_debtor_may_do_is_what_the_panel_did_but_for_its_jumps() -> None:
    for status, ladder in ladders().items():
        shares = {
            after: (end - before) / ladder.ends[-1]
            for after, before, end in zip(ladder.statuses, (0, *ladder.ends), ladder.ends, strict=False)
        }
        assert sum(shares.values()) == pytest.approx(1)
        for after in "012345CX":
            assert shares.get(after, 0) == pytest.approx(rates().rate(status, after), abs=0.01)
