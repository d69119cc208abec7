"""Dated plays about what is to be verified: what the bank said, what a person decided, and exactly what was told."""

from dataclasses import replace
from typing import Any

import pytest

from services.intake.cases.domain.facts import Verification, VerificationState
from services.intake.verification.commands import Choice, Corrected, DecideVerification
from shared.contracts.core_banking import Instalment
from shared.contracts.intake import CaseStatus, VerificationDecided, VerificationRequested
from shared.service import Rejected
from tests.unit.intake.play import Play, closing, day, instalment, payment, reversal, snapshot

DUE = instalment("2024-03-01", 500)
DOUBTFUL = snapshot("2024-03-05", DUE, outstanding=100)


def opened(reported: Any = DOUBTFUL) -> Play:
    play = Play()
    play.at("2024-03-05")
    play.hear(reported)
    return play


def item(play: Play) -> Verification:
    """The newest verification."""
    return list(play.file.verifications.values())[-1]


def decided(play: Play, choice: Choice, *, revision: int = 0, **right: Any) -> list[str]:
    of = item(play)
    corrected = Corrected(**right) if right else None
    return play.hear(
        DecideVerification(
            verification_id=of.verification_id,
            revision=revision or of.revision,
            choice=choice,
            reason="asked the branch",
            corrected=corrected,
        )
    )


def last(play: Play) -> Any:
    return play.told[-1].data


def test_a_new_case_with_a_finding_is_told_as_ever_and_before_it_that_nobody_may_be_contacted() -> None:
    play = Play()
    play.at("2024-03-05")
    assert play.hear(DOUBTFUL) == ["verification-requested", "case-opened"]
    requested = play.told[0].data
    assert isinstance(requested, VerificationRequested)
    assert (requested.holds, requested.rules, requested.loan_id) == (True, ("outstanding_below_unpaid",), "loan-1")
    assert (play.loan.past_due, play.loan.outstanding) == (500, 500), "the facts are taken as they are"
    assert item(play).findings[0].values == {"outstanding": "100", "unpaid": "500"}


def test_a_reversal_that_is_settled_says_the_same_in_its_own_turn_as_after_it() -> None:
    """A turn may still hold what was settled in it; whoever reads the file anew does not."""
    asked = []
    for anew in (False, True):
        play, paid = opened(snapshot("2024-03-05", DUE)), payment("2024-03-06", 100)
        play.hear(paid)
        play.hear(reversal(paid, "2024-03-07"))
        play.hear(snapshot("2024-03-10", DUE, outstanding=100))
        if not anew:
            play.file = replace(play.file, payments={**play.file.payments, **play.settled})
        (play.hear if anew else play.apply)(snapshot("2024-03-11", instalment("2023-09-01", 500)))
        asked.append([finding.rule for finding in item(play).findings])
    assert asked == [["overdue_days_jump"]] * 2


def test_what_a_person_approves_is_not_asked_again_while_each_snapshot_shows_it() -> None:
    play = opened()
    assert decided(play, Choice.APPROVE) == ["verification-decided"]
    assert (last(play).decision, last(play).reason, last(play).decided_by) == ("approved", "asked the branch", "system")
    assert play.hear(snapshot("2024-03-06", DUE, outstanding=101)) == []
    assert play.hear(snapshot("2024-03-07", DUE, outstanding=9_000)) == ["case-updated"], "right again, and so over"
    assert play.file.loans["loan-1"].accepted == ()
    told = play.hear(snapshot("2024-03-08", DUE, outstanding=102))
    assert told == ["verification-requested", "case-updated"]
    assert not item(play).holds, "the case is worked already, and goes on"


def test_a_second_finding_is_asked_about_though_the_first_was_accepted() -> None:
    play = opened()
    decided(play, Choice.APPROVE)
    assert play.hear(snapshot("2024-03-06", DUE, outstanding=100, currency="USD"))[0] == "verification-requested"
    assert [each.rule for each in item(play).findings] == ["currency_changed"]
    assert play.file.loans["loan-1"].accepted == ("outstanding_below_unpaid",)


def test_a_change_of_currency_stops_a_case_that_is_worked_already() -> None:
    play = opened(snapshot("2024-03-05", DUE))
    assert play.hear(snapshot("2024-03-06", DUE, currency="USD"))[0] == "verification-requested"
    assert item(play).holds
    assert play.hear(snapshot("2024-03-07", DUE, currency="USD")) == [], "it is still another than was trusted"
    assert (item(play).revision, item(play).state) == (2, VerificationState.OPEN)
    assert play.hear(snapshot("2024-03-08", DUE)) == ["verification-decided", "case-updated"]
    assert last_decision(play).decision == "withdrawn"


