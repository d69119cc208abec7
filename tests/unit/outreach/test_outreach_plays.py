"""Dated plays: what outreach tells after each act, and nothing else."""

from dataclasses import replace
from datetime import date, timedelta

import msgspec
import pytest

from services.outreach.plans.domain.rows import StepDue
from shared.contracts import intake, outreach
from shared.contracts.envelope import Event, Moment
from shared.contracts.segmentation import Channel
from shared.service import Rejected
from tests.unit.outreach.play import (
    CLOSED,
    CURED,
    LANE,
    LENDER,
    MIDNIGHT,
    Play,
    case,
    loan,
    payment,
    reversal,
    treatment,
)

VISIT = treatment("PRE_LEGAL", (Channel.LETTER, 0), (Channel.VISIT, 1), (Channel.LEGAL_REFERRAL, 2))
SCHEDULED = outreach.VisitScheduled(
    plan_number=1, step_number=2, district="CN-310115", crew="SH-E1", visit_on=date(2026, 3, 5), distance_km=3
)


def test_a_case_gets_a_plan_that_runs_to_its_end_and_contacts_nobody() -> None:
    play = Play()
    assert play.tell(intake.CaseOpened(case=case()), 1) == []
    assert play.tell(treatment(), 1) == []
    assert play.wait(minutes=1) == ["plan 1 started: EARLY"]
    assert play.wait(days=1) == ["step 1 not_dispatched: dispatch is off"]
    assert play.wait(days=3) == ["step 2 not_dispatched: dispatch is off"]
    assert (play.plan.state, play.plan.settled, play.state.step_due) == ("completed", True, {})
    assert play.wait(days=90) == []


def test_a_payment_stops_the_plan_and_the_treatment_confirmed_after_it_starts_the_next() -> None:
    play = Play().started()
    assert play.tell(payment(), 2) == ["plan 1 stopped: payment posted, cancelled [1, 2]"]
    assert play.steps() == {1: "cancelled", 2: "cancelled"}
    assert play.wait(days=1) == [], "the treatment held is older than the payment"
    assert play.tell(treatment(), 2) == []
    assert play.wait(minutes=2) == ["plan 2 started: EARLY"]


def test_a_treatment_computed_before_a_payment_arrives_after_it_and_starts_nothing() -> None:
    play = Play()
    play.tell(intake.CaseOpened(case=case()), 1)
    play.tell(payment(), 2)
    assert play.tell(treatment(), 1) == []
    assert play.wait(days=30) == []
    assert [(row.reason, row.treatments) for row in play.state.refused] == [("older than the last stop", 1)]


def test_a_treatment_that_knows_a_payment_may_arrive_before_it() -> None:
    play = Play().started()
    assert play.tell(treatment("INTENSIVE"), 2) == []
    assert play.tell(payment(), 2) == ["plan 1 stopped: payment posted, cancelled [1, 2]"]
    assert play.wait(minutes=2) == ["plan 2 started: INTENSIVE"]


NOTHING = msgspec.structs.replace(treatment("INTENSIVE", version=2), steps=())


def test_a_treatment_without_steps_stops_what_runs_at_once_and_nothing_takes_its_place() -> None:
    play = Play().started()
    assert play.tell(NOTHING, 1) == ["plan 1 stopped: nobody is to be contacted, cancelled [1, 2]"]
    assert play.wait(days=90) == []
    assert play.tell(payment(), 2) == []
    assert play.tell(NOTHING, 2) == []
    assert play.wait(days=90) == []
    assert play.tell(treatment(), 2) == []
    assert play.wait(minutes=2) == ["plan 2 started: EARLY"]


def test_a_case_that_begins_with_a_treatment_without_steps_has_no_plan() -> None:
    play = Play()
    play.tell(intake.CaseOpened(case=case()), 1)
    assert play.tell(NOTHING, 1) == []
    assert play.wait(days=90) == []
    assert (play.state.plans, play.state.plan_due) == ({}, None)


