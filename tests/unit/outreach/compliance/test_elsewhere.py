"""What other countries need of the engine: clocks that change, several zones, periods of days, other kinds of rules."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.outreach.compliance.domain.attempt import Span
from services.outreach.compliance.domain.pack import Pack
from services.outreach.compliance.domain.words import Channel, Direction, Outcome
from services.outreach.compliance.store import read_pack
from tests.unit.outreach.compliance.asking import attempt, contact, edges, judge, reasons

XX = read_pack(Path(__file__).with_name("elsewhere.yaml"))
NEW_YORK, LONDON = "America/New_York", "Europe/London"
TALK = Outcome.CONVERSATION


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def only(*names: str) -> Pack:
    return XX.only(names)


@pytest.mark.parametrize(
    ("zones", "when", "following"),
    [
        pytest.param([NEW_YORK], "2026-03-06T12:30:00Z", "2026-03-06T13:00:00Z", id="winter time"),
        pytest.param([NEW_YORK], "2026-03-09T11:59:59Z", "2026-03-09T12:00:00Z", id="summer time"),
        pytest.param([NEW_YORK], "2026-11-02T12:30:00Z", "2026-11-02T13:00:00Z", id="winter time again"),
        pytest.param([NEW_YORK], "2026-03-09T12:00:00Z", None, id="open"),
        pytest.param(
            [NEW_YORK], "2026-03-07T22:00:00Z", "2026-03-09T12:00:00Z", id="over a week-end in which clocks change"
        ),
        pytest.param([NEW_YORK, "America/Los_Angeles"], "2026-07-15T14:59:59Z", "2026-07-15T15:00:00Z", id="two zones"),
        pytest.param(
            [NEW_YORK, "Pacific/Guam"], "2026-07-15T21:59:59Z", "2026-07-15T22:00:00Z", id="across the date line"
        ),
        pytest.param([NEW_YORK, "Asia/Kathmandu"], "2026-07-15T12:00:00Z", None, id="three hours of overlap"),
        pytest.param([LONDON], "2026-10-26T07:59:59Z", "2026-10-26T08:00:00Z", id="the day after summer time"),
        pytest.param(
            ["Asia/Beirut"], "2026-03-28T22:30:00Z", "2026-03-30T05:00:00Z", id="a midnight that does not exist"
        ),
    ],
)
def test_hours_are_read_on_the_clock_of_every_zone(zones: list[str], when: str, following: str | None) -> None:
    one = attempt(at(when), zones=tuple(zones))
    verdict = judge(one, (), only("XX-W1"))
    assert verdict.next_allowed == (following and at(following))
    assert verdict.allowed is (following is None)
    if following:
        assert edges(verdict, one, (), only("XX-W1")) == (False, True)


@pytest.mark.parametrize("zones", [(), ("Nowhere/Land",), (NEW_YORK, "Nowhere/Land")])
def test_a_zone_that_nobody_knows_is_denied_for_good(zones: tuple[str, ...]) -> None:
    for rule in ("XX-W1", "XX-W4", "XX-F1"):
        verdict = judge(attempt(at("2026-07-15T15:00:00Z"), zones=zones), (), only(rule))
        assert (reasons(verdict), verdict.next_allowed) == ({rule: "missing:zone"}, None)


def test_an_hour_that_the_clock_shows_twice_is_open_twice() -> None:
    night = only("XX-W3")  # 01:45 to 02:15 is closed
    opens, shut, again = ("2026-10-25T00:44:59Z", "2026-10-25T00:45:00Z", "2026-10-25T01:00:00Z")
    letters = [attempt(at(when), channel=Channel.LETTER, zones=(LONDON,)) for when in (opens, shut, again)]
    assert [judge(letter, (), night).allowed for letter in letters] == [True, False, True]
    assert judge(letters[1], (), night).next_allowed == at(again)


def test_an_hour_that_the_clock_skips_opens_where_it_lands() -> None:
    letter = attempt(at("2026-03-08T06:50:00Z"), channel=Channel.LETTER, zones=(NEW_YORK,))  # 01:50, then 03:00
    assert judge(letter, (), only("XX-W3")).next_allowed == at("2026-03-08T07:00:00Z")


def test_days_of_a_cap_are_civil_dates_of_the_zone() -> None:
    before = [contact("", at=at(f"2026-03-1{day}T12:00:00Z")) for day in (2, 3)]
    one = attempt(at("2026-03-14T16:00:00Z"), zones=(NEW_YORK,))
    verdict = judge(one, before, only("XX-F1"))
    assert verdict.next_allowed == at("2026-03-16T00:00:00-04:00")
    assert edges(verdict, one, before, only("XX-F1")) == (False, True)


def test_a_cap_holds_in_each_zone_in_which_the_person_may_be() -> None:
    before = [contact("", at=at("2026-03-12T12:00:00Z")), contact("", at=at("2026-03-13T12:00:00Z"))]
    one = attempt(at("2026-03-14T16:00:00Z"), zones=("Pacific/Auckland", NEW_YORK))
    assert judge(one, before, only("XX-F1")).next_allowed == at("2026-03-17T00:00:00+13:00")


def test_a_rolling_day_is_twenty_four_hours() -> None:
    before = [contact("", Outcome.SENT, at=at("2026-03-10T15:30:01Z"), channel=Channel.SMS)]
    one = attempt(at("2026-03-11T14:00:00Z"), channel=Channel.EMAIL, zones=(NEW_YORK,))
    verdict = judge(one, before, only("XX-F3"))
    assert verdict.next_allowed == at("2026-03-11T15:30:01Z")
    assert edges(verdict, one, before, only("XX-F3")) == (False, True)


def test_once_ever_is_never_again() -> None:
    before = [contact("", TALK, at=at("2021-03-10T15:30:01Z"), person="third:N1")]
    assert judge(attempt(person="third:N1", zones=(NEW_YORK,)), before, only("XX-F4")).next_allowed is None
    assert judge(attempt(person="third:N2", zones=(NEW_YORK,)), before, only("XX-F4")).allowed


@pytest.mark.parametrize("direction", list(Direction))
def test_a_talk_begins_a_pause_whoever_began_it(direction: Direction) -> None:
    before = [contact("", TALK, at=at("2026-03-10T23:00:00-04:00"), direction=direction)]
    one = attempt(at("2026-03-11T12:00:00-04:00"), zones=(NEW_YORK,))
    verdict = judge(one, before, only("XX-F2"))
    assert verdict.next_allowed == at("2026-03-12T00:00:00-04:00")
    assert judge(attempt(one.at, zones=(NEW_YORK,), debt="D2"), before, only("XX-F2")).allowed
    assert judge(attempt(one.at, zones=(NEW_YORK,), attributes={"with_consent": True}), before, only("XX-F2")).allowed


def test_what_is_marked_does_not_count() -> None:
    before = [contact("", at=at("2026-03-12T12:00:00Z"), marks=frozenset({"with_consent"}))] * 3
    assert judge(attempt(at("2026-03-14T16:00:00Z"), zones=(NEW_YORK,)), before, only("XX-F1")).allowed


CASES: list[Any] = [
    ("XX-S1", {"flags": {"workplace_prohibited": Span()}, "attributes": {"place": "work"}}, "flag"),
    ("XX-S1", {"flags": {"workplace_prohibited": Span()}, "attributes": {"place": "home"}}, ""),
    ("XX-S1", {"flags": {"workplace_prohibited": Span()}}, "flag"),
    ("XX-T1", {"channel": Channel.LETTER, "person": "contact:K1"}, "banned"),
    ("XX-T1", {"channel": Channel.LETTER}, ""),
    ("XX-C1", {"optouts": frozenset({Channel.CALL})}, "optout"),
    ("XX-C1", {"optouts": frozenset({Channel.SMS})}, ""),
    ("XX-C1", {"optouts": frozenset({Channel.CALL}), "purpose": "optout_confirm"}, ""),
    ("XX-C2", {"channel": Channel.SMS}, "missing:optout_notice"),
    ("XX-C2", {"channel": Channel.SMS, "attributes": {"limited_content_message": True}}, ""),
    ("XX-C3", {"channel": Channel.SMS, "attributes": {"verified_at": "2026-03-09"}}, ""),
    ("XX-C3", {"channel": Channel.SMS, "attributes": {"verified_at": "2026-03-08"}}, "unmet:verified_at"),
    ("XX-C3", {"channel": Channel.SMS, "attributes": {"verified_at": "2026-03-09T00:30:00Z"}}, "unmet:verified_at"),
    ("XX-C4", {"channel": Channel.LETTER, "attributes": {"time_barred": True, "content": ("sue",)}}, "content"),
    ("XX-C4", {"channel": Channel.LETTER, "attributes": {"time_barred": False}}, ""),
    ("XX-C4", {"channel": Channel.LETTER, "attributes": {"time_barred": True}}, "missing:content"),
    ("XX-C4", {"channel": Channel.LETTER}, "missing:time_barred"),
    ("XX-C5", {"attributes": {"first_contact": "2026-03-11T23:00:00-04:00"}}, ""),
    ("XX-C5", {"attributes": {"first_contact": "2026-03-10T23:00:00-04:00"}}, "deadline"),
    ("XX-C5", {"attributes": {"first_contact": "2026-03-10T23:00:00-04:00", "notice_sent": "2026-03-11"}}, ""),
    ("XX-C5", {}, "missing:first_contact"),
    ("XX-C6", {"channel": Channel.CREDIT_REPORT, "attributes": {"spoke": True}}, ""),
    ("XX-C6", {"channel": Channel.CREDIT_REPORT, "attributes": {"undeliverable": True}}, "unmet:undeliverable"),
    ("XX-C6", {"channel": Channel.CREDIT_REPORT, "attributes": {"undeliverable": False}}, "missing:notice_date"),
    ("XX-W2", {"attributes": {"dpd": 16}}, ""),
    ("XX-Q1", {}, ""),
]


@pytest.mark.parametrize(("rule", "changes", "reason"), CASES)
def test_other_kinds_of_rules(rule: str, changes: dict[str, Any], reason: str) -> None:
    verdict = judge(attempt(at("2026-03-14T23:00:00-04:00"), zones=(NEW_YORK,), **changes), (), only(rule))
    assert reasons(verdict).get(rule, "") == reason
    assert verdict.next_allowed is None


def test_a_wait_ends_after_full_days() -> None:
    told = {"undeliverable": False, "notice_date": "2026-03-12"}
    one = attempt(at("2026-03-14T12:00:00Z"), channel=Channel.CREDIT_REPORT, zones=(NEW_YORK,), attributes=told)
    assert judge(one, (), only("XX-C6")).next_allowed == at("2026-03-16T00:00:00-04:00")


def test_a_moratorium_begins_the_day_after_and_has_its_days_or_ends_before() -> None:
    since = at("2026-03-10T15:00:00Z")
    pack, first_day_after = only("XX-S3"), at("2026-03-16T00:00:00Z")
    assert judge(attempt(at("2026-03-10T16:00:00Z"), flags={"breathing_space": Span(since)}), (), pack).allowed
    one = attempt(at("2026-03-11T00:00:00Z"), flags={"breathing_space": Span(since)})
    assert judge(one, (), pack).next_allowed == first_day_after
    assert edges(judge(one, (), pack), one, (), pack) == (False, True)
    ended = {"breathing_space": Span(since, since + timedelta(days=2))}
    assert judge(attempt(one.at, flags=ended), (), pack).next_allowed == since + timedelta(days=2)


def test_a_moratorium_of_unknown_beginning_has_no_end() -> None:
    one = attempt(at("2026-03-11T00:00:00Z"), flags={"breathing_space": Span()})
    assert judge(one, (), only("XX-S3")).next_allowed is None


def test_hours_that_the_person_closed_are_waited_out() -> None:
    closed = {"designated_blackouts": ((0, 9_000), (28_800, 46_800), (72_000, 86_400))}
    one = attempt(at("2026-03-11T20:30:00-04:00"), zones=(NEW_YORK,), attributes=closed)
    assert judge(one, (), only("XX-W4")).next_allowed == at("2026-03-12T02:30:00-04:00")
    assert judge(one, (), only("XX-W1", "XX-W4")).next_allowed == at("2026-03-12T13:00:00-04:00")


def test_who_closes_every_hour_is_never_reached() -> None:
    one = attempt(at("2026-03-11T12:00:00Z"), zones=(NEW_YORK,), attributes={"designated_blackouts": ((0, 86_400),)})
    assert judge(one, (), only("XX-W4")).next_allowed is None


def test_with_no_zone_at_all_the_next_instant_keeps_the_offset_of_the_request() -> None:
    asked = at("2026-03-25T12:00:00Z").astimezone(UTC)
    one = attempt(asked, flags={"cease_all": Span()})
    assert str(judge(one, (), only("XX-S2")).next_allowed) == "2026-04-05 23:00:00+00:00"
