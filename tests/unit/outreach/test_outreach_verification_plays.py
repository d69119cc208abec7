"""Dated plays: while what the bank says is to be verified, nobody is contacted."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from services.outreach.plans.commands import ReleaseHold
from services.outreach.plans.domain.course import obstacle
from services.outreach.plans.domain.rows import HoldSource
from shared.contracts import intake
from shared.contracts.intake import VerificationDecision
from shared.service import Rejected
from tests.unit.outreach.play import Play, case, treatment

DOUBT = intake.VerificationRequested(verification_id="v-1", loan_id="loan-1", rules=("currency_changed",), holds=True)
LISTED = intake.VerificationRequested(verification_id="v-2", loan_id="loan-1", rules=("cut_off_apart",), holds=False)


def decided(decision: str, verification_id: str = "v-1") -> intake.VerificationDecided:
    return intake.VerificationDecided(
        verification_id=verification_id,
        loan_id="loan-1",
        decision=VerificationDecision(decision),
        decided_by="operator/ann",
        reason="asked the branch",
    )


def waiting() -> Play:
    """A new case that is to be verified, with a treatment that asks for a plan."""
    play = Play()
    assert play.tell(DOUBT) == []
    play.tell(intake.CaseOpened(case=case()), 1)
    play.tell(treatment(), 1)
    return play


def test_a_new_case_gets_no_plan_before_somebody_has_decided() -> None:
    play = waiting()
    assert play.wait(days=30) == []
    assert obstacle(play.state) == "on hold"
    (hold,) = play.state.holds.values()
    assert (hold.source, hold.reason, hold.placed_by) == (HoldSource.VERIFICATION, "verification", "intake")


@pytest.mark.parametrize("decision", ["approved", "corrected", "withdrawn"])
def test_the_plan_starts_a_moment_after_the_decision(decision: str) -> None:
    play = waiting()
    play.wait(days=3)
    assert play.tell(decided(decision)) == []
    assert play.wait(minutes=1) == ["plan 1 started: EARLY"]


def test_a_rejected_case_is_never_worked_until_somebody_thinks_otherwise() -> None:
    play = waiting()
    assert play.tell(decided("rejected")) == []
    assert play.wait(days=90) == []
    play.tell(decided("approved"))
    assert play.wait(minutes=1) == ["plan 1 started: EARLY"]


def test_what_is_only_listed_stops_nothing() -> None:
    play = Play().started()
    assert play.tell(LISTED) == []
    assert play.state.holds == {}
    assert play.tell(decided("approved", "v-2")) == [], "and there is nothing to lift"
    assert play.plan.state == "active"


@pytest.mark.parametrize("fact", [DOUBT, decided("rejected", "v-2")], ids=["a new doubt", "a rejection of what ran"])
def test_a_plan_that_runs_is_stopped(fact: object) -> None:
    play = Play().started()
    assert play.tell(fact) == ["plan 1 stopped: hold placed, cancelled [1, 2]"]
    assert play.wait(days=30) == []


def test_two_loans_to_verify_are_two_holds_and_both_must_go() -> None:
    play = waiting()
    play.tell(replace_id(DOUBT, "v-3"))
    play.tell(decided("approved"))
    assert play.wait(days=5) == []
    play.tell(decided("approved", "v-3"))
    assert play.wait(minutes=1) == ["plan 1 started: EARLY"]


def replace_id(doubt: intake.VerificationRequested, verification_id: str) -> intake.VerificationRequested:
    return intake.VerificationRequested(
        verification_id=verification_id, loan_id="loan-2", rules=doubt.rules, holds=doubt.holds
    )


def test_the_same_request_again_changes_nothing() -> None:
    play = waiting()
    before = play.state
    play.now = replace(play.now, instant=later(play.now.instant))
    assert play.tell(DOUBT) == []
    assert play.state == before


def later(instant: datetime) -> datetime:
    return instant + timedelta(hours=1)


def test_staff_of_outreach_cannot_lift_the_hold() -> None:
    play = waiting()
    with pytest.raises(Rejected, match="only intake can lift this hold"):
        play.tell(ReleaseHold(hold_id="verification:v-1", reason="in a hurry"))


def test_settled_rows_that_were_not_loaded_change_nothing() -> None:
    play = Play(forgets=True)
    play.tell(DOUBT)
    play.tell(decided("approved"))
    play.tell(intake.CaseOpened(case=case()), 1)
    play.tell(treatment(), 1)
    assert play.tell(decided("withdrawn")) == []
    assert play.wait(minutes=2) == ["plan 1 started: EARLY"]