def test_a_treatment_without_steps_withdraws_the_crew_that_has_yet_to_go() -> None:
    play = Play().started(assigned=VISIT)
    play.wait(days=2)
    play.tell(SCHEDULED)
    assert play.tell(NOTHING, 1) == ["plan 1 stopped: nobody is to be contacted, cancelled [3]"]
    assert [visit.state for visit in play.state.visits.values()] == ["withdrawn"]


@pytest.mark.parametrize("first", ["the payment", "the treatment"])
def test_a_payment_after_a_plan_has_run_lets_the_treatment_confirmed_after_it_begin_again(first: str) -> None:
    play = Play().started()
    play.wait(days=9)
    facts = [payment(), treatment()] if first == "the payment" else [treatment(), payment()]
    assert [play.tell(fact, 2) for fact in facts] == [[], []]
    assert play.wait(minutes=2) == ["plan 2 started: EARLY"]


def test_a_treatment_that_arrives_before_its_case_waits_for_it() -> None:
    play = Play()
    assert play.tell(treatment(), 1) == []
    assert play.wait(days=1) == []
    assert play.tell(intake.CaseOpened(case=case()), 1) == []
    assert play.wait(minutes=1) == ["plan 1 started: EARLY"]


def test_several_treatments_of_one_night_make_one_plan_from_the_last() -> None:
    play = Play()
    play.tell(intake.CaseOpened(case=case()), 1)
    play.tell(treatment("REMIND"), 1)
    play.tell(treatment("EARLY"), 2)
    play.tell(treatment("INTENSIVE"), 3)
    assert play.wait(hours=1) == ["plan 1 started: INTENSIVE"]


def test_later_facts_do_not_put_off_the_plan_that_is_due() -> None:
    play = Play()
    play.tell(intake.CaseOpened(case=case()), 1)
    play.tell(treatment(), 1)
    play.wait(seconds=50)
    play.tell(intake.CaseUpdated(case=case()), 2)
    assert play.wait(seconds=10) == ["plan 1 started: EARLY"]


def test_the_same_treatment_again_lets_the_plan_go_on() -> None:
    play = Play().started()
    assert play.tell(treatment(), 2) == []
    assert play.wait(days=1) == ["step 1 not_dispatched: dispatch is off"]
    assert play.wait(days=9) == ["step 2 not_dispatched: dispatch is off"]
    assert play.tell(treatment(), 3) == []
    assert play.wait(days=9) == [], "a plan that has run to its end is not begun again"


def test_a_treatment_that_changes_and_changes_back_lets_the_plan_go_on() -> None:
    play = Play().started()
    play.tell(treatment("INTENSIVE"), 2)
    play.tell(treatment("EARLY"), 3)
    assert play.wait(hours=1) == []
    assert play.plan.state == "active"


def test_a_new_stage_takes_the_place_of_the_plan_a_moment_later() -> None:
    play = Play().started()
    assert play.tell(treatment("INTENSIVE"), 2) == []
    assert play.wait(minutes=2) == [
        "plan 1 stopped: treatment changed, cancelled [1, 2]",
        "plan 2 started: INTENSIVE",
    ]


def test_a_new_version_of_the_strategy_takes_the_place_of_the_plan() -> None:
    play = Play().started()
    play.tell(treatment(version=2), 2)
    assert play.wait(minutes=2)[1:] == ["plan 2 started: EARLY"]


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        pytest.param(intake.CaseCured(case=case(CURED)), "case cured", id="a cure stops the plan"),
        pytest.param(intake.CaseClosed(case=case(CLOSED)), "case closed", id="a closing stops the plan"),
        pytest.param(payment(CURED), "payment posted", id="a payment that cures stops the plan"),
    ],
)
def test_what_ends_a_case_stops_everything_until_it_is_open_again(ending: intake.OfCase, reason: str) -> None:
    play = Play().started()
    assert play.tell(ending, 2) == [f"plan 1 stopped: {reason}, cancelled [1, 2]"]
    assert play.tell(treatment(), 2) == []
    assert play.wait(days=30) == []
    assert play.tell(intake.CaseReopened(case=case()), 3) == []
    assert play.wait(days=1) == [], "the treatment from before the end is not taken up again"
    assert play.tell(treatment(), 3) == []
    assert play.wait(minutes=2) == ["plan 2 started: EARLY"]


