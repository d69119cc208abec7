"""Dated plays of cases that a plan gives to agencies: asked for, allotted, offered, taken, or in vain."""

from datetime import date
from typing import Any

import pytest

from services.outreach.agencies.placements.commands import DeclinePlacement, RecallPlacement
from services.outreach.agencies.placements.domain.placement import Chosen
from shared.contracts import placements
from shared.contracts.agencies import AgencyState
from shared.contracts.segmentation import Channel
from tests.unit.outreach.placing import ALPHA, BETA, CHIEF, Placing, last, listed, opened
from tests.unit.outreach.play import CURED, LEGAL_HOLD, treatment

PLACED = treatment("PRE_LEGAL", (Channel.AGENCY, 0), (Channel.LEGAL_REFERRAL, 30))


@pytest.fixture(params=[False, True], ids=["all in memory", "loaded anew each time"])
def play(request: pytest.FixtureRequest) -> Placing:
    """A plan whose first step has asked for an agency."""
    made = opened(forgets=request.param)
    made.tell(PLACED, 1)
    made.wait(hours=9)
    return made


def allotted(agency_id: str = "alpha", chosen: placements.Chosen = placements.Chosen.BY_RULE) -> Any:
    return placements.PlacementAllotted(
        plan_number=1,
        step_number=1,
        agency_id=agency_id,
        days=120,
        chosen=chosen,
        rule_version="7",
        reason="the fewest",
    )


def decline(play: Placing, actor: str = ALPHA) -> list[str]:
    return play.tell(DeclinePlacement(placement_id=play.placement.placement_id, reason="no room"), actor=actor)


def test_a_step_asks_for_an_agency_and_waits(play: Placing) -> None:
    asked = last(play, placements.PlacementRequested)
    assert (asked.plan_number, asked.step_number, asked.past_due, asked.currency) == (1, 1, 50_000, "CNY")
    assert (asked.tier, asked.tried, asked.requested_on) == (1, (), date(2026, 3, 2))
    assert play.steps() == {1: "requested", 2: "scheduled"}


def test_what_is_allotted_is_offered_and_the_step_ends_when_the_agency_takes_it(play: Placing) -> None:
    assert play.tell(allotted()) == ["PlacementOffered"]
    told, kept = last(play, placements.PlacementOffered), play.placement
    assert (told.chosen, told.rule_version, told.ends_on) == ("by_rule", "7", date(2026, 6, 30))
    assert (kept.chosen, kept.rule_version, kept.offered_by) == (Chosen.BY_RULE, "7", "rule/7")
    assert play.steps()[1] == "requested"
    assert play.accept() == ["PlacementAccepted", "step 1 placed: agency alpha works the case"]
    assert play.steps()[1] == "placed"


def test_what_was_drawn_is_known_as_drawn(play: Placing) -> None:
    play.tell(allotted(chosen=placements.Chosen.AT_RANDOM))
    assert (play.placement.chosen, last(play, placements.PlacementOffered).chosen) == ("at_random", "at_random")


def test_who_declines_is_not_asked_again_and_another_is(play: Placing) -> None:
    play.tell(allotted())
    assert decline(play) == ["PlacementEnded", "PlacementRequested"]
    asked = last(play, placements.PlacementRequested)
    assert (asked.plan_number, asked.step_number, asked.tier, asked.tried) == (1, 1, 1, ("alpha",))
    assert play.tell(allotted("beta")) == ["PlacementOffered"]
    assert play.accept(BETA)[-1] == "step 1 placed: agency beta works the case"


def test_who_does_not_answer_in_time_has_declined(play: Placing) -> None:
    play.tell(allotted())
    assert play.wait(days=5) == ["PlacementEnded", "PlacementRequested"]
    assert last(play, placements.PlacementRequested).requested_on == date(2026, 3, 6)


def test_an_offer_that_a_supervisor_takes_back_is_not_made_to_another(play: Placing) -> None:
    play.tell(allotted())
    recall = RecallPlacement(placement_id=play.placement.placement_id, reason="sold")
    assert play.tell(recall, actor=CHIEF) == ["PlacementEnded", "step 1 not_placed: sold"]


def test_a_case_that_an_agency_hands_back_is_not_asked_for_again(play: Placing) -> None:
    play.tell(allotted())
    play.accept()
    recall = RecallPlacement(placement_id=play.placement.placement_id, reason="no progress")
    assert play.tell(recall, actor=CHIEF) == ["PlacementEnded"]
    assert play.steps()[1] == "placed"


def test_no_agency_is_found(play: Placing) -> None:
    nobody = placements.PlacementNotAllotted(plan_number=1, step_number=1, reason="nobody has room")
    assert play.tell(nobody) == ["step 1 not_placed: nobody has room"]
    assert play.tell(nobody) == []


@pytest.mark.parametrize(
    "stops",
    [
        pytest.param(lambda play: play.pay(status=CURED), id="the debt is paid"),
        pytest.param(lambda play: play.tell(LEGAL_HOLD), id="a hold is placed"),
    ],
)
def test_what_is_not_wanted_any_more_is_not_offered_and_the_allocator_hears_so(play: Placing, stops: Any) -> None:
    stops(play)
    assert play.tell(allotted()) == ["PlacementNotOffered"]
    told = last(play, placements.PlacementNotOffered)
    assert (told.agency_id, told.reason) == ("alpha", "no agency is asked for any more")
    assert play.state.placements == {}
    assert play.tell(placements.PlacementNotAllotted(plan_number=1, step_number=1, reason="none")) == []


def test_a_case_that_is_paid_while_it_is_offered_goes_to_nobody_else(play: Placing) -> None:
    play.tell(allotted())
    told = play.pay(status=CURED)
    assert "PlacementEnded" in told
    assert "PlacementRequested" not in told


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        pytest.param(None, "the agency is not on the register", id="nobody knows the agency"),
        pytest.param(listed(state=AgencyState.SUSPENDED), "the agency is suspended", id="it was suspended meanwhile"),
        pytest.param(
            listed(commission_ppm=()), "no commission is agreed with this agency", id="nothing is agreed with it"
        ),
    ],
)
def test_an_agency_that_may_not_work_is_offered_nothing(play: Placing, word: Any, reason: str) -> None:
    play.listed("alpha", word)
    assert play.tell(allotted()) == [f"step 1 not_placed: {reason}", "PlacementNotOffered"]
    assert last(play, placements.PlacementNotOffered).reason == reason


def test_a_supervisor_was_quicker(play: Placing) -> None:
    play.offer("beta")
    assert play.tell(allotted()) == ["step 1 not_placed: the case is placed already", "PlacementNotOffered"]
    assert play.placement.agency_id == "beta"


def test_a_case_that_is_offered_to_somebody_is_not_asked_for() -> None:
    play = opened()
    play.offer("beta")
    play.tell(PLACED, 1)
    assert play.wait(hours=9)[-1] == "step 1 not_placed: the case is placed already"


def test_while_an_agency_works_the_case_the_plan_asks_for_none() -> None:
    play = opened().placed()
    play.tell(PLACED, 1)
    assert play.wait(hours=9)[-1] == "step 1 not_dispatched: worked by an agency"
