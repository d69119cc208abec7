"""Which agency is offered which case: weights, caps, the part that is drawn, and the same in any order of lanes."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache, partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.outreach.agencies.allocation.domain import MILLION, AllocationRule, PlacementRequest, allot, in_force
from services.outreach.agencies.allocation.handlers import allotting
from services.outreach.agencies.placements.domain.agency import AgencyStanding
from services.outreach.agencies.register.domain import kept_as
from services.outreach.allocator import handlers
from services.outreach.allocator.handlers import LaneClosed
from services.outreach.allocator.store import LAYOUT
from services.outreach.field.store import read_field
from shared.contracts import agencies, catalogue, placements
from shared.contracts.agencies import AgencyListed, AgencyState
from shared.contracts.envelope import Event, Moment, Told
from shared.messaging.broker import Lane, Record
from shared.messaging.sharding import shard_of
from shared.service import SHARDS, Handler
from tests.unit.outreach.placing import listed

MONDAY = date(2026, 3, 2)
TUESDAY, WEDNESDAY = MONDAY + timedelta(1), MONDAY + timedelta(2)
RULE = AllocationRule(
    version="1",
    effective_from=date(2026, 1, 1),
    days=90,
    random_share_ppm=0,
    most_a_day=1_000,
    most_share_ppm=MILLION,
    weights={},
)
DRAWN = replace(RULE, random_share_ppm=MILLION)


def standing(agency_id: str, capacity: int = 100, **terms: Any) -> AgencyStanding:
    stands: dict[str, Any] = {
        "state": "active",
        "licence_until": date(2027, 1, 1),
        "contract_from": date(2026, 1, 1),
        "contract_until": date(2026, 12, 31),
        "commission_ppm": (150_000,),
    }
    return AgencyStanding(agency_id=agency_id, capacity=capacity, **{**stands, **terms})


def those(*each: AgencyStanding) -> dict[str, AgencyStanding]:
    return {one.agency_id: one for one in each}


BOTH = those(standing("alpha"), standing("beta"))


def request(debtor_id: str, past_due: int = 100, *tried: str, tier: int = 1) -> PlacementRequest:
    return PlacementRequest(debtor_id, 1, 1, past_due, "CNY", tier, tried, MONDAY, 7)


def cases(count: int) -> list[PlacementRequest]:
    return [request(f"d{number:04}", 100 + number) for number in range(count)]


def given_to(made: Any) -> dict[str, str]:
    return {each.request.debtor_id: each.agency_id for each in made.allotted}


# -- one day -----------------------------------------------------------------------------------------------------------


def test_the_largest_debt_goes_first_to_who_holds_the_fewest() -> None:
    made = allot(RULE, BOTH, {"alpha": 1}, [request("a", 100), request("b", 300), request("c", 200)], TUESDAY)
    assert given_to(made) == {"b": "beta", "c": "alpha", "a": "beta"}
    assert made.allotted[0].reason == "holds 0 cases at a weight of 1, the fewest of 2 with room"


def test_an_agency_of_twice_the_weight_holds_twice_as_many() -> None:
    made = allot(replace(RULE, weights={"alpha": 2}), BOTH, {}, cases(30), TUESDAY)
    assert Counter(given_to(made).values()) == {"alpha": 20, "beta": 10}


@pytest.mark.parametrize(
    ("rule", "held", "expected"),
    [
        pytest.param(
            RULE, {"alpha": 97, "beta": 95}, {"alpha": 3, "beta": 5}, id="capacity, with what is held already"
        ),
        pytest.param(replace(RULE, most_a_day=4), {}, {"alpha": 4, "beta": 4}, id="so many on one day"),
        pytest.param(
            replace(RULE, most_share_ppm=300_000, weights={"alpha": 99}),
            {"beta": 10},
            {"alpha": 5, "beta": 0},
            id="a third of all that agencies hold",
        ),
        pytest.param(
            replace(RULE, most_share_ppm=600_000, weights={"alpha": 99}),
            {},
            {"alpha": 6, "beta": 4},
            id="more than half, whatever the weight",
        ),
    ],
)
@pytest.mark.parametrize("share", [0, MILLION], ids=["by rule", "drawn"])
def test_no_agency_is_given_more_than_its_caps(
    rule: AllocationRule, held: dict[str, int], expected: dict[str, int], share: int
) -> None:
    made = allot(replace(rule, random_share_ppm=share), BOTH, held, cases(10), TUESDAY)
    given = Counter(given_to(made).values())
    if share == 0:
        assert {name: given[name] for name in expected} == expected
    total = sum(held.values()) + given.total()
    for name in expected:
        has = held.get(name, 0) + given[name]
        assert has <= 100
        assert given[name] <= rule.most_a_day
        assert not given[name] or has <= -(-rule.most_share_ppm * total // MILLION)
    assert len(made.left) == 10 - given.total()


@pytest.mark.parametrize(
    ("agency", "asked"),
    [
        pytest.param(standing("alpha", state="suspended"), request("a"), id="it is suspended"),
        pytest.param(standing("alpha", licence_until=MONDAY), request("a"), id="its licence has ended"),
        pytest.param(standing("alpha", contract_from=WEDNESDAY), request("a"), id="its contract has not begun"),
        pytest.param(standing("alpha", commission_ppm=()), request("a"), id="no commission is agreed"),
        pytest.param(standing("alpha", capacity=0), request("a"), id="it takes no cases at all"),
        pytest.param(standing("alpha"), request("a", 100, "alpha"), id="it has had the case"),
    ],
)
def test_who_may_not_have_a_case_is_not_offered_it(agency: AgencyStanding, asked: PlacementRequest) -> None:
    made = allot(RULE, those(agency), {}, [asked], TUESDAY)
    assert (made.allotted, made.left, made.refused) == ([], [], [asked])


def test_a_case_that_only_a_full_agency_may_have_waits() -> None:
    made = allot(RULE, those(standing("alpha", capacity=1)), {"alpha": 1}, [request("a")], TUESDAY)
    assert (made.allotted, made.left, made.refused) == ([], [request("a")], [])


def test_what_is_drawn_goes_to_each_agency_alike_whatever_the_weights() -> None:
    """Of 3,000 cases and three agencies, 1,000 each; four standard deviations are 103."""
    three = those(*(standing(name, 10_000) for name in ("alpha", "beta", "gamma")))
    made = allot(replace(DRAWN, most_a_day=MILLION, weights={"alpha": 50}), three, {}, cases(3_000), TUESDAY)
    assert all(abs(count - 1_000) < 103 for count in Counter(given_to(made).values()).values())
    assert {each.chosen for each in made.allotted} == {"at_random"}


def test_so_many_are_drawn_as_the_rule_says_and_always_the_same() -> None:
    """Of 10,000 a fifth; four standard deviations are 160."""
    drawn = {each.debtor_id for each in cases(10_000) if replace(RULE, random_share_ppm=200_000).draws(each.debtor_id)}
    assert abs(len(drawn) - 2_000) < 160
    more = {each.debtor_id for each in cases(10_000) if replace(RULE, random_share_ppm=400_000).draws(each.debtor_id)}
    assert drawn < more, "a larger share keeps those that were drawn"


def test_of_two_rules_the_one_that_came_into_force_last_holds() -> None:
    later = replace(RULE, version="2", effective_from=TUESDAY)
    assert [in_force((later, RULE), on) for on in (MONDAY, TUESDAY)] == [RULE, later]
    assert in_force((RULE,), date(2025, 12, 31)) is None


# -- the allocator -----------------------------------------------------------------------------------------------------


@cache
def debtors_of(lane: int, count: int) -> list[str]:
    named = (f"d{number}" for number in range(100_000))
    of_lane = (name for name in named if shard_of(name) == lane)
    return [next(of_lane) for _ in range(count)]


class Desk:
    """The allocator of one lender, fed by hand, that knows the agencies alpha and beta."""

    def __init__(self, *rules: AllocationRule, **capacity: int) -> None:
        self.book = LAYOUT.empty("bank")
        known = {"alpha": 100, "beta": 100} | capacity
        directives = {kept_as(name): listed(name, capacity=most) for name, most in known.items()}
        self.now = Moment(datetime(2026, 3, 3, tzinfo=UTC), date.min, None, directives)
        self.handlers: dict[type, Handler] = {
            placements.PlacementRequested: allotting.on_requested,
            placements.PlacementOffered: allotting.on_offered,
            placements.PlacementNotOffered: allotting.on_left,
            placements.PlacementEnded: allotting.on_left,
            LaneClosed: partial(handlers.on_closed, read_field(), rules or (RULE,)),
        }

    def hear(self, payload: Any, debtor_id: str = "") -> list[Told]:
        event = Event(
            id="e", type="", lender_id="bank", debtor_id=debtor_id, case_version=7, occurred_at=self.now.instant,
            recorded_at=self.now.instant, data=payload,
        )  # fmt: skip
        self.book, told = self.handlers[type(payload)](self.book, event, self.now)
        return list(told)

    def ask(self, debtor_id: str, past_due: int = 100, on: date = MONDAY) -> list[Told]:
        asked = placements.PlacementRequested(
            plan_number=1, step_number=1, past_due=past_due, currency="CNY", tier=1, tried=(), requested_on=on
        )
        return self.hear(asked, debtor_id)

    def close(self, day: date, lanes: Any = range(SHARDS)) -> list[str]:
        return spoken([told for lane in lanes for told in self.hear(LaneClosed(lane=lane, business_date=day))])

    def offered(self, debtor_id: str, agency_id: str = "alpha", chosen: str = "by_supervisor") -> None:
        fact = placements.PlacementOffered(
            placement_id="p", agency_id=agency_id, amount=1, currency="CNY", tier=1, offered_on=MONDAY,
            ends_on=WEDNESDAY, chosen=placements.Chosen(chosen), rule_version="1",
        )  # fmt: skip
        assert self.hear(fact, debtor_id) == []

    def ended(self, debtor_id: str, agency_id: str = "alpha") -> None:
        fact = placements.PlacementEnded(
            placement_id="p", agency_id=agency_id, end=placements.PlacementEnd.DECLINED, reason="no"
        )
        assert self.hear(fact, debtor_id) == []

    def not_offered(self, debtor_id: str, agency_id: str) -> None:
        fact = placements.PlacementNotOffered(plan_number=1, step_number=1, agency_id=agency_id, reason="no")
        assert self.hear(fact, debtor_id) == []


def spoken(told: list[Told]) -> list[str]:
    return [
        f"{each.debtor_id}: {each.data.agency_id}"
        if isinstance(each.data, placements.PlacementAllotted)
        else f"{each.debtor_id}: {each.data.reason}"  # type: ignore[attr-defined]  # the only other fact told
        for each in told
    ]


def test_cases_are_allotted_once_every_lane_has_closed_the_day() -> None:
    desk = Desk()
    assert [desk.ask("a", 100), desk.ask("b", 300)] == [[], []]
    assert desk.close(TUESDAY, range(1, SHARDS)) == []
    assert desk.close(TUESDAY, [0]) == ["b: alpha", "a: beta"]
    assert (dict(desk.book.closings), dict(desk.book.placement_requests)) == ({}, {})


def test_each_fact_goes_to_its_debtor_with_the_rule_that_decided() -> None:
    desk = Desk(replace(DRAWN, version="9", days=45))
    desk.ask("a")
    desk.close(TUESDAY, range(SHARDS - 1))
    (told,) = desk.hear(LaneClosed(lane=SHARDS - 1, business_date=TUESDAY))
    assert (told.debtor_id, told.case_version) == ("a", 7)
    assert isinstance(told.data, placements.PlacementAllotted)
    assert (told.data.days, told.data.chosen, told.data.rule_version) == (45, "at_random", "9")
    assert told.data.reason == "drawn, out of 2 with room"


def test_an_agency_is_never_given_more_than_it_takes_over_the_days() -> None:
    desk = Desk(alpha=2, beta=1)
    for name in "abcd":
        desk.ask(name)
    assert desk.close(TUESDAY) == ["a: alpha", "b: beta", "c: alpha"]
    assert desk.close(WEDNESDAY) == [], "the fourth waits for room"
    desk.ended("b", "beta")
    assert desk.close(date(2026, 3, 5)) == ["d: beta"]


def test_an_offer_that_was_allotted_is_not_counted_again() -> None:
    desk = Desk(alpha=2, beta=0)
    desk.ask("a")
    desk.close(TUESDAY)
    desk.offered("a", "alpha", "by_rule")
    desk.ask("b", on=TUESDAY)
    assert desk.close(WEDNESDAY) == ["b: alpha"]


def test_what_supervisors_offer_takes_room_and_what_is_not_offered_gives_it_back() -> None:
    desk = Desk(alpha=1, beta=0)
    desk.offered("x")
    desk.ask("a")
    assert desk.close(TUESDAY) == []
    desk.ended("x")
    assert desk.close(WEDNESDAY) == ["a: alpha"]
    desk.not_offered("a", "alpha")
    desk.ask("b", on=WEDNESDAY)
    assert desk.close(date(2026, 3, 5)) == ["b: alpha"]


def test_a_case_without_room_is_carried_three_times_and_then_given_up() -> None:
    desk = Desk(alpha=1, beta=0)
    desk.offered("x")
    desk.ask("a")
    days = [desk.close(MONDAY + timedelta(day)) for day in range(1, 6)]
    assert days == [[], [], [], ["a: no agency had room on 4 business days"], []]


@pytest.mark.parametrize(
    ("desk", "reason"),
    [
        pytest.param(Desk(alpha=0, beta=0), "no agency may work the case that has not had it", id="no agency may"),
        pytest.param(Desk(replace(RULE, effective_from=WEDNESDAY)), "no rule of allocation is in force", id="no rule"),
    ],
)
def test_what_nobody_could_ever_have_is_refused_with_the_end_of_the_day(desk: Desk, reason: str) -> None:
    desk.ask("a")
    assert desk.close(TUESDAY) == [f"a: {reason}"]
    assert dict(desk.book.placement_requests) == {}


def test_what_a_lane_that_runs_ahead_tells_counts_a_day_later() -> None:
    """Its case has left the agency after its day, which is not over for the others: they may hear of it or not."""
    (ahead,) = debtors_of(5, 1)
    desk = Desk(alpha=1, beta=0)
    desk.offered(ahead)
    desk.ask("a")
    desk.close(TUESDAY, [5])
    desk.ended(ahead)
    assert desk.close(TUESDAY, [lane for lane in range(SHARDS) if lane != 5]) == []
    assert desk.close(WEDNESDAY) == ["a: alpha"]


moves = st.lists(
    st.tuples(st.integers(0, SHARDS - 1), st.sampled_from("oer"), st.sampled_from(["alpha", "beta"])), max_size=14
)


@settings(max_examples=60, deadline=None)
@given(moves, moves, st.permutations(range(SHARDS)), st.integers(0, MILLION))
def test_what_is_allotted_does_not_depend_on_the_order_of_lanes(
    first: list[Any], second: list[Any], order: list[int], share: int
) -> None:
    def play(desk: Desk, name: str, what: str, agency: str, day: date) -> None:
        if what == "r":
            desk.ask(name, on=day)
        else:
            (desk.offered if what == "o" else desk.ended)(name, agency)

    def days(lanes: list[int]) -> tuple[list[str], dict[Any, Any]]:
        desk, told = Desk(replace(RULE, random_share_ppm=share), alpha=4, beta=3), []
        for lane in lanes:  # each lane runs through both days before the next is heard
            for day, asked in ((MONDAY, first), (TUESDAY, second)):
                mine = [each for each in asked if each[0] == lane]
                # A step asks again only once it was answered: the debtors of one day are not those of the other.
                names = debtors_of(lane, 28)[:14] if day == MONDAY else debtors_of(lane, 28)[14:]
                for name, (_, what, agency) in zip(names, mine, strict=False):
                    play(desk, name, what, agency, day)
                told += desk.close(day + timedelta(1), [lane])
        return told, dict(desk.book.agency_loads)

    assert days(list(range(SHARDS))) == days(order)


# -- what is heard -----------------------------------------------------------------------------------------------------


def record(payload: Any, lane: int, topic: str) -> Record:
    name = catalogue.wire_name(type(payload))
    at = datetime(2026, 3, 3, tzinfo=UTC)
    event = Event(id="e", type=name, lender_id="", occurred_at=at, recorded_at=at, data=payload)
    return Record(Lane(topic, lane), 0, None, catalogue.encode(event), (("type", name.encode()),), at)


def test_the_register_is_heard_on_one_lane_since_it_tells_each_the_same() -> None:
    word = listed("alpha", state=AgencyState.SUSPENDED)
    heard = [handlers.decode(record(word, lane, agencies.TOPIC)) for lane in (0, 1, 31)]
    assert [each is not None and isinstance(each.data, AgencyListed) for each in heard] == [True, False, False]
