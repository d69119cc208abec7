"""Dated plays of cases that agencies are offered, take, are asked for back, and have no more."""

from datetime import date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from services.outreach.agencies.placements.commands import (
    AcceptPlacement,
    AskAgencyPermit,
    AskRecall,
    DeclinePlacement,
    HandBackPlacement,
    ObjectToRecall,
    OfferPlacement,
    RecallPlacement,
    WithdrawRecall,
)
from services.outreach.permits.commands import AskPermit
from services.outreach.plans.domain.rows import Channel
from shared.contracts import intake, placements
from shared.contracts.agencies import AgencyListed, AgencyState
from tests.unit.outreach.placing import ALPHA, BETA, CALL, CHIEF, MORNING, Placing, last, listed, opened, unknown
from tests.unit.outreach.play import CLOSED, CURED, case, loan

OFFERED, ACCEPTED, RECALL_ASKED, OBJECTED = "offered", "accepted", "recall_asked", "objected"


@pytest.fixture(params=[False, True], ids=["all in memory", "loaded anew each time"])
def play(request: pytest.FixtureRequest) -> Placing:
    return opened(forgets=request.param)


# -- the offer ---------------------------------------------------------------------------------------------------------


def test_a_case_is_offered_with_what_is_owed_and_until_when(play: Placing) -> None:
    assert play.offer(days=90) == ["PlacementOffered"]
    offered = last(play, placements.PlacementOffered)
    assert (offered.agency_id, offered.amount, offered.currency, offered.tier) == ("alpha", 50_000, "CNY", 1)
    assert (offered.offered_on, offered.ends_on) == (date(2026, 3, 2), date(2026, 5, 31))
    assert (play.placement.state, play.placement.answer_by) == (OFFERED, date(2026, 3, 5))
    assert [each.loan_id for each in play.placement.owed.loans] == ["loan-1"]
    assert play.changes == ["alpha offered offered"]


def test_a_placement_ends_with_the_contract_at_the_latest(play: Placing) -> None:
    play.listed("alpha", listed(contract_until=date(2026, 4, 1)))
    play.offer(days=90)
    assert play.placement.ends_on == date(2026, 4, 1)


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        pytest.param(None, "the agency is not on the register", id="not on the register"),
        pytest.param(listed(state=AgencyState.SUSPENDED), "the agency is suspended", id="suspended"),
        pytest.param(listed(licence_until=date(2026, 3, 1)), "the agency's licence has lapsed", id="no licence"),
        pytest.param(listed(contract_until=date(2026, 3, 1)), "the agency's contract has ended", id="no contract"),
        pytest.param(listed(contract_from=date(2026, 3, 3)), "the agency's contract has not begun", id="not yet"),
        pytest.param(listed(commission_ppm=()), "no commission is agreed with this agency", id="no share"),
    ],
)
def test_an_agency_that_may_not_work_is_offered_nothing(play: Placing, word: AgencyListed | None, reason: str) -> None:
    play.listed("alpha", word)
    assert play.refused(OfferPlacement(agency_id="alpha", days=90), CHIEF) == ("agency_id", reason)
    play.listed("beta", listed("beta"))
    assert play.offer("beta") == ["PlacementOffered"]


@pytest.mark.parametrize(
    ("status", "reason"),
    [pytest.param(each, "the debtor has no open case", id=each) for each in (CURED, CLOSED)],
)
def test_only_an_open_case_is_offered(play: Placing, status: intake.CaseStatus, reason: str) -> None:
    play.tell(intake.CaseCured(case=case(status)), 2)
    assert play.refused(OfferPlacement(agency_id="alpha", days=90), CHIEF) == ("debtor_id", reason)
    assert unknown().refused(OfferPlacement(agency_id="alpha", days=90), CHIEF) == ("debtor_id", reason)


def test_what_nobody_owes_is_not_offered(play: Placing) -> None:
    play.tell(intake.CaseUpdated(case=case(loans=(loan(past_due=0),))), 2)
    assert play.refused(OfferPlacement(agency_id="alpha", days=90), CHIEF) == ("debtor_id", "nothing is past due")


def test_a_case_is_with_one_agency_at_a_time_for_a_time_that_the_house_sets(play: Placing) -> None:
    asked = OfferPlacement(agency_id="alpha", days=211)
    assert play.refused(asked, CHIEF) == ("days", "a placement lasts 210 days at most")
    play.offer()
    again = OfferPlacement(agency_id="beta", days=90)
    assert play.refused(again, CHIEF) == ("debtor_id", "the case is placed already")


