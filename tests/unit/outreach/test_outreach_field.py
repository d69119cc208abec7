"""Who is visited by whom: capacity, distance, carrying over, and no dependence on the order of lanes."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.outreach.allocator import handlers as allocator
from services.outreach.allocator.domain.book import AllocationBook
from services.outreach.allocator.handlers import LaneClosed
from services.outreach.allocator.store import LAYOUT
from services.outreach.field import handlers
from services.outreach.field.domain import Crew, District, Field, road_metres
from services.outreach.field.store import read_field
from shared.contracts import catalogue, outreach
from shared.contracts.envelope import Event, Moment, Told
from shared.messaging.broker import Lane, Record
from shared.service import SHARDS, Handler

NOW = Moment(datetime(2026, 3, 3, tzinfo=UTC), date(2026, 3, 3))
NEAR, FAR, LOST = "CN-1", "CN-2", "CN-3"
DISTRICTS = (District(NEAR, "CN", 31.0, 121.0), District(FAR, "CN", 31.0, 122.0), District(LOST, "XX", 0.0, 0.0))
EAST = Crew("EAST", ("F-1", "F-2"), FAR, 31.0, 122.0, 1, ("CN",))
WEST = Crew("WEST", ("F-3", "F-4"), NEAR, 31.0, 121.0, 1, ("CN",))
FIELD = Field("test", (EAST, WEST), DISTRICTS)
MONDAY = date(2026, 3, 2)


class Desk:
    """The allocator of one lender, fed by hand."""

    def __init__(self, field: Field = FIELD) -> None:
        self.book: AllocationBook = LAYOUT.empty("bank")
        self.handlers: dict[type, Handler] = {
            outreach.VisitRequested: partial(handlers.on_requested, field),
            LaneClosed: partial(allocator.on_closed, field, ()),
        }

    def hear(self, payload: Any, debtor_id: str = "") -> list[Told]:
        event = Event(
            id="e", type="", lender_id="bank", debtor_id=debtor_id, case_version=7, occurred_at=NOW.instant,
            recorded_at=NOW.instant, data=payload,
        )  # fmt: skip
        assert allocator.lender_of(event) == "bank"
        self.book, told = self.handlers[type(payload)](self.book, event, NOW)
        return list(told)

    def ask(self, debtor_id: str, past_due: int, district: str = NEAR, on: date = MONDAY) -> list[str]:
        return spoken(self.hear(request(past_due, district, on), debtor_id))

    def close(self, day: date, lanes: Any = range(SHARDS)) -> list[str]:
        return spoken([told for lane in lanes for told in self.hear(LaneClosed(lane=lane, business_date=day))])


def request(past_due: int, district: str = NEAR, on: date = MONDAY) -> outreach.VisitRequested:
    return outreach.VisitRequested(
        plan_number=1, step_number=2, district=district, past_due=past_due, currency="CNY", requested_on=on
    )


def spoken(told: list[Told]) -> list[str]:
    return [
        f"{each.debtor_id}: {each.data.crew} on {each.data.visit_on:%d.%m}, {each.data.distance_km} km"
        if isinstance(each.data, outreach.VisitScheduled)
        else f"{each.debtor_id}: {each.data.reason}"  # type: ignore[attr-defined]  # the only other fact told
        for each in told
    ]


TUESDAY, WEDNESDAY = MONDAY + timedelta(1), MONDAY + timedelta(2)


def test_the_nearest_crew_with_room_takes_the_largest_debt_first() -> None:
    desk = Desk()
    assert [desk.ask("a", 100), desk.ask("b", 300), desk.ask("c", 200)] == [[], [], []]
    assert desk.close(TUESDAY) == ["b: WEST on 03.03, 0 km", "c: EAST on 03.03, 124 km"]
    assert [one.carried for one in desk.book.requests.values()] == [1]


def test_of_equal_debts_the_first_debtor_goes_first() -> None:
    desk = Desk()
    desk.ask("b", 100)
    desk.ask("a", 100)
    assert desk.close(TUESDAY)[0].startswith("a: WEST")


def test_each_fact_goes_to_its_debtor_with_the_version_that_asked() -> None:
    desk = Desk()
    desk.ask("a", 100)
    desk.close(TUESDAY, range(SHARDS - 1))
    (told,) = desk.hear(LaneClosed(lane=SHARDS - 1, business_date=TUESDAY))
    assert (told.debtor_id, told.case_version) == ("a", 7)


def test_nothing_is_allotted_before_the_last_lane_has_closed() -> None:
    desk = Desk()
    desk.ask("a", 100)
    assert desk.close(TUESDAY, range(1, SHARDS)) == []
    assert desk.close(TUESDAY, [1, 2, 3]) == [], "a lane that says it twice counts once"
    assert desk.close(TUESDAY, [0]) == ["a: WEST on 03.03, 0 km"]
    assert (dict(desk.book.closings), dict(desk.book.requests)) == ({}, {})


def test_a_lane_that_runs_ahead_is_not_allotted_with_the_day_before() -> None:
    desk = Desk()
    desk.close(TUESDAY, [5])
    desk.ask("ahead", 100, on=TUESDAY)
    desk.close(WEDNESDAY, [5])
    assert desk.close(TUESDAY, [lane for lane in range(SHARDS) if lane != 5]) == []
    assert desk.close(WEDNESDAY, [lane for lane in range(SHARDS) if lane != 5]) == ["ahead: WEST on 04.03, 0 km"]


def test_a_request_without_room_is_carried_three_times_and_then_given_up() -> None:
    desk = Desk(Field("none", (replace(WEST, capacity=0),), DISTRICTS))
    desk.ask("a", 100)
    days = [desk.close(MONDAY + timedelta(day)) for day in range(1, 6)]
    assert days == [[], [], [], ["a: no crew had room on 4 business days"], []]


def test_a_carried_request_takes_room_of_a_later_day() -> None:
    desk = Desk(Field("one", (WEST,), DISTRICTS))
    desk.ask("a", 100)
    desk.ask("b", 200)
    assert desk.close(TUESDAY) == ["b: WEST on 03.03, 0 km"]
    assert desk.close(WEDNESDAY) == ["a: WEST on 04.03, 0 km"]


@pytest.mark.parametrize(
    ("district", "reason"),
    [
        pytest.param("", "the case names no district", id="a case without a district"),
        pytest.param("CN-999", "the district is not known", id="a district that is in no file"),
        pytest.param(LOST, "no crew serves the district", id="a district of another jurisdiction"),
    ],
)
def test_what_no_crew_could_ever_reach_is_refused_at_once(district: str, reason: str) -> None:
    desk = Desk()
    assert desk.ask("a", 100, district) == [f"a: {reason}"]
    assert desk.book.requests == {}


requests = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 3), st.sampled_from([NEAR, FAR]), st.integers(0, SHARDS - 1)),
    max_size=12,
    unique_by=lambda one: one[0],
)


@settings(max_examples=100, deadline=None)
@given(requests, st.permutations(range(SHARDS)))
def test_what_is_allotted_does_not_depend_on_the_order_of_lanes(
    asked: list[tuple[int, int, str, int]], order: list[int]
) -> None:
    def days(lanes: list[int]) -> list[list[str]]:
        desk, told = Desk(), []
        for day in (TUESDAY, WEDNESDAY):
            for lane in lanes:
                mine = [one for one in asked if one[3] == lane]
                for number, past_due, district, _ in mine if day == TUESDAY else []:
                    desk.ask(f"d{number:02}", past_due, district)
                told.append(desk.close(day, [lane]))
        return [one for one in told if one]

    assert days(list(range(SHARDS))) == days(order)


def test_the_way_by_road_is_longer_than_the_straight_line() -> None:
    """One degree of longitude at 31 degrees north is 95.3 km."""
    assert road_metres(EAST, DISTRICTS[0]) == pytest.approx(95_310 * 1.3, rel=0.001)
    assert road_metres(WEST, DISTRICTS[0]) == 0


def test_the_crews_of_the_product_reach_every_district_of_its_file() -> None:
    field = read_field()
    assert len(field.districts) == 12
    assert all(len(ways) == len(field.crews) for ways in field.reach.values())
    assert field.reach["CN-310120"][0].crew == "SH-S1"


def record(payload: Any, lane: int, *, named: bool = True) -> Record:
    name = catalogue.wire_name(type(payload))
    event = Event(id="e", type=name, lender_id="bank", occurred_at=NOW.instant, recorded_at=NOW.instant, data=payload)
    headers = (("type", name.encode()),) if named else ()
    return Record(Lane(outreach.TOPIC, lane), 0, None, catalogue.encode(event), headers, NOW.instant)


@pytest.mark.parametrize("named", [pytest.param(True, id="by header"), pytest.param(False, id="by content")])
def test_a_closing_is_known_by_the_lane_that_it_came_from(named: bool) -> None:  # noqa: FBT001  # a table's column
    closed = outreach.RequestsClosed(requested_on=MONDAY, next_business_date=TUESDAY)
    decoded = allocator.decode(record(closed, 17, named=named))
    assert decoded is not None
    assert decoded.data == LaneClosed(lane=17, business_date=TUESDAY)


def test_a_request_is_decoded_and_the_rest_of_the_topic_is_passed_over() -> None:
    decoded = allocator.decode(record(request(1), 3))
    assert decoded is not None
    assert decoded.data == request(1)
    assert allocator.decode(record(outreach.LegalReferred(plan_number=1, step_number=1), 3)) is None
