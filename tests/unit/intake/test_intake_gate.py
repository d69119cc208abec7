"""The rules of the data gate: what each finds, and what it passes."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.intake.cases.domain.facts import Snapshot
from services.intake.cases.handlers import instalments_of
from services.intake.verification import gates
from services.intake.verification.domain import CHECKS, Gate, Reported
from shared.data_files import WrongDataError
from tests.unit.intake.play import GATE, day, instalment, instant

AS_OF = "2024-03-05"


def told(
    *instalments: Any, as_of: str = AS_OF, cut_off: str = "", currency: str = "EUR", outstanding: int = 0
) -> Snapshot:
    return Snapshot(
        instant(cut_off or as_of), day(as_of), currency, instalments_of(instalments), outstanding, "loan", "d", "CN", ""
    )


DUE = instalment("2024-03-01", 500)
NEXT = instalment("2024-04-01", 500)
CLEAN = told(DUE)

FINDINGS: list[tuple[str, Snapshot, list[str]]] = [
    ("nothing looks wrong in what is due, and more outstanding", told(DUE, outstanding=9_000), []),
    ("the whole is due", told(DUE, outstanding=500), []),
    ("a bank that tells only what is due says nought of what is outstanding", told(DUE, outstanding=0), []),
    ("less is outstanding than unpaid", told(DUE, outstanding=499), ["outstanding_below_unpaid"]),
    ("what is yet to fall due is outstanding, too", told(DUE, NEXT, outstanding=999), ["outstanding_below_unpaid"]),
    ("two instalments of one day differ", told(DUE, instalment("2024-03-01", 499, number=7)), []),
    ("an instalment comes twice", told(DUE, instalment("2024-03-01", 500, number=7)), ["instalment_repeated"]),
    ("paid instalments may look the same", told(DUE, *(instalment("2024-02-01", number=n) for n in (7, 8))), []),
    ("unpaid for ten years", told(instalment("2014-03-05", 500)), []),
    ("unpaid for longer", told(instalment("2014-03-04", 500)), ["due_too_long_ago"]),
    ("the next year's plan is told along", told(DUE, instalment("2025-04-09", 500)), []),
    ("an instalment of the year after", told(DUE, instalment("2025-04-10", 500)), ["due_too_far_ahead"]),
    ("the cut-off was ten days before", told(DUE, cut_off="2024-02-24"), []),
    ("the cut-off was eleven days before", told(DUE, cut_off="2024-02-23"), ["cut_off_apart"]),
    ("the cut-off is in the next year", told(DUE, cut_off="2025-03-05"), ["cut_off_apart"]),
    ("the books are a month behind", told(DUE, as_of="2024-04-05"), []),
    ("the snapshot is of a later day still", told(DUE, as_of="2024-04-06"), ["as_of_ahead"]),
    ("a very large loan", told(DUE, outstanding=100_000_000_000), []),
    ("a larger one than there is", told(DUE, outstanding=100_000_000_001), ["amount_out_of_range"]),
    ("nothing is due, so nobody is contacted, whatever it says", told(outstanding=10**15, cut_off="2025-03-05"), []),
    ("two things at once", told(DUE, outstanding=1, cut_off="2025-03-05"),
     ["outstanding_below_unpaid", "cut_off_apart"]),
]  # fmt: skip


@pytest.mark.parametrize(("snapshot", "rules"), [pytest.param(*row, id=name) for name, *row in FINDINGS])
def test_a_snapshot_has_these_findings(snapshot: Snapshot, rules: list[str]) -> None:
    found = GATE.findings(Reported(snapshot, None, reversed_since=False, today=day(AS_OF)))
    assert [each.rule for each in found] == rules
    assert all(each.sentence.endswith(".") and each.values for each in found)


LATER: list[tuple[str, Snapshot, Snapshot, bool, list[str]]] = [
    ("the same again", CLEAN, told(DUE, as_of="2024-03-06"), False, []),
    ("one more has fallen due", CLEAN, told(DUE, NEXT, as_of="2024-04-02"), False, []),
    ("paid, and overdue again since", told(as_of="2024-02-01"), told(DUE), False, []),
    ("another currency", CLEAN, told(DUE, as_of="2024-03-06", currency="USD"), False, ["currency_changed"]),
    ("unpaid since a month before", CLEAN, told(instalment("2024-02-01", 500), DUE), False, ["overdue_days_jump"]),
    ("unpaid since three days before", CLEAN, told(instalment("2024-02-27", 500), DUE), False, []),
    ("unpaid since before, for a payment was taken back", CLEAN, told(instalment("2024-02-01", 500), DUE), True, []),
    ("nothing was due, and now something of long before", told(as_of="2024-03-04"), told(instalment("2024-02-29", 1)),
     False, ["overdue_days_jump"]),
    ("what is told along does not count as unpaid before", told(NEXT), told(instalment("2024-02-01", 500)),
     False, ["overdue_days_jump"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("before", "snapshot", "reversed_since", "rules"), [pytest.param(*row, id=name) for name, *row in LATER]
)
def test_a_snapshot_after_another_has_these_findings(
    before: Snapshot, snapshot: Snapshot, *, reversed_since: bool, rules: list[str]
) -> None:
    told_ = Reported(snapshot, before, reversed_since=reversed_since, today=day("2024-04-02"))
    assert [each.rule for each in GATE.findings(told_)] == rules


def test_before_the_first_business_date_no_day_is_ahead() -> None:
    ahead = told(DUE, as_of="2024-03-05")
    assert GATE.findings(Reported(ahead, None, reversed_since=False, today=date.min)) == ()


def test_every_rule_is_in_the_file_and_is_seen_to_find_something() -> None:
    seen = {rule for row in FINDINGS for rule in row[-1]} | {rule for row in LATER for rule in row[-1]}
    assert seen == set(CHECKS) == {rule.name for rule in GATE.rules}


def test_a_rule_that_is_taken_out_finds_nothing() -> None:
    without = Gate(tuple(rule for rule in GATE.rules if rule.name != "outstanding_below_unpaid"))
    doubtful = Reported(told(DUE, outstanding=1), None, reversed_since=False, today=day(AS_OF))
    assert [each.rule for each in GATE.findings(doubtful)] == ["outstanding_below_unpaid"]
    assert without.findings(doubtful) == ()


def test_a_currency_may_have_a_range_of_its_own(tmp_path: Path) -> None:
    gate = gates.load(written(tmp_path, RANGES))
    for currency, rules in (("EUR", []), ("JPY", ["amount_out_of_range"])):
        reported = Reported(told(DUE, currency=currency), None, reversed_since=False, today=day(AS_OF))
        assert [each.rule for each in gate.findings(reported)] == rules


RANGES = """
version: "1"
rules:
  - rule: amount_out_of_range
    sentence: "Out of range."
    amounts: {"*": {least: 1, most: 1000}, JPY: {least: 501, most: 1000}}
