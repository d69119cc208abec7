"""What the command refuses, and how a run is judged."""

import pytest

from tests.chaos.__main__ import main
from tests.chaos.checker import Verdict, told
from tests.chaos.evidence import Invariant
from tests.chaos.run import Outcome

HOLDS = Verdict(Invariant(3, "first occurrences are dense", ()), 10, [])


@pytest.mark.parametrize(
    "arguments", [("--minutes", "0"), ("--minutes", "soon"), ("--brokers", "2"), ("--seed", "x"), ("--gently",)]
)
def test_wrong_arguments_are_refused_in_one_line(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert said.err.startswith("chaos: ")


def outcome(verdicts: list[Verdict], counters: dict[str, int]) -> Outcome:
    return Outcome(verdicts, counters, faults={"freeze": 1}, skipped={}, accepted=1, seconds=60)


def test_a_run_counts_where_everything_was_checked_and_seen() -> None:
    assert outcome([HOLDS], {"take-overs": 1}).counts


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        pytest.param(HOLDS._replace(wrong=["a hole"]), "BROKEN 1", id="an invariant is broken"),
        pytest.param(HOLDS._replace(checked=0), "NOT CHECKED", id="an invariant was never checked"),
    ],
)
def test_a_run_does_not_count_where_an_invariant_is_in_doubt(verdict: Verdict, said: str) -> None:
    assert not outcome([HOLDS, verdict], {"take-overs": 1}).counts
    assert any(said in line for line in told([verdict]))


def test_a_run_does_not_count_where_something_was_never_put_to_the_test() -> None:
    never = outcome([HOLDS], {"take-overs": 3, "gaps repaired": 0})
    assert not never.counts
    assert list(never.told())[-1].endswith("never seen: gaps repaired")
