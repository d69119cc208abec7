"""The rules of China, one by one: who, when, how often, on which conditions; and everything that they need to know."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.outreach.compliance.domain.attempt import Span
from services.outreach.compliance.domain.words import Channel, Direction, Mode, Outcome
from services.outreach.compliance.store import PACKS, read_pack
from tests.unit.outreach.compliance.asking import (
    NOON,
    attempt,
    contact,
    edges,
    judge,
    on_tuesday,
    reasons,
    rules,
)

NO_ANSWER, CONNECTED, TALK = Outcome.NO_ANSWER, Outcome.CONNECTED, Outcome.CONVERSATION
IN_VAIN = [contact(f"0{hour}:00", NO_ANSWER) for hour in (8, 9)] + [contact("10:00", Outcome.VOICEMAIL)]


def flags(**names: Span) -> dict[str, Any]:
    return {"flags": names}


def test_with_everything_in_order_a_call_at_noon_is_allowed() -> None:
    verdict = judge(attempt())
    assert (verdict.allowed, verdict.failing, verdict.next_allowed) == (True, (), None)
    assert {finding.rule for finding in verdict.evaluated} == {
        "CN-S1", "CN-D1", "CN-H2", "CN-P2", "CN-A1", "CN-R1", "CN-O1", "CN-W1", "CN-W2", "CN-F1", "CN-F2", "CN-F3",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("channel", "attribute", "rule"),
    [
        (Channel.CALL, "recording", "CN-R1"),
        (Channel.CALL, "identity_disclosed", "CN-O1"),
        (Channel.SMS, "identity_disclosed", "CN-O1"),
        (Channel.LETTER, "identity_disclosed", "CN-O1"),
        (Channel.VISIT, "crew", "CN-V1"),
        (Channel.VISIT, "id_shown", "CN-V1"),
        (Channel.VISIT, "mandate_shown", "CN-V1"),
        (Channel.VISIT, "recording", "CN-V1"),
        (Channel.CALL, "on_published_list", "CN-A1"),
        (Channel.CALL, "contract_valid", "CN-A1"),
        (Channel.CALL, "last_evaluation", "CN-A1"),
        (Channel.CALL, "training_current", "CN-A1"),
    ],
)
def test_what_is_not_known_is_denied_by_the_rule_that_needs_it(channel: Channel, attribute: str, rule: str) -> None:
    one = attempt(channel=channel, by="AG1", attributes={attribute: None})
    assert reasons(judge(one)) == {rule: f"missing:{attribute}"}
    assert judge(one).next_allowed is None
    if channel is Channel.CALL:
        untrue = attempt(channel=channel, by="AG1", attributes={attribute: False})
        assert rules(judge(untrue)) == [rule]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"mode": None}, {"CN-F1": "missing:mode", "CN-F2": "missing:mode"}, id="notice or talk"),
        pytest.param({"number": None}, {"CN-F3": "missing:number"}, id="the number"),
        pytest.param(
            {
                "by": None,
                "attributes": dict.fromkeys(
                    ("on_published_list", "contract_valid", "last_evaluation", "training_current")
                ),
            },
            {"CN-A1": "missing:by"},
            id="who acts",
        ),
        pytest.param(
            {"attributes": {"agreed": "evenings"}}, {"CN-W1": "missing:agreed"}, id="hours that make no sense"
        ),
        pytest.param(
            {"attributes": {"last_evaluation": "last year"}, "by": "AG1"},
            {"CN-A1": "missing:last_evaluation"},
            id="a date that is none",
        ),
        pytest.param(
            {"attributes": {"crew": "two"}, "channel": Channel.VISIT},
            {"CN-V1": "missing:crew"},
            id="a number that is none",
        ),
    ],
)
def test_an_attempt_of_which_something_is_not_known(changes: dict[str, Any], expected: dict[str, str]) -> None:
    assert reasons(judge(attempt(**changes))) == expected


@pytest.mark.parametrize(
    ("changes", "allowed"),
    [
        pytest.param({"crew": 1}, False, id="one person alone"),
        pytest.param({"crew": 2}, True, id="two"),
        pytest.param({"enter_home": True}, False, id="into the home, without a word of consent"),
        pytest.param({"enter_home": True, "entry_consent": False}, False, id="into the home against their will"),
        pytest.param({"enter_home": True, "entry_consent": True}, True, id="into the home with consent"),
        pytest.param({"enter_home": False}, True, id="not into the home"),
    ],
)
def test_a_visit(changes: dict[str, Any], *, allowed: bool) -> None:
    assert judge(attempt(channel=Channel.VISIT, attributes=changes)).allowed is allowed


@pytest.mark.parametrize(
    ("by", "changes", "allowed"),
    [
        pytest.param("AG1", {}, True, id="an agency in good standing"),
        pytest.param("AG1", {"last_evaluation": "2025-12-01"}, True, id="evaluated 365 days ago"),
        pytest.param("AG1", {"last_evaluation": "2025-11-30"}, False, id="evaluated 366 days ago"),
        pytest.param("AG1", {"last_evaluation": "2026-12-02"}, False, id="an evaluation that lies ahead"),
        pytest.param("AG1", {"last_evaluation": 365}, True, id="evaluated so many days ago"),
        pytest.param("AG1", {"last_evaluation": 366}, False, id="evaluated too many days ago"),
        pytest.param("AG1", {"contract_valid": False}, False, id="its contract has ended"),
        pytest.param("", {"contract_valid": False}, True, id="the lender itself"),
        pytest.param(None, {"contract_valid": False}, False, id="nobody says who, but an agency is spoken of"),
        pytest.param(None, {}, True, id="nobody says who, and the agency is in good standing"),
    ],
)
def test_an_agency(by: str | None, changes: dict[str, Any], *, allowed: bool) -> None:
    assert judge(attempt(by=by, attributes=changes)).allowed is allowed


# -- other people ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("history", "changes", "reason"),
    [
        pytest.param([], {}, "debtor_not_tried", id="nobody has tried the debtor"),
        pytest.param(IN_VAIN[:2], {}, "debtor_not_tried", id="two failures"),
        pytest.param(IN_VAIN, {}, "", id="three failures"),
        pytest.param([*IN_VAIN, contact("11:00", TALK)], {}, "debtor_not_tried", id="and then a talk"),
        pytest.param([contact("07:00", TALK), *IN_VAIN], {}, "", id="after a talk"),
        pytest.param(
            [*IN_VAIN, contact("11:00", TALK, direction=Direction.IN)], {}, "debtor_not_tried", id="they called"
        ),
        pytest.param([*IN_VAIN, contact("12:30", TALK)], {}, "", id="a talk that is still to come"),
        pytest.param(
            [*IN_VAIN[:2], contact("11:00", Outcome.SENT, channel=Channel.SMS)],
            {},
            "debtor_not_tried",
            id="a message is no attempt",
        ),
        pytest.param(
            [contact(f"0{h}:00", NO_ANSWER, by=f"AG{h}", debt=f"D{h}", number=f"N{h}") for h in (7, 8, 9)],
            {},
            "",
            id="by three agencies, about three debts",
        ),
        pytest.param(
            [contact(f"0{h}:00", NO_ANSWER, person="guarantor:G1") for h in (7, 8, 9)],
            {},
            "debtor_not_tried",
            id="at the guarantor",
        ),
        pytest.param(
            [contact(f"0{h}:00", NO_ANSWER, creditor="other") for h in (7, 8, 9)],
            {},
            "debtor_not_tried",
            id="for another lender",
        ),
        pytest.param([], flags(debtor_number_invalid=Span()), "", id="the number is not the debtor's any more"),
        pytest.param([], {"attributes": {"debtor_dead": True}}, "", id="the debtor has died"),
        pytest.param([], flags(debtor_missing=Span(until=NOON)), "debtor_not_tried", id="was missing until now"),
        pytest.param(IN_VAIN, flags(contact_refused=Span(since=NOON)), "refused", id="they have just refused"),
        pytest.param(
            IN_VAIN, flags(contact_refused=Span(until=on_tuesday("09:00"))), "refused", id="a refusal does not end"
        ),
        pytest.param(IN_VAIN, {"attributes": {"content": ("ask_to_relay",)}}, "", id="asked to pass it on"),
        pytest.param(IN_VAIN, {"attributes": {"content": None}}, "missing:content", id="told nobody knows what"),
        pytest.param(IN_VAIN, {"attributes": {"content": ("ask_to_relay", "amount")}}, "content", id="told the amount"),
        pytest.param(
            [],
            {"attributes": {"contact_offers_to_pay": True, "content": ("payment_information",)}},
            "",
            id="offers to pay",
        ),
        pytest.param(
            [],
            {"attributes": {"contact_offers_to_pay": True, "content": ("amount",)}},
            "content",
            id="offers to pay, is told more",
        ),
        pytest.param(
            IN_VAIN, {"attributes": {"content": ("payment_information",)}}, "content", id="does not offer to pay"
        ),
    ],
)
def test_another_person_is_asked_only_once_the_debtor_cannot_be_reached(
    history: list[Any], changes: dict[str, Any], reason: str
) -> None:
    verdict = judge(attempt(person="contact:K1", **changes), history)
    assert reasons(verdict).get("CN-P1", "") == reason
    assert verdict.allowed is not bool(reason)
    assert verdict.next_allowed is None


def test_a_flag_that_will_stand_opens_the_gate_then() -> None:
    missing = Span(since=on_tuesday("15:00"), until=on_tuesday("15:00:05"))
    one = attempt(person="contact:K1", **flags(debtor_missing=missing))
    assert judge(one).next_allowed == on_tuesday("15:00")
    assert edges(judge(one), one) == (False, True)


def test_a_flag_that_will_stand_only_at_night_opens_nothing() -> None:
    missing = Span(since=on_tuesday("23:00"), until=on_tuesday("23:30"))
    assert judge(attempt(person="contact:K1", **flags(debtor_missing=missing))).next_allowed is None


def test_only_what_the_debtor_gave_for_this_is_a_contact() -> None:
    one = attempt(person="contact:K1", attributes={"given_by_debtor": False})
    assert reasons(judge(one, IN_VAIN)) == {"CN-I2": "unmet:given_by_debtor"}


@pytest.mark.parametrize("person", ["co_debtor:C1", "guarantor:G1", "related:R1"])
def test_who_owes_too_is_contacted_as_the_debtor_is(person: str) -> None:
    assert judge(attempt(person=person)).allowed


def test_a_party_that_the_rules_do_not_know_is_not_contacted() -> None:
    assert reasons(judge(attempt(person="attorney:L1"))) == {"CN-P2": "party"}


def test_another_person_is_contacted_once_a_day_by_whatever_channel() -> None:
    one, before = attempt(person="contact:K1", channel=Channel.SMS), contact("09:00", NO_ANSWER, person="contact:K1")
    verdict = judge(one, [*IN_VAIN, before])
    assert (rules(verdict), verdict.next_allowed) == (["CN-H1"], on_tuesday("08:00") + timedelta(days=1))


# -- how often ---------------------------------------------------------------------------------------------------------


def calls(many: int, outcome: Outcome, **others: Any) -> list[Any]:
    return [contact(f"{8 + n // 2:02}:{n % 2 * 30:02}", outcome, **others) for n in range(many)]


@pytest.mark.parametrize(
    ("changes", "history", "rule"),
    [
        pytest.param({}, calls(2, CONNECTED), "", id="a third notice"),
        pytest.param({}, calls(3, CONNECTED), "CN-F1", id="a fourth notice"),
        pytest.param(
            {},
            calls(3, CONNECTED, by="AG9", debt="D9", number="Z"),
            "CN-F1",
            id="whoever called, about what, at which number",
        ),
        pytest.param({}, calls(3, CONNECTED, person="co_debtor:C1"), "", id="somebody else was called"),
        pytest.param({}, calls(3, CONNECTED, creditor="other"), "", id="another lender called"),
        pytest.param({}, calls(5, NO_ANSWER), "", id="nobody answered"),
        pytest.param({}, calls(3, CONNECTED, direction=Direction.IN), "", id="they called"),
        pytest.param({"channel": Channel.SMS}, calls(9, CONNECTED), "", id="a message is no call"),
        pytest.param({"mode": Mode.INTERACTIVE}, calls(3, CONNECTED), "", id="answered, not talked"),
        pytest.param({"mode": Mode.INTERACTIVE}, calls(2, TALK), "", id="a third talk"),
        pytest.param({"mode": Mode.INTERACTIVE}, calls(3, TALK), "CN-F2", id="a fourth talk"),
        pytest.param({}, calls(5, NO_ANSWER), "", id="a sixth call without answer"),
        pytest.param({}, calls(6, NO_ANSWER), "CN-F3", id="a seventh"),
        pytest.param({}, calls(6, Outcome.FAILED), "CN-F3", id="a seventh to a busy number"),
        pytest.param({"number": "B"}, calls(6, NO_ANSWER), "", id="at another number"),
        pytest.param({}, calls(6, NO_ANSWER, by="AG1"), "CN-F3", id="by somebody else"),
        pytest.param({"attributes": {"agreed_limits": {"CN-F1": 4}}}, calls(3, CONNECTED), "", id="four were agreed"),
        pytest.param(
            {"attributes": {"agreed_limits": {"CN-F1": 1}}}, calls(1, CONNECTED), "CN-F1", id="one was agreed"
        ),
        pytest.param(
            {"attributes": {"agreed_limits": {"CN-F1": 0}}}, calls(2, CONNECTED), "", id="none is no agreement"
        ),
    ],
)
def test_calls_of_a_day(changes: dict[str, Any], history: list[Any], rule: str) -> None:
    one = attempt(**changes)
    verdict = judge(one, history)
    assert rules(verdict) == ([rule] if rule else [])
    if rule:
        assert verdict.next_allowed == on_tuesday("08:00") + timedelta(days=1)
        assert edges(verdict, one, history) == (False, True)


@pytest.mark.parametrize(
    ("combined", "mode", "history", "allowed"),
    [
        pytest.param(True, Mode.INFORM, calls(3, TALK, mode=Mode.INTERACTIVE), False, id="talks use up notices"),
        pytest.param(True, Mode.INTERACTIVE, calls(3, CONNECTED, mode=Mode.INFORM), False, id="notices use up talks"),
        pytest.param(
            True, Mode.INFORM, calls(3, CONNECTED, mode=Mode.INTERACTIVE), True, id="an answered call, no talk"
        ),
        pytest.param(False, Mode.INFORM, calls(3, TALK, mode=Mode.INTERACTIVE), True, id="three notices beside talks"),
        pytest.param(
            False, Mode.INTERACTIVE, calls(3, CONNECTED, mode=Mode.INFORM), True, id="three talks beside notices"
        ),
        pytest.param(False, Mode.INFORM, calls(3, CONNECTED, mode=Mode.INFORM), False, id="no fourth notice"),
        pytest.param(False, Mode.INFORM, calls(3, TALK), False, id="calls of unstated kind count for both"),
    ],
)
def test_notices_and_talks_share_their_three_where_the_pack_says_so(
    *, combined: bool, mode: Mode, history: list[Any], allowed: bool
) -> None:
    pack = read_pack(PACKS / "cn.yaml", {"combine_voice_caps": combined})
    assert judge(attempt(mode=mode), history, pack).allowed is allowed


# -- hours -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clock", "attributes", "expected"),
    [
        pytest.param("22:30", {}, ["CN-W1", "CN-W2"], id="at night"),
        pytest.param("22:30", {"agreed": ((68_400, 82_800),)}, ["CN-W2"], id="agreed, but without consent"),
        pytest.param("22:30", {"consent_hours": True}, ["CN-W1"], id="consent, but not agreed"),
        pytest.param("22:30", {"agreed": ((68_400, 82_800),), "consent_hours": True}, [], id="agreed and with consent"),
        pytest.param(
            "12:00", {"agreed": ((68_400, 82_800),), "consent_hours": True}, ["CN-W1"], id="at noon, evenings agreed"
        ),
        pytest.param("12:00", {"agreed": ()}, ["CN-W1"], id="no hour agreed"),
    ],
)
def test_agreed_hours_replace_the_default_and_nights_need_consent(
    clock: str, attributes: dict[str, Any], expected: list[str]
) -> None:
    assert rules(judge(attempt(on_tuesday(clock), attributes=attributes))) == expected


def test_the_stricter_of_two_windows_decides_when_next() -> None:
    evening = attempt(on_tuesday("22:30"), attributes={"agreed": ((68_400, 82_800),)})
    assert judge(evening).next_allowed == on_tuesday("19:00") + timedelta(days=1)


@pytest.mark.parametrize("channel", [each for each in Channel if each not in {Channel.LETTER, Channel.CREDIT_REPORT}])
def test_every_channel_but_letters_has_hours(channel: Channel) -> None:
    at_night = attempt(on_tuesday("22:00"), channel=channel)
    assert judge(at_night).next_allowed == on_tuesday("08:00") + timedelta(days=1)
    assert judge(attempt(on_tuesday("21:59:59"), channel=channel)).allowed


def test_fractions_of_a_second_belong_to_their_second() -> None:
    assert judge(attempt(on_tuesday("21:59:59.999999"))).allowed
    assert judge(attempt(on_tuesday("07:59:59.999999"))).next_allowed == on_tuesday("08:00")


# -- standing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flag", "channel", "purpose", "allowed"),
    [
        ("plan_active", Channel.CALL, "", False),
        ("plan_active", Channel.LETTER, "", False),
        ("plan_active", Channel.SMS, "payment_confirm", True),
        ("plan_active", Channel.CALL, "service", True),
        ("plan_active", Channel.CALL, "dispute_reply", False),
        ("dispute_open", Channel.CALL, "", False),
        ("dispute_open", Channel.LETTER, "", True),
        ("dispute_open", Channel.CALL, "dispute_reply", True),
    ],
)
def test_a_plan_and_a_dispute_stop_contact(flag: str, channel: Channel, purpose: str, *, allowed: bool) -> None:
    one = attempt(channel=channel, purpose=purpose, **flags(**{flag: Span(since=datetime(2026, 10, 1, tzinfo=UTC))}))
    assert judge(one).allowed is allowed


def test_a_flag_stands_from_its_second_until_its_end_and_no_longer() -> None:
    span = Span(since=on_tuesday("10:00:00.5"), until=on_tuesday("14:00:00.5"))
    clocks = ["09:59:59", "10:00:00", "14:00:00", "14:00:01"]
    assert [judge(attempt(on_tuesday(clock), **flags(plan_active=span))).allowed for clock in clocks] == [
        True, False, False, True,
    ]  # fmt: skip
    assert judge(attempt(**flags(plan_active=span))).next_allowed == on_tuesday("14:00:01")


def test_what_a_person_begins_is_never_refused() -> None:
    one = attempt(on_tuesday("23:00"), direction=Direction.IN, attributes={"recording": None})
    assert judge(one, calls(9, TALK)).allowed