def last_decision(play: Play) -> VerificationDecided:
    return next(each.data for each in reversed(play.told) if isinstance(each.data, VerificationDecided))


def test_what_the_bank_puts_right_by_itself_need_not_be_verified() -> None:
    play = opened()
    assert play.hear(snapshot("2024-03-06", DUE, outstanding=9_000)) == ["verification-decided", "case-updated"]
    assert (last_decision(play).decision, last_decision(play).decided_by) == ("withdrawn", "intake")
    assert item(play).settled


def test_a_corrected_amount_is_told_and_only_then_may_somebody_be_contacted() -> None:
    play = opened()
    assert decided(play, Choice.CORRECT, outstanding=9_000) == ["case-updated", "verification-decided"]
    assert (play.loan.past_due, play.loan.outstanding) == (500, 9_000)
    assert last_decision(play).decision == "corrected"


def test_a_correction_stands_while_the_bank_repeats_the_wrong_value_and_no_longer() -> None:
    play = opened()
    decided(play, Choice.CORRECT, outstanding=9_000)
    assert play.hear(snapshot("2024-03-06", DUE, outstanding=100)) == [], "the bank says what it said"
    assert play.loan.outstanding == 9_000
    assert play.hear(snapshot("2024-03-07", DUE, outstanding=8_000)) == ["case-updated"], "the bank says otherwise"
    assert (play.loan.outstanding, play.file.loans["loan-1"].said) == (8_000, None)


def test_a_correction_that_the_bank_follows_with_another_wrong_value_holds_the_case_again() -> None:
    play = opened()
    decided(play, Choice.CORRECT, outstanding=9_000)
    assert play.hear(snapshot("2024-03-06", DUE, outstanding=99))[0] == "verification-requested"
    assert item(play).holds, "though the case is worked: of this very value a person has said that it was wrong"


def test_what_was_not_corrected_follows_the_bank_while_the_correction_stands() -> None:
    play = opened()
    decided(play, Choice.CORRECT, outstanding=9_000)
    more = instalment("2024-04-01", 300)
    play.at("2024-04-02")
    assert play.hear(snapshot("2024-04-02", DUE, more, outstanding=100)) == ["case-updated"]
    assert (play.loan.past_due, play.loan.outstanding) == (800, 9_000)


def test_payments_go_on_counting_against_what_was_corrected() -> None:
    play = opened()
    decided(play, Choice.CORRECT, outstanding=9_000)
    assert play.hear(payment("2024-03-06", 200)) == ["payment-posted"]
    assert (play.loan.past_due, play.loan.outstanding) == (300, 8_800)


def test_a_correction_to_nothing_due_cures_the_case_for_as_long_as_the_bank_repeats_itself() -> None:
    play = opened()
    assert decided(play, Choice.CORRECT, instalments=()) == ["case-cured", "verification-decided"]
    assert play.hear(snapshot("2024-03-06", DUE, outstanding=100)) == []
    assert play.summary.status is CaseStatus.CURED
    later = snapshot("2024-04-02", DUE, instalment("2024-04-01", 500), outstanding=9_000)
    play.at("2024-04-02")
    assert play.hear(later) == ["verification-requested", "case-reopened"], "a person has said that it was not due"
    assert (item(play).holds, [each.rule for each in item(play).findings]) == (True, ["overdue_days_jump"])


def test_a_corrected_day_brings_the_case_back_to_the_books_of_the_lender() -> None:
    play = opened(snapshot("2026-03-05", DUE, cut_off="2024-03-05"))
    assert {each.rule for each in item(play).findings} == {"as_of_ahead", "cut_off_apart"}
    assert play.loan.bucket == "M7+"
    decided(play, Choice.CORRECT, as_of=day("2024-03-05"))
    assert (play.loan.bucket, play.summary.business_date) == ("M1", day("2024-03-05"))


def test_a_rejected_case_stays_on_hold_until_a_person_thinks_otherwise() -> None:
    play = opened()
    assert decided(play, Choice.REJECT) == ["verification-decided"]
    assert (item(play).holds, item(play).settled) == (True, False)
    assert play.hear(snapshot("2024-03-06", DUE, outstanding=9_000)) == ["case-updated"], "the bank alone lifts nothing"
    assert item(play).state is VerificationState.REJECTED
    with pytest.raises(Rejected, match="rejected already"):
        decided(play, Choice.REJECT)
    assert decided(play, Choice.APPROVE) == ["verification-decided"]
    assert last_decision(play).decision == "approved"


