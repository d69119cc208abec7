"""Dated plays of what somebody said to a provider that talks by itself."""

from collections import Counter
from dataclasses import replace

import pytest

from services.outreach.contacts.adapters.sandbox import SAID, answer, outcome
from services.outreach.contacts.domain.course import Delivery
from services.outreach.contacts.domain.rows import ContactDue, ContactState
from services.outreach.contacts.effects import Heard
from services.outreach.contacts.ports import Answer
from services.outreach.outcomes.domain import Result
from tests.unit.outreach.play import LENDER, Play
from tests.unit.outreach.saying import contact, noon, reached

CALLS = 20_000


def calling(*before: str) -> Play:
    """A machine talks to the debtor, after other calls that were made."""
    sending = contact(state=ContactState.SENDING, outcome="", ended_at=None)
    play = reached(None, sending, *(contact(name) for name in before))
    play.state = replace(play.state, contact_due={"contact-1": ContactDue("contact-1", noon(2), LENDER)})
    return play


def heard(said: Answer | None, contact_id: str = "contact-1") -> Heard:
    return Heard(contact_id=contact_id, delivery=Delivery.ACCEPTED, outcome="conversation", answer=said)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        pytest.param(None, ["ContactMade"], id="nothing that can be heard is no outcome"),
        pytest.param(Answer("refused"), ["ContactMade", "outcome refused"], id="a refusal"),
        pytest.param(
            Answer("promised", 50, 4),
            ["ContactMade", "outcome promised", "PromiseMade", "plan 1 stopped: promise made, cancelled [1, 2]"],
            id="a promise makes everything stand still",
        ),
        pytest.param(
            Answer("promised", 50, 40),
            ["ContactMade", "outcome right_party_reached"],
            id="a promise beyond the limits is none, and the person was reached all the same",
        ),
    ],
)
def test_what_is_said_is_an_outcome(said: Answer | None, told: list[str]) -> None:
    assert [each.split(" of ")[0] for each in calling().tell(heard(said))][: len(told)] == told


def test_a_promise_is_of_the_part_that_was_said_and_by_that_day() -> None:
    play = calling()
    play.tell(heard(Answer("promised", 50, 4)))
    assert play.state.guard is not None
    [promise] = play.state.promises.values()
    assert promise.amount == play.state.guard.past_due // 2
    assert (promise.promised_on - play.now.business_date).days == 4
    assert promise.made_by == "provider/phone"


def test_another_time_that_is_asked_for_is_waited_for() -> None:
    play = calling()
    play.tell(heard(Answer("asked_for_another_time", 0, 3)))
    [kept] = play.state.outcomes.values()
    assert kept.said.call_back_at is not None
    assert (kept.said.call_back_at - play.now.instant).days == 3


def test_an_answer_that_comes_twice_counts_once() -> None:
    play = calling()
    play.tell(heard(Answer("asked_for_another_time", 0, 3)))
    play.now = replace(play.now, instant=noon(4))
    assert play.tell(heard(Answer("asked_for_another_time", 0, 3))) == []


def test_made_up_debtors_say_all_that_people_say_each_in_its_share() -> None:
    ends = Counter((outcome(7, "phone", str(key)), _result(key)) for key in range(CALLS))
    talks = {result: many for (ending, result), many in ends.items() if ending == "conversation"}
    for result, share in SAID["conversation"].items():
        assert abs(talks[result] / sum(talks.values()) - share / 100) < 0.02, result
    assert {result for _, result in ends if result} <= set(Result)
    assert not [result for (ending, result) in ends if ending == "failed" and result]


def _result(key: int) -> str:
    said = answer(7, "phone", str(key))
    return said.result if said else ""


def test_nothing_is_said_to_a_message() -> None:
    assert answer(7, "sms", "key") is None