def test_a_case_that_was_declined_goes_to_the_next_and_never_to_the_same_again(play: Placing) -> None:
    play.offer()
    declined = DeclinePlacement(placement_id=play.placement.placement_id, reason="no people there")
    assert play.tell(declined, actor=ALPHA) == ["PlacementEnded"]
    assert last(play, placements.PlacementEnded).end == placements.PlacementEnd.DECLINED
    again = OfferPlacement(agency_id="alpha", days=90)
    assert play.refused(again, CHIEF) == ("agency_id", "this agency was offered the case before")
    play.wait(days=1)
    play.offer("beta")
    assert (play.placement.agency_id, play.placement.tier) == ("beta", 1)


def test_the_tier_counts_the_agencies_that_have_had_the_case(play: Placing) -> None:
    play.placed("alpha")
    play.tell(HandBackPlacement(placement_id=play.placement.placement_id, reason="nobody found"), actor=ALPHA)
    play.wait(days=1)
    play.placed("beta")
    assert (play.placement.tier, play.placement.commission_ppm) == (2, 250_000)


def test_a_case_that_was_cured_begins_anew(play: Placing) -> None:
    play.placed("alpha")
    play.pay(status=CURED)
    play.tell(intake.CaseReopened(case=case()), 9)
    play.wait(days=1)
    assert play.offer("alpha") == ["PlacementOffered"]
    assert play.placement.tier == 1


def test_an_offer_that_nobody_answers_is_over_the_day_after_its_last(play: Placing) -> None:
    play.offer()
    assert play.until(MORNING + timedelta(days=3)) == []
    assert play.until(MORNING + timedelta(days=4)) == ["PlacementEnded"]
    assert last(play, placements.PlacementEnded).end == placements.PlacementEnd.NOT_ANSWERED
    late = AcceptPlacement(placement_id=play.placement.placement_id)
    assert play.refused(late)[0] == "placement_id"


def test_an_agency_that_may_no_longer_work_cannot_accept(play: Placing) -> None:
    play.offer()
    play.listed("alpha", listed(state=AgencyState.SUSPENDED))
    accepting = AcceptPlacement(placement_id=play.placement.placement_id)
    assert play.refused(accepting) == ("placement_id", "the agency is suspended")


@pytest.mark.parametrize(
    "of_another",
    [
        AcceptPlacement(placement_id="x"),
        DeclinePlacement(placement_id="x", reason="no"),
        HandBackPlacement(placement_id="x", reason="no"),
        ObjectToRecall(placement_id="x", reason="no"),
        AskAgencyPermit(placement_id="x", asked=CALL),
    ],
    ids=lambda each: type(each).__name__,
)
def test_what_is_anothers_is_refused_as_what_does_not_exist(play: Placing, of_another: Any) -> None:
    nothing = play.refused(of_another, BETA)
    play.offer()
    theirs = replace_id(of_another, play.placement.placement_id)
    assert play.refused(theirs, BETA) == nothing == ("placement_id", "no such placement")
    play.accept()
    assert play.refused(theirs, BETA) == nothing


def replace_id(command: Any, placement_id: str) -> Any:
    return msgspec.structs.replace(command, placement_id=placement_id)


# -- the recall --------------------------------------------------------------------------------------------------------


def test_a_recall_without_objection_becomes_final_by_itself(play: Placing) -> None:
    play.placed()
    assert play.recall(date(2026, 3, 6)) == ["PlacementRecallAsked"]
    assert play.placement.state == RECALL_ASKED
    assert play.ask() == ["PermitGranted"], "until it is final, the agency works on"
    assert "PlacementEnded" not in play.until(datetime(2026, 3, 6, 15, tzinfo=MORNING.tzinfo))
    assert play.until(MORNING + timedelta(days=5)) == ["PlacementEnded"]
    ended = last(play, placements.PlacementEnded)
    assert (ended.end, ended.reason) == (placements.PlacementEnd.RECALLED, "no progress")


def test_an_objection_leaves_the_case_with_the_agency_until_somebody_decides(play: Placing) -> None:
    play.placed()
    play.recall(date(2026, 3, 6))
    placement_id = play.placement.placement_id
    assert play.tell(ObjectToRecall(placement_id=placement_id, reason="they pay on Friday"), actor=ALPHA) == [
        "PlacementRecallObjected"
    ]
    play.until(MORNING + timedelta(days=10))
    assert (play.placement.state, play.placement.objection) == (OBJECTED, "they pay on Friday")
    final = RecallPlacement(placement_id=placement_id, reason="they did not pay")
    assert play.tell(final, actor=CHIEF) == ["PlacementEnded"]
    assert play.placement.ended_as == "recalled"