@pytest.mark.parametrize("choice", [None, Choice.REJECT], ids=["undecided", "rejected"])
def test_a_loan_that_ends_leaves_nothing_to_verify(choice: Choice | None) -> None:
    play = opened()
    if choice is not None:
        decided(play, choice)
    assert play.hear(closing("2024-03-06")) == ["case-closed", "verification-decided"]
    assert (last_decision(play).decision, last_decision(play).reason) == ("withdrawn", "the loan has ended")


def test_a_closing_that_comes_after_the_snapshot_that_overtook_it_ends_nothing() -> None:
    play = opened()
    assert play.hear(closing("2024-03-01")) == []
    assert item(play).state is VerificationState.OPEN


def test_another_report_of_the_corrected_moment_is_measured_by_what_the_bank_said() -> None:
    play = opened(snapshot("2024-03-05", DUE, outstanding=10**12))
    decided(play, Choice.CORRECT, outstanding=9_000)
    assert play.hear(snapshot("2024-03-05", DUE, outstanding=10**11)) == [], "of two at one moment the first is taken"
    assert play.loan.outstanding == 9_000


def test_what_is_not_due_as_corrected_opens_no_case_though_the_bank_says_that_it_is_overdue() -> None:
    play = opened(snapshot("2024-03-05", instalment("2024-03-10", 500, number=1), outstanding=1))
    right = (Instalment(number=1, due_on=day("2024-04-10"), principal=500),)
    decided(play, Choice.CORRECT, instalments=right, outstanding=9_000)
    play.at("2024-03-12")
    assert play.hear(snapshot("2024-03-12", instalment("2024-03-10", 500, number=1), outstanding=1)) == []
    assert play.at("2024-04-11") == ["case-opened"]


def test_a_loan_that_is_new_in_a_case_that_is_worked_is_verified_before_anybody_speaks_of_it() -> None:
    play = opened(snapshot("2024-03-05", DUE))
    second = snapshot("2024-03-06", instalment("2024-03-02", 700), loan="loan-2", outstanding=1)
    assert play.hear(second) == ["verification-requested", "case-updated"]
    assert item(play).holds


def test_what_is_not_due_yet_is_verified_before_it_is() -> None:
    play = opened(snapshot("2024-03-05", instalment("2024-03-10", 500), outstanding=1))
    assert [type(each.data) for each in play.told] == [VerificationRequested]
    assert item(play).holds
    assert play.at("2024-03-11") == ["case-opened"]


def test_nobody_decides_about_what_they_have_not_seen() -> None:
    play = opened()
    play.hear(snapshot("2024-03-06", DUE, outstanding=99))
    with pytest.raises(Rejected, match="read it again") as refused:
        decided(play, Choice.APPROVE, revision=1)
    assert refused.value.field == "revision"
    assert decided(play, Choice.APPROVE, revision=2) == ["verification-decided"]
    with pytest.raises(Rejected, match="was approved already"):
        decided(play, Choice.APPROVE)


@pytest.mark.parametrize(
    ("right", "field"),
    [
        pytest.param({}, "corrected", id="nothing is said to be right"),
        pytest.param({"outstanding": 100}, "corrected", id="what the bank says"),
        pytest.param({"instalments": (DUE, DUE)}, "corrected.instalments", id="a number twice"),
        pytest.param(
            {"instalments": (Instalment(number=1, due_on=day("1066-10-14")),)}, "corrected.instalments", id="no year"
        ),
    ],
)
def test_a_correction_that_corrects_nothing_is_refused(right: dict[str, Any], field: str) -> None:
    play = opened()
    with pytest.raises(Rejected) as refused:
        decided(play, Choice.CORRECT, **right)
    assert refused.value.field == field


def test_what_looks_wrong_in_a_correction_has_been_seen_by_who_made_it() -> None:
    play = opened()
    decided(play, Choice.CORRECT, outstanding=10**12)
    assert play.file.loans["loan-1"].accepted == ("amount_out_of_range",)
    assert play.hear(snapshot("2024-03-06", DUE, outstanding=100)) == []


def test_the_same_snapshot_twice_and_one_that_comes_late_raise_nothing_more() -> None:
    play = opened()
    assert play.hear(DOUBTFUL) == []
    assert play.hear(snapshot("2024-03-04", DUE, outstanding=50)) == []
    assert item(play).revision == 1


def test_a_payment_that_was_taken_back_explains_what_is_unpaid_since_before() -> None:
    play = Play()
    play.at("2024-03-20")
    paid = payment("2024-02-10", 500)
    play.hear(paid)
    play.hear(snapshot("2024-03-05", DUE))
    older = snapshot("2024-03-20", instalment("2024-02-01", 500), DUE)
    play.hear(reversal(paid, "2024-03-15", settled_due_on="2024-02-01"))
    assert play.hear(older) == []
    assert play.file.verifications == {}