"""


def written(folder: Path, content: str) -> Path:
    file = folder / "gate.yaml"
    file.write_text(content)
    return file


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param('version: "1"\nrules: [{rule: x, sentence: s}]', "rule x: there is no such rule", id="unknown"),
        pytest.param(
            'version: "1"\nrules: [{rule: cut_off_apart, sentence: s}, {rule: cut_off_apart, sentence: s}]',
            "rule cut_off_apart: occurs more than once",
            id="twice",
        ),
        pytest.param(
            'version: "1"\nrules: [{rule: amount_out_of_range, sentence: s}]', 'a range for "*"', id="without a range"
        ),
        pytest.param('version: "1"\nrules: [{rule: cut_off_apart, day: 3}]', "unknown field `day`", id="misspelt"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused_in_one_line(tmp_path: Path, content: str, complaint: str) -> None:
    with pytest.raises(WrongDataError, match=r"^gate.yaml: [^\n]+$") as refused:
        gates.load(written(tmp_path, content))
    assert complaint in str(refused.value)


def test_a_gap_of_days_counts_from_either_side() -> None:
    for apart, rules in ((-11, ["cut_off_apart"]), (-10, []), (10, []), (11, ["cut_off_apart"])):
        cut_off = (day(AS_OF) + timedelta(apart)).isoformat()
        found = GATE.findings(Reported(told(DUE, cut_off=cut_off), None, reversed_since=False, today=day(AS_OF)))
        assert [each.rule for each in found] == rules
