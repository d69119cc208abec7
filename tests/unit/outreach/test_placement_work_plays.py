"""Dated plays of cases that agencies work: under permits, within the lender's caps, and with no contact of our own."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from services.outreach.agencies.placements.commands import (
    AskAgencyPermit,
    GiveBackAgencyPermit,
    HandBackPlacement,
    RecallPlacement,
    RecordAgencyOutcome,
)
from services.outreach.outcomes.commands import PromiseSaid, RecordOutcome
from services.outreach.service import declare
from shared.contracts import outreach
from shared.contracts.agencies import AgencyListed, AgencyState
from shared.contracts.outreach import OutcomeResult
from shared.contracts.segmentation import Channel as Prescribed
from tests.unit.outreach.placing import ALPHA, BETA, CALL, CHIEF, MORNING, Placing, last, listed, opened
from tests.unit.outreach.play import CURED, LEGAL_HOLD, SETTINGS, treatment
from tests.unit.outreach.test_contact_plays import LANE as SENDING

QUEUEING, *_ = declare(replace(SETTINGS, worked_by_people=("phone",))).actors


@pytest.fixture(params=[False, True], ids=["all in memory", "loaded anew each time"])
def play(request: pytest.FixtureRequest) -> Placing:
    return opened(forgets=request.param)


# -- worked ------------------------------------------------------------------------------------------------------------


def test_an_agency_calls_under_a_permit_and_a_payment_takes_it_back_at_once(play: Placing) -> None:
    play.placed()
    assert play.ask() == ["PermitGranted"]
    granted = last(play, outreach.PermitGranted)
    assert granted.asked_by == ALPHA
    assert "CN-A1" in {rule.rule for rule in granted.rules}
    assert play.pay(status=CURED) == ["ContactNotMade", "PlacementPaid", "PlacementEnded"]
    [permit] = play.state.contacts.values()
    assert (permit.state, permit.reason) == ("not_made", "revoked: payment posted")
    assert (play.placement.state, play.placement.ended_as) == ("ended", "paid")
    refused = AskAgencyPermit(placement_id=play.placement.placement_id, asked=CALL)
    assert play.refused(refused)[0] == "placement_id"


def test_an_agency_has_no_permit_for_a_case_that_it_was_only_offered(play: Placing) -> None:
    play.offer()
    asked = AskAgencyPermit(placement_id=play.placement.placement_id, asked=CALL)
    assert play.refused(asked) == ("placement_id", "the placement is offered")


@pytest.mark.parametrize(
    ("word", "field"),
    [
        pytest.param(listed(contract_until=date(2026, 3, 1)), "contract_valid", id="its contract has ended"),
        pytest.param(listed(published=False), "on_published_list", id="it is on no published list"),
        pytest.param(listed(last_evaluation_on=date(2025, 3, 1)), "last_evaluation", id="it was evaluated long ago"),
        pytest.param(listed(trained_until=date(2026, 3, 1)), "training_current", id="its people are not trained"),
        pytest.param(listed(trained_until=None), "training_current", id="nobody knows whether they are"),
        pytest.param(None, "on_published_list", id="it is not on the register any more"),
    ],
)
def test_the_rules_look_at_the_agency_before_each_contact(play: Placing, word: AgencyListed | None, field: str) -> None:
    play.placed()
    play.listed("alpha", word)
    assert play.ask() == ["denied by CN-A1 until None"]
    [found] = last(play, outreach.ContactDenied).findings
    assert found.reason.endswith(field)


def test_one_that_is_suspended_is_refused_where_no_rule_asks(play: Placing) -> None:
    play.placed()
    play.listed("alpha", listed(state=AgencyState.SUSPENDED))
    asked = AskAgencyPermit(placement_id=play.placement.placement_id, asked=CALL)
    assert play.refused(asked) == ("placement_id", "the agency is suspended")


def test_contacts_of_an_agency_count_in_the_lenders_caps(play: Placing) -> None:
    play.placed()
    assert [play.ask(), play.ask(), play.ask()] == [["PermitGranted"]] * 3
    assert play.ask() == ["denied by CN-F2 until 2026-03-03 08:00:00+08:00"]
    assert play.tell(CALL, actor="operator/anna") == ["denied by CN-F2 until 2026-03-03 08:00:00+08:00"]


def test_an_agency_says_what_came_of_a_contact_also_after_the_end(play: Placing) -> None:
    play.placed()
    play.ask()
    [permit] = play.state.contacts.values()
    placement_id = play.placement.placement_id
    play.tell(RecallPlacement(placement_id=placement_id, reason="complaints"), actor=CHIEF)
    said = RecordOutcome(contact_id=permit.contact_id, result=OutcomeResult.DISPUTED)
    about = RecordAgencyOutcome(placement_id=placement_id, said=said)
    assert play.refused(about, BETA) == ("contact_id", "no such contact of this agency's")
    assert play.tell(about, actor=ALPHA)[:2] == ["ContactMade", "outcome disputed"]
    assert [each.kind for each in play.state.matters.values()] == ["dispute"]


def test_an_outcome_is_said_once_by_an_agency_too(play: Placing) -> None:
    play.placed()
    play.ask()
    [permit] = play.state.contacts.values()
    first, other = (
        RecordAgencyOutcome(
            placement_id=play.placement.placement_id,
            said=RecordOutcome(contact_id=permit.contact_id, result=result),
        )
        for result in (OutcomeResult.NO_ANSWER, OutcomeResult.LEFT_MESSAGE)
    )
    assert play.tell(first, actor=ALPHA) == ["ContactMade", "outcome no_answer"]
    assert play.tell(first, actor=ALPHA) == []
    assert play.refused(other) == ("contact_id", "another outcome of this contact is on record")


def test_an_agency_takes_a_promise(play: Placing) -> None:
    play.placed()
    play.ask()
    [permit] = play.state.contacts.values()
    promise = PromiseSaid(amount=20_000, currency="CNY", promised_on=date(2026, 3, 9))
    said = RecordOutcome(contact_id=permit.contact_id, result=OutcomeResult.PROMISED, promise=promise)
    told = play.tell(RecordAgencyOutcome(placement_id=play.placement.placement_id, said=said), actor=ALPHA)
    assert "PromiseMade" in told
    [made] = play.state.promises.values()
    assert made.made_by == ALPHA


def test_an_agency_gives_back_its_own_permits_only(play: Placing) -> None:
    play.placed()
    play.ask()
    play.tell(CALL, actor="operator/anna")
    own, staffs = play.state.contacts.values()
    placement_id = play.placement.placement_id
    back = GiveBackAgencyPermit(placement_id=placement_id, contact_id=staffs.contact_id)
    assert play.refused(back) == ("contact_id", "no such contact of this agency's")
    assert play.refused(GiveBackAgencyPermit(placement_id=placement_id, contact_id="none")) == play.refused(back)
    assert play.tell(GiveBackAgencyPermit(placement_id=placement_id, contact_id=own.contact_id), actor=ALPHA) == [
        "ContactNotMade"
    ]


def test_the_end_takes_the_agencys_permits_and_leaves_those_of_staff(play: Placing) -> None:
    play.placed()
    play.ask()
    play.tell(CALL, actor="operator/anna")
    placement_id = play.placement.placement_id
    ended = play.tell(RecallPlacement(placement_id=placement_id, reason="complaints"), actor=CHIEF)
    assert ended == ["PlacementEnded", "ContactNotMade"]
    assert [(each.asked_by, each.state) for each in play.state.contacts.values()] == [
        (ALPHA, "not_made"),
        ("operator/anna", "sending"),
    ]


def test_what_stands_still_for_staff_stands_still_for_agencies(play: Placing) -> None:
    play.placed()
    play.tell(LEGAL_HOLD)
    asked = AskAgencyPermit(placement_id=play.placement.placement_id, asked=CALL)
    assert play.refused(asked) == ("debtor_id", "nobody is to be contacted: on hold")


# -- our own plan ------------------------------------------------------------------------------------------------------


def test_while_an_agency_works_our_own_plan_makes_no_contact() -> None:
    play = opened(lane=SENDING)
    play.tell(treatment("EARLY", (Prescribed.SMS, 1), (Prescribed.PHONE, 2), (Prescribed.LEGAL_REFERRAL, 3)), 1)
    play.wait(minutes=2)
    play.placed()
    told = play.until(MORNING + timedelta(days=2, hours=14))
    assert told == ["step 1 not_dispatched: worked by an agency", "step 2 not_dispatched: worked by an agency"]
    assert play.state.contacts == {}
    assert "step 3 referred: handed to legal" in play.until(MORNING + timedelta(days=4))


def test_an_offer_alone_keeps_nobody_from_the_plan() -> None:
    play = opened(lane=SENDING)
    play.tell(treatment("EARLY", (Prescribed.SMS, 1)), 1)
    play.wait(minutes=2)
    play.offer()
    assert play.until(MORNING + timedelta(days=1, hours=14))[0] == "ContactPermitted"


def test_after_the_end_our_plan_goes_on_with_what_is_still_to_come() -> None:
    play = opened(lane=SENDING)
    play.tell(treatment("EARLY", (Prescribed.SMS, 1), (Prescribed.SMS, 3)), 1)
    play.wait(minutes=2)
    play.placed()
    play.until(MORNING + timedelta(days=2))
    play.tell(HandBackPlacement(placement_id=play.placement.placement_id, reason="nobody found"), actor=ALPHA)
    assert play.until(MORNING + timedelta(days=3, hours=14))[0] == "ContactPermitted"


def test_no_work_is_asked_of_our_people_while_an_agency_works() -> None:
    play = opened(lane=QUEUEING)
    play.tell(treatment("EARLY", (Prescribed.PHONE, 0), (Prescribed.PHONE, 1)), 1)
    play.until(MORNING + timedelta(hours=11))
    [item] = play.state.work_items.values()
    assert item.state == "open"
    play.offer()
    assert play.accept() == ["PlacementAccepted", "step 1 not_dispatched: worked by an agency"]
    assert [each.state for each in play.state.work_items.values()] == ["withdrawn"]
    assert play.until(MORNING + timedelta(days=1, hours=14)) == ["step 2 not_dispatched: worked by an agency"]
    assert len(play.state.work_items) == 1


def test_no_crew_of_ours_goes_where_an_agency_works() -> None:
    play = opened()
    play.tell(treatment("EARLY", (Prescribed.VISIT, 0)), 1)
    play.until(MORNING + timedelta(hours=14))
    play.offer()
    assert play.accept() == ["PlacementAccepted", "step 1 not_dispatched: worked by an agency"]
    crew = outreach.VisitScheduled(
        plan_number=1, step_number=1, district="CN-310115", crew="c-1", visit_on=date(2026, 3, 4), distance_km=3
    )
    assert play.tell(crew) == []
    assert [each.state for each in play.state.visits.values()] == ["withdrawn"]
