"""What time makes of a placement, and how an agency stands: tables of days."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from services.outreach.agencies.placements.domain.agency import AgencyStanding
from services.outreach.agencies.placements.domain.placement import (
    Owed,
    Placement,
    PlacementState,
    TriedAgency,
    due_of,
    end_by_time,
    tier_of,
)
from services.outreach.agencies.placements.store import read_practice

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
STANDING = AgencyStanding("alpha", state="active", licence_until=date(2026, 6, 30), contract_from=date(2026, 1, 1),
                          contract_until=date(2026, 6, 30), capacity=9, commission_ppm=(150_000, 250_000))  # fmt: skip
PLACEMENT = Placement(
    placement_id="1",
    agency_id="alpha",
    tier=1,
    state=PlacementState.OFFERED,
    lender_id="bank",
    amount=1,
    currency="CNY",
    owed=Owed(1, "CNY", None, ()),
    offered_at=NOON,
    offered_on=date(2026, 3, 2),
    offered_by="supervisor/chief",
    answer_by=date(2026, 3, 5),
    ends_on=date(2026, 3, 20),
    objections_until=date(2026, 3, 10),
)


@pytest.mark.parametrize(
    ("state", "last_day", "end"),
    [
        pytest.param(PlacementState.OFFERED, date(2026, 3, 5), "not_answered", id="an offer, until it is answered"),
        pytest.param(PlacementState.ACCEPTED, date(2026, 3, 20), "time_is_up", id="a case that is worked"),
        pytest.param(PlacementState.RECALL_ASKED, date(2026, 3, 10), "recalled", id="a recall, unless objected to"),
        pytest.param(PlacementState.OBJECTED, date(2026, 3, 20), "time_is_up", id="an objection, which waits"),
    ],
)
def test_the_day_after_the_last_ends_it_and_no_day_before(state: PlacementState, last_day: date, end: str) -> None:
    placement = replace(PLACEMENT, state=state)
    assert end_by_time(placement, last_day, STANDING) is None
    found = end_by_time(placement, last_day + timedelta(1), STANDING)
    due = due_of(placement)
    assert found is not None
    assert due is not None
    assert (found[0], due.due_on) == (end, last_day + timedelta(1))


def test_time_does_nothing_to_what_has_ended() -> None:
    assert due_of(replace(PLACEMENT, state=PlacementState.ENDED)) is None


@pytest.mark.parametrize("state", list(PlacementState))
def test_a_recall_takes_the_case_only_once_it_is_final(state: PlacementState) -> None:
    holding = {PlacementState.ACCEPTED, PlacementState.RECALL_ASKED, PlacementState.OBJECTED}
    assert replace(PLACEMENT, state=state).is_worked is (state in holding)


@pytest.mark.parametrize(
    ("on", "refusal"),
    [
        (date(2025, 12, 31), "the agency's contract has not begun"),
        (date(2026, 1, 1), ""),
        (date(2026, 6, 30), ""),
        (date(2026, 7, 1), "the agency's licence has lapsed"),
    ],
)
def test_an_agency_works_on_the_days_of_its_contract_and_licence(on: date, refusal: str) -> None:
    assert STANDING.refusal(on) == refusal
    assert replace(STANDING, state="suspended").refusal(on) == "the agency is suspended"


def test_the_last_share_that_was_agreed_is_for_all_later_tiers() -> None:
    assert [STANDING.commission_of(tier) for tier in (1, 2, 3, 9)] == [150_000, 250_000, 250_000, 250_000]
    assert replace(STANDING, capacity=100, commission_ppm=()).commission_of(1) is None


def test_who_only_declined_makes_no_tier() -> None:
    tried = [TriedAgency("a", accepted=True), TriedAgency("b", accepted=False), TriedAgency("c", accepted=True)]
    assert [tier_of(tried[:number]) for number in range(4)] == [1, 2, 2, 3]


def test_the_houses_file_can_be_read() -> None:
    practice = read_practice({"CN": "Asia/Shanghai"})
    assert practice.day_of("CN", datetime(2026, 3, 1, 16, tzinfo=UTC)) == date(2026, 3, 2)
    assert 0 < practice.least_objection_days <= practice.most_objection_days < practice.most_days