def test_a_reversal_resumes_what_a_payment_had_stopped() -> None:
    play = Play().started()
    play.tell(payment(CURED), 2)
    assert play.tell(treatment(), 4) == [], "the treatment of the reopened case may come first"
    assert play.tell(reversal(), 3) == []
    assert play.wait(minutes=2) == ["plan 2 started: EARLY"]


def test_a_payment_of_somebody_without_a_case_changes_nothing() -> None:
    play = Play()
    before = play.state
    unrelated = intake.PaymentPosted(
        case=None, loan_id="l", payment_id="p", amount=1, currency="CNY", posted_at=play.now.instant
    )
    assert play.tell(unrelated, 0) == []
    assert play.state is before


def test_an_older_case_fact_changes_nothing_of_the_copy() -> None:
    play = Play()
    play.tell(intake.CaseUpdated(case=case(district="CN-310101")), 5)
    play.tell(intake.CaseUpdated(case=case(district="CN-310120")), 4)
    assert play.state.guard is not None
    assert (play.state.guard.district, play.state.guard.case_version) == ("CN-310101", 5)


def test_a_visit_is_asked_for_assigned_and_the_referral_follows() -> None:
    play = Play().started(assigned=VISIT)
    assert play.wait(days=2)[1:] == ["VisitRequested 1/2 CN-310115"]
    asked = play.told[-1]
    assert asked.data == outreach.VisitRequested(
        plan_number=1,
        step_number=2,
        district="CN-310115",
        past_due=50_000,
        currency="CNY",
        requested_on=date(2026, 3, 3),
    )
    assert (asked.case_version, asked.lender_id) == (1, LENDER)
    assert play.tell(SCHEDULED) == ["step 2 assigned: crew SH-E1 on 2026-03-05"]
    assert play.wait(days=1) == ["step 3 referred: handed to legal", "LegalReferred"]
    assert (play.plan.state, play.steps()) == ("completed", {1: "not_dispatched", 2: "assigned", 3: "referred"})


def test_a_visit_that_no_crew_takes_ends_its_step_with_the_reason() -> None:
    play = Play().started(assigned=VISIT)
    play.wait(days=2)
    refused = outreach.VisitNotScheduled(plan_number=1, step_number=2, district="d", reason="no crew had room")
    assert play.tell(refused) == ["step 2 unassigned: no crew had room"]
    assert play.tell(refused) == []


def test_a_visit_whose_step_was_cancelled_meanwhile_is_kept_as_withdrawn() -> None:
    play = Play(forgets=True).started(assigned=VISIT)
    play.wait(days=2)
    assert play.tell(payment(), 2) == ["plan 1 stopped: payment posted, cancelled [2, 3]"]
    assert play.tell(SCHEDULED) == []
    assert [(visit.crew, visit.state) for visit in play.state.visits.values()] == [("SH-E1", "withdrawn")]
    assert play.steps()[2] == "cancelled"


@pytest.mark.parametrize("paid", [pytest.param(True, id="withdrawn"), pytest.param(False, id="assigned")])
def test_an_allocation_that_is_told_twice_changes_nothing(paid: bool) -> None:  # noqa: FBT001  # a table's column
    play = Play(forgets=True).started(assigned=VISIT)
    play.wait(days=2)
    play.tell(SCHEDULED)
    if paid:
        play.tell(payment(), 2)
    play.wait(days=1)
    before = play.state
    assert play.tell(SCHEDULED) == []
    assert play.state == before


def test_a_payment_withdraws_the_crew_that_has_yet_to_go() -> None:
    play = Play().started(assigned=VISIT)
    play.wait(days=2)
    play.tell(SCHEDULED)
    play.tell(payment(), 2)
    assert play.state.visits[1, 2].state == "withdrawn"


