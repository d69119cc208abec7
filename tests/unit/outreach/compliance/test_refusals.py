"""The eleven practices that are refused: each by its rule, with what is lawful in its place, or by there being no way.

They were asked for by the plans that this product was made from. Where no function could do it, the surface is held to
what it is: who adds a way to reach, to name or to pass on people has to come here first.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import pytest

from services.flow import FLOW
from services.installed import declared
from services.outreach.compliance.domain.attempt import Span
from services.outreach.compliance.domain.words import Channel, Outcome, Party
from services.outreach.compliance.store import read_conduct, shipped
from services.outreach.compliance.wording import explained, substitute, wording
from services.outreach.templates.domain import template
from services.outreach.templates.domain.linting import wrong_words
from services.outreach.templates.domain.template import Audience
from services.outreach.templates.store import book, read_templates, sample_findings
from shared.contracts import catalogue, intake, segmentation
from shared.settings import RoleName, Settings
from tests.unit.outreach.compliance.asking import NOON, attempt, contact, judge, on_tuesday, reasons

API = Path(__file__).parents[4] / "docs" / "api"
IN_VAIN = [contact(f"0{hour}:00", Outcome.NO_ANSWER) for hour in (7, 8, 9)]
Refused = tuple[str, str]
"""The rule that refuses, and the lawful substitute that its answer names."""


# -- asked of the engine -----------------------------------------------------------------------------------------------


def told_to_urge_the_debtor() -> Refused:
    return _denied(
        "CN-P1", person="contact:K1", attributes={"content": ("ask_to_relay", "urge_to_pay")}, history=IN_VAIN
    )


def told_of_the_debt_when_the_debtor_is_unreachable() -> Refused:
    return _denied("CN-P1", person="contact:K1", attributes={"content": ("amount",)}, history=IN_VAIN)


def called_before_three_failures_at_the_debtor() -> Refused:
    return _denied("CN-P1", person="contact:K1", history=IN_VAIN[:2])


def called_four_times_on_two_telephones() -> Refused:
    calls = [contact(f"{hour:02}:00", number="AB"[hour % 2], by=f"AG{hour}") for hour in (9, 10, 11)]
    return _denied("CN-F1", number="B", history=calls)


def called_again_on_the_same_day() -> Refused:
    return _denied("CN-H1", person="contact:K1", history=[*IN_VAIN, contact("10:00", person="contact:K1")])


def called_after_a_refusal() -> Refused:
    refused = {"contact_refused": Span(since=on_tuesday("09:30"), until=on_tuesday("10:00"))}
    return _denied("CN-P1", person="contact:K1", flags=refused, history=IN_VAIN, ever=True)


def asked_for_money_that_they_did_not_offer() -> Refused:
    return _denied(
        "CN-P1", person="contact:K1", attributes={"content": ("payment_information",)}, history=IN_VAIN, ever=True
    )


def rung_a_seventh_time() -> Refused:
    rung = [contact(f"{hour:02}:{minute}", Outcome.NO_ANSWER) for hour in (8, 9, 10) for minute in ("00", "30")]
    return _denied("CN-F3", history=rung)


def _denied(rule: str, *, history: Iterable[Any] = (), ever: bool = False, **asked: Any) -> Refused:
    verdict = judge(attempt(NOON, **asked), list(history))
    assert rule in reasons(verdict)
    assert not (ever and verdict.next_allowed), "waiting does not help"
    said = explained("asked", verdict, shipped()["CN"], "en").splitlines()
    place = next(number for number, line in enumerate(said) if line.startswith(f"  {rule}, "))
    return rule, said[place + 1].removeprefix("    instead: ")


# -- asked of the texts ------------------------------------------------------------------------------------------------


def said(rule: str, *texts: str, to: Audience = "debtor") -> Callable[[], Refused]:
    """Texts, every one of which the conduct book refuses by this rule."""

    def refused() -> Refused:
        for text in texts:
            assert rule in {finding.rule for finding in wrong_words(text, to, book())}, text
        return rule, substitute(rule)["en"]

    return refused


REFUSALS = [
    pytest.param(
        said("CN-X6", "We will publish your name on our list of defaulters.", "我们将公示您的姓名和欠款。"),
        "refer the case to court",
        id="1 typical defaulters are published",
    ),
    pytest.param(
        said("CN-X4", "You will be put on our industry blacklist.", "您将被列入行业黑名单。"),
        "licensed credit bureau",
        id="2 a private blacklist is kept",
    ),
    pytest.param(
        said("CN-X6", "We will share your file with other lenders.", "我们将与同业共享您的欠款信息。"),
        "licensed credit bureau",
        id="3 debtors are shared among peers",
    ),
    pytest.param(told_to_urge_the_debtor, "neutral request to call back", id="4 a contact is made to urge"),
    pytest.param(
        said("CN-X10", "Please urge him to pay.", "请您督促他还款。", to="third_person"),
        "neutral request to call back",
        id="4 a contact is asked to urge",
    ),
    pytest.param(
        called_four_times_on_two_telephones, "hours at which this debtor answers", id="5 two telephones daily"
    ),
    pytest.param(
        said("CN-X1", "We will call you every day on both of your telephones.", "我们会天天打您的两部电话。"),
        "hardship path",
        id="5 calls are announced as a threat",
    ),
    pytest.param(
        told_of_the_debt_when_the_debtor_is_unreachable,
        "ask the contact how, or to relay a neutral request",
        id="6 a contact is told of the debt when the debtor is unreachable",
    ),
    pytest.param(called_before_three_failures_at_the_debtor, "reach the debtor", id="6 before three logged failures"),
    pytest.param(
        said("CN-X11", "He owes us 3,000 yuan and is overdue.", "他欠款三千元。", to="third_person"),
        "without a word of a debt",
        id="6 a text tells a contact of the debt",
    ),
    pytest.param(called_again_on_the_same_day, "one contact a day with this person", id="7 every contact every day"),
    pytest.param(called_after_a_refusal, "reach the debtor", id="7 a contact who has refused"),
    pytest.param(asked_for_money_that_they_did_not_offer, "relay a neutral request", id="8 a contact is made to pay"),
    pytest.param(
        said("CN-X10", "Please pay for him.", "请您替他还款。", to="third_person"),
        "who offers to pay by themselves is told how",
        id="8 a contact is asked to pay",
    ),
    pytest.param(rung_a_seventh_time, "another hour of another day", id="9 frequency must be high"),
    pytest.param(
        said("CN-X1", "Your illness will get worse if you do not pay.", "我们知道您孩子在哪上学。", "有病也得还。"),
        "hardship path",
        id="10 weaknesses are pressed on",
    ),
    pytest.param(
        said("CN-X2", "If you do not pay, the police will come for you.", "不还款将由公安机关上门抓人。"),
        "where fraud is suspected, refer it with legal's approval",
        id="11 the police is a lever",
    ),
]


@pytest.mark.parametrize(("ask", "instead"), REFUSALS)
def test_a_practice_is_refused_and_the_lawful_substitute_named(ask: Callable[[], Refused], instead: str) -> None:
    rule, named = ask()
    assert instead in named, rule


def test_all_eleven_are_in_the_table() -> None:
    assert {str(each.id).split()[0] for each in REFUSALS} == {str(number) for number in range(1, 12)}


def test_every_rule_and_every_prohibition_names_a_substitute_in_both_languages() -> None:
    rules = {rule.id for pack in shipped().values() for rule in pack.rules} | {
        name for pack in shipped().values() for name in pack.off
    }
    assert set(wording().substitutes) == rules | {conduct.id for conduct in read_conduct()}
    for name in wording().substitutes:
        words = substitute(name)
        assert words["en"]
        assert re.search("[\u4e00-\u9fff]{4}", words["zh"])


# -- the substitutes are there -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "audience"), [("ask_to_relay", "third_person"), ("hardship_call", "debtor"), ("interview_offer", "debtor")]
)
def test_the_lawful_texts_are_shipped_and_clean(name: str, audience: str) -> None:
    [found] = [each for each in read_templates() if each.id == name]
    assert found.audience == audience
    assert not any(sample_findings(found).values())


def test_a_neutral_request_to_a_contact_is_allowed_once_the_debtor_cannot_be_reached() -> None:
    asked = attempt(NOON, person="contact:K1", attributes={"content": ("ask_to_relay",)})
    assert judge(asked, IN_VAIN).allowed


def test_a_contact_who_offers_to_pay_by_themselves_is_told_how() -> None:
    told = {"content": ("payment_information",), "contact_offers_to_pay": True}
    assert judge(attempt(NOON, person="contact:K1", attributes=told)).allowed


def test_a_case_can_be_handed_to_legal() -> None:
    assert segmentation.Channel.LEGAL_REFERRAL in segmentation.Channel


# -- no function does it -----------------------------------------------------------------------------------------------

NOBODY_IS_REACHED_OTHERWISE: Mapping[str, tuple[set[str], set[str]]] = {
    "channels of rules": (set(Channel), {"call", "sms", "email", "im", "push", "letter", "visit", "credit_report"}),
    "channels of plans": (
        set(segmentation.Channel), {"sms", "phone", "letter", "email", "visit", "agency", "legal_referral"},
    ),
    "channels of texts": (set(get_args(template.Channel)), {"sms", "phone", "email", "letter", "visit"}),
    "readers of texts": (set(get_args(template.Audience)), {"debtor", "third_person"}),
    "purposes of texts": (
        set(get_args(template.Purpose)),
        {"remind", "collect", "plan", "advice", "hardship", "consequences", "interview", "legal_notice", "visit",
         "balance", "locate"},
    ),
    "purposes for others": ({each.purpose for each in read_templates() if each.audience != "debtor"}, {"locate"}),
    "parties": (
        set(Party),
        {"debtor", "co_debtor", "guarantor", "spouse", "related", "contact", "unrelated", "third", "attorney"},
    ),
    "callers": (set(get_args(RoleName)), {"core_bank", "agency", "operator", "supervisor"}),
}  # fmt: skip
"""What there is, and what has been looked at: neither the public, nor another lender, nor the police is among them."""


@pytest.mark.parametrize("kind", NOBODY_IS_REACHED_OTHERWISE)
def test_no_way_to_reach_anybody_is_added_unseen(kind: str) -> None:
    there, looked_at = NOBODY_IS_REACHED_OTHERWISE[kind]
    assert there == looked_at


NEVER = frozenset(
    {
        *("shame", "blacklist", "defaulter", "defaulters", "expose", "disclose", "disclosure", "reveal"),
        *("announce", "announcement", "broadcast", "poster", "police", "peer", "peers", "exchange"),
        *("threat", "threaten", "pressure", "urge", "neighbour", "neighbours", "neighbor", "employer", "colleagues"),
    }
)
"""Words that no route, command, fact or template is named by."""

RULES = frozenset({"strategies", "strategy", "packs", "experiments", "templates", "tiers", "stages"})
"""What may be published: how people are treated, never who they are."""


def documents() -> Iterator[tuple[str, dict[str, Any]]]:
    """The public surface of each service, as it is generated from the code."""
    for file in sorted(API.glob("openapi-*.json")):
        yield file.name, json.loads(file.read_text("utf-8"))


def names() -> Iterator[str]:
    """Everything that can be asked for, told, or said to somebody."""
    for _, document in documents():
        yield from document["paths"]
    for service in declared(Settings.demo()):
        for actor in service.actors:
            yield from actor.commands
    yield from (name for types in catalogue.TOPICS.values() for name in types)
    yield from (each.id for each in read_templates())


def unlawful(name: str) -> bool:
    words = re.split(r"[^a-z]+", name.lower())
    publishes = any(word.startswith("publi") for word in words)
    return bool(NEVER.intersection(words)) or (publishes and not RULES.intersection(words))


def test_nothing_publishes_shames_or_presses() -> None:
    every = list(names())
    assert len(every) > 100
    assert [name for name in every if unlawful(name)] == []


@pytest.mark.parametrize(
    "added",
    ["/v1/debtors/{debtor_id}/publish", "/v1/published-debtors", "/v1/blacklist", "share-with-peers", "police_call"],
)
def test_a_name_that_does_is_seen(added: str) -> None:
    assert unlawful(added)


def test_rules_may_be_published() -> None:
    assert not unlawful("/v1/strategies/{name}/publish")


PERSONAL = frozenset(
    {
        *("party_id", "full_name", "first_name", "last_name", "id_number", "identity_number", "phone", "phone_number"),
        *("telephone", "mobile", "email", "address", "photo", "employer", "relatives"),
    }
)


def answered(document: Mapping[str, Any]) -> set[str]:
    """The names of all fields in anything that a service answers."""
    schemas, seen, fields = document["components"]["schemas"], set(), set()
    waiting = [ref for path in document["paths"].values() for each in path.values() for ref in refs(each["responses"])]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            fields |= set(schemas[name].get("properties", {}))
            waiting += refs(schemas[name])
    return fields


def refs(content: Any) -> list[str]:
    if isinstance(content, dict):
        own = [content["$ref"].rsplit("/", 1)[1]] if isinstance(content.get("$ref"), str) else []
        return own + [ref for inner in content.values() for ref in refs(inner)]
    return [ref for inner in content for ref in refs(inner)] if isinstance(content, list) else []


def test_no_answer_of_any_service_has_a_field_for_who_a_person_is() -> None:
    found = {name: answered(document) for name, document in documents()}
    assert all("debtor_id" in fields for fields in found.values())
    assert {name: fields & PERSONAL for name, fields in found.items() if fields & PERSONAL} == {}


def test_who_people_are_is_heard_by_those_alone_who_contact_them_or_sue() -> None:
    readers = {stop.service for stop in FLOW if intake.PROFILES in stop.reads}
    assert readers == {"outreach", "legal"}


def test_two_lenders_cannot_tell_that_they_have_the_same_debtor() -> None:
    vault = Settings.demo().vault
    assert vault.pseudonym("one-bank", "party-1") == vault.pseudonym("one-bank", "party-1")
    assert vault.pseudonym("one-bank", "party-1") != vault.pseudonym("another-bank", "party-1")