def test_a_recall_is_withdrawn_and_may_be_asked_for_again(play: Placing) -> None:
    play.placed()
    play.recall(date(2026, 3, 6))
    placement_id = play.placement.placement_id
    play.tell(ObjectToRecall(placement_id=placement_id, reason="they pay on Friday"), actor=ALPHA)
    withdrawn = WithdrawRecall(placement_id=placement_id, reason="they did pay")
    assert play.tell(withdrawn, actor=CHIEF) == ["PlacementRecallWithdrawn"]
    assert play.until(MORNING + timedelta(days=10)) == []
    assert (play.placement.state, play.placement.objection, play.placement.objections_until) == (ACCEPTED, "", None)
    assert play.refused(withdrawn, CHIEF) == ("placement_id", "the placement is accepted")
    assert play.recall(date(2026, 3, 20)) == ["PlacementRecallAsked"]


@pytest.mark.parametrize("until", [date(2026, 3, 3), date(2026, 3, 18)])
def test_an_agency_is_heard_for_neither_too_short_nor_too_long(play: Placing, until: date) -> None:
    play.placed()
    asked = AskRecall(placement_id=play.placement.placement_id, reason="no progress", objections_until=until)
    assert play.refused(asked, CHIEF) == ("objections_until", "an agency is heard for 2 to 15 days")


def test_an_agency_objects_to_nothing_that_was_not_asked(play: Placing) -> None:
    play.placed()
    objecting = ObjectToRecall(placement_id=play.placement.placement_id, reason="they pay on Friday")
    assert play.refused(objecting) == ("placement_id", "the placement is accepted")


def test_a_case_is_taken_back_at_once_where_it_must_be(play: Placing) -> None:
    play.placed()
    final = RecallPlacement(placement_id=play.placement.placement_id, reason="complaints")
    assert play.tell(final, actor=CHIEF) == ["PlacementEnded"]
    assert play.state.placement_due is None


# -- the end -----------------------------------------------------------------------------------------------------------


def test_time_is_up_the_day_after_the_last(play: Placing) -> None:
    play.placed(days=30)
    assert play.until(MORNING + timedelta(days=30)) == []
    assert play.until(MORNING + timedelta(days=31)) == ["PlacementEnded"]
    assert play.placement.ended_as == "time_is_up"


def test_with_its_contract_an_agencys_placements_end(play: Placing) -> None:
    play.listed("alpha", listed(contract_until=date(2026, 3, 20)))
    play.placed(days=90)
    play.until(MORNING + timedelta(days=19))
    assert play.placement.ended_as == "contract_ended"


@pytest.mark.parametrize(
    ("fact", "end"),
    [
        pytest.param(intake.CaseCured(case=case(CURED)), "paid", id="a cured case"),
        pytest.param(intake.CaseClosed(case=case(CLOSED)), "closed", id="a closed case"),
    ],
)
@pytest.mark.parametrize("accepted", [False, True])
def test_a_case_that_ends_ends_its_placement_in_the_same_breath(
    play: Placing, fact: Any, end: str, *, accepted: bool
) -> None:
    play.offer()
    if accepted:
        play.accept()
        play.ask()
    told = play.tell(fact, 2)
    assert told[-1] == "PlacementEnded"
    assert play.placement.ended_as == end
    assert {each.state.value for each in play.state.contacts.values()} <= {"not_made"}


def test_what_is_owed_follows_the_case_while_the_placement_lives(play: Placing) -> None:
    play.placed()
    play.tell(intake.CaseUpdated(case=case(loans=(loan(past_due=70_000), loan("loan-2", 5_000)))), 2)
    assert (play.placement.owed.past_due, play.placement.amount) == (75_000, 50_000)
    play.tell(intake.CaseUpdated(case=case(loans=(loan(past_due=70_000), loan("loan-2", 5_000)))), 3)
    assert play.changes[-1:] == ["alpha updated accepted"]
    assert play.changes.count("alpha updated accepted") == 1


def test_a_visit_by_an_agency_says_how_many_stand_at_the_door(play: Placing) -> None:
    play.placed()
    assert play.ask(asked=AskPermit(channel=Channel.VISIT, crew=1))[0].startswith("denied by")
    assert play.ask(asked=AskPermit(channel=Channel.VISIT, crew=2)) == ["PermitGranted"]