def test_a_payment_leaves_the_visit_that_was_made() -> None:
    play = Play().started(assigned=VISIT)
    play.wait(days=2)
    play.tell(SCHEDULED)
    play.wait(days=9)
    play.tell(payment(), 2)
    assert (play.state.visits[1, 2].state, play.state.visits[1, 2].settled) == ("assigned", True)


def test_a_step_is_looked_at_again_at_the_moment_it_falls_due() -> None:
    """The stops leave no such state behind; the check at the door stands all the same."""
    play = Play().started()
    assert play.state.guard is not None
    play.state = replace(play.state, guard=replace(play.state.guard, status=None))
    (first, *_) = sorted(play.state.step_due.values(), key=lambda due: due.due_at)
    assert play.until(first.due_at) == ["plan 1 stopped: no case is known, cancelled [1, 2]"]


def test_a_due_row_of_a_step_that_has_ended_does_nothing() -> None:
    play = Play().started()
    play.wait(days=1)
    due = StepDue(plan_number=1, step_number=1, due_at=play.now.instant, lender_id=LENDER)
    assert play.tell(due) == []


def test_steps_days_apart_stay_apart_when_the_books_lag_behind() -> None:
    play = Play()
    play.now = replace(play.now, business_date=date(2026, 2, 20))
    play.tell(intake.CaseOpened(case=case()), 1)
    play.tell(treatment(), 1)
    due = play.state.plan_due
    assert due is not None
    play.now = replace(play.now, instant=due.due_at)
    play.state = replace(play.state, plan_due=None)
    play.tell(due)
    first, second = (play.state.steps[1, number].due_at for number in (1, 2))
    assert first >= due.due_at
    assert second - first > timedelta(days=2)


def test_the_weight_of_a_case_is_in_one_currency() -> None:
    play = Play()
    loans = (
        loan("a", 700, currency="USD", oldest_due_on=date(2026, 2, 9)),
        loan("b", 30, currency="CNY", oldest_due_on=date(2026, 1, 9)),
        loan("c", 12, currency="CNY", oldest_due_on=date(2026, 2, 20)),
        loan("d", 0, currency="EUR", oldest_due_on=None),
    )
    play.tell(intake.CaseOpened(case=case(loans=loans)), 1)
    assert play.state.guard is not None
    assert (play.state.guard.past_due, play.state.guard.currency) == (42, "CNY")


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(((1, 0), (1, 2)), id="two steps of one number"),
        pytest.param(((1, -1),), id="a step before its plan"),
    ],
)
def test_a_treatment_that_contradicts_itself_is_refused(steps: tuple[tuple[int, int], ...]) -> None:
    whole = treatment()
    (step, _) = whole.steps
    wrong = tuple(type(step)(number=number, channel=step.channel, after_days=days) for number, days in steps)
    broken = type(whole)(stage="EARLY", strategy="s", strategy_version=1, steps=wrong, explanation=whole.explanation)
    with pytest.raises(Rejected, match="steps:"):
        Play().tell(broken, 1)


@pytest.mark.parametrize(
    ("known", "told"),
    [
        pytest.param(date(2026, 3, 9), 1, id="a date that has just been reached"),
        pytest.param(date(2026, 3, 10), 0, id="a date that comes late is passed over"),
    ],
)
def test_a_lane_says_that_it_has_asked_for_every_visit_of_the_days_before(known: date, told: int) -> None:
    now = Moment(MIDNIGHT, known)
    event = Event(
        id="e",
        type="",
        lender_id=LENDER,
        occurred_at=MIDNIGHT,
        recorded_at=MIDNIGHT,
        data=intake.BusinessDateAdvanced(business_date=date(2026, 3, 9)),
    )
    closed = outreach.RequestsClosed(requested_on=date(2026, 3, 8), next_business_date=date(2026, 3, 9))
    assert [each.data for each in LANE.on_lane[intake.BusinessDateAdvanced](event, now)] == [closed] * told
