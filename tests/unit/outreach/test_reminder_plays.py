"""Dated plays of the one contact while a promise stands: a reminder before its day, through the gate, once."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from services.outreach.contacts.ports import NotTakenError, PutOffError, RefusedError, UnansweredError
from services.outreach.plans.commands import PlaceHold, ReleaseHold
from services.outreach.promises.domain import ReminderDue, reminder_key
from shared.contracts import intake, outreach
from shared.contracts.core_banking import ContactKind, ContactOwner, ContactSource
from shared.contracts.outreach import OutcomeResult
from shared.contracts.segmentation import Channel
from tests.unit.outreach.play import CLOSED, CURED, DEBTOR, LEGAL_HOLD, LENDER, Play, case, payment
from tests.unit.outreach.saying import ANNA, FRIDAY, contact, morning, noon, outcome, pays, promise, takes_back
from tests.unit.outreach.test_contact_plays import Contacting, Provider

SENT = ["ContactPermitted", "ContactMade"]
THURSDAY_MORNING, FRIDAY_MORNING = morning(5), morning(6)


def promised(provider: Provider | None = None, *, forgets: bool = False, on: date = FRIDAY) -> Contacting:
    """A promise for Friday is made on Monday."""
    play = Contacting(provider or Provider())
    play.forgets = forgets
    play.tell(intake.CaseOpened(case=case()), 1)
    play.state = replace(play.state, contacts={"contact-1": contact()})
    play.until(noon(2))
    play.tell(promise(on=on), actor=ANNA)
    return play


def reminders(play: Play) -> list[Any]:
    return [each for each in play.state.contacts.values() if each.contact_id != "contact-1"]


@pytest.mark.parametrize("forgets", [False, True])
def test_the_debtor_is_reminded_once_on_the_day_before_in_the_hours_of_the_house(*, forgets: bool) -> None:
    play = promised(forgets=forgets)
    assert play.until(THURSDAY_MORNING) == []
    assert play.until(FRIDAY_MORNING) == SENT
    [reminder] = reminders(play)
    assert (reminder.template, reminder.channel, reminder.asked_by) == ("remind_promise", "sms", "outreach")
    assert (reminder.plan_number, reminder.purpose, reminder.pack) == (0, "collection", "CN")
    assert {"CN-W1", "CN-H2"} <= {rule.rule for rule in reminder.rules}
    hour = (reminder.permitted_at + timedelta(hours=8)).hour
    assert 10 <= hour < 18
    assert play.until(noon(9)) == [], "and nothing else until the promise has ended"
    assert play.provider.asked == ["send"]
    assert play.state.promises[next(iter(play.state.promises))].state == "standing"


def test_it_is_sent_once_however_often_it_falls_due() -> None:
    play = promised()
    play.until(FRIDAY_MORNING - timedelta(hours=4))
    [reminder] = reminders(play)
    [known] = play.state.promises
    assert play.tell(ReminderDue(known, play.now.instant, LENDER)) == []
    assert reminder.idempotency_key == reminder_key(DEBTOR, known)
    assert play.provider.asked == ["send"]


def test_whoever_has_paid_is_not_reminded_nor_is_who_paid_and_took_it_back() -> None:
    play = promised()
    assert "PromiseKept 40000" in play.tell(pays("p1", 40_000, 3), 2)
    assert play.state.reminder_due is None
    assert play.tell(ReminderDue(next(iter(play.state.promises)), play.now.instant, LENDER)) == []
    play.tell(takes_back("p1", 40_000), 3)
    assert play.until(FRIDAY_MORNING) == []
    assert reminders(play) == []


def test_whoever_has_paid_a_part_is_reminded() -> None:
    play = promised()
    play.tell(pays("p1", 10_000, 3), 2)
    assert play.until(FRIDAY_MORNING) == SENT


@pytest.mark.parametrize(
    "stop",
    [
        pytest.param(LEGAL_HOLD, id="a hold of legal's"),
        pytest.param(PlaceHold(reason="dispute"), id="a hold of an operator's"),
        pytest.param(outcome(OutcomeResult.DISPUTED, "contact-2"), id="a dispute"),
        pytest.param(payment(CURED), id="a cured case"),
        pytest.param(payment(CLOSED), id="a closed case"),
    ],
)
def test_nobody_is_reminded_while_anything_else_stands(stop: Any) -> None:
    play = promised()
    play.state = replace(play.state, contacts={**play.state.contacts, "contact-2": contact("contact-2")})
    play.tell(stop, 2, actor=ANNA)
    said = play.until(FRIDAY_MORNING)
    assert not {"ContactPermitted", "ContactMade"} & set(said)
    assert play.provider.asked == []


def test_a_hold_that_was_lifted_in_time_does_not_stand() -> None:
    play = promised()
    play.tell(PlaceHold(reason="dispute"), actor=ANNA)
    [hold] = play.state.holds
    play.until(noon(4))
    play.tell(ReleaseHold(hold_id=hold, reason="over"), actor=ANNA)
    assert play.until(FRIDAY_MORNING) == SENT


@pytest.mark.parametrize(
    ("closed", "sent"),
    [((Channel.SMS,), ["email"]), ((Channel.EMAIL,), ["sms"]), ((Channel.SMS, Channel.EMAIL), [])],
)
def test_the_channel_is_one_that_the_debtor_did_not_opt_out_of(closed: tuple[Channel, ...], sent: list[str]) -> None:
    play = promised()
    play.state = replace(play.state, contacts={**play.state.contacts, "contact-2": contact("contact-2")})
    play.tell(outcome(OutcomeResult.OPTED_OUT, "contact-2", opts_out_of=closed), actor=ANNA)
    play.until(FRIDAY_MORNING)
    made = [each for each in reminders(play) if each.contact_id != "contact-2"]
    assert [each.channel for each in made] == sent
    assert [each.template for each in made] == [
        "remind_promise_mail" if each == "email" else "remind_promise" for each in sent
    ]


def test_the_channel_is_one_that_leads_to_the_debtor() -> None:
    play = promised()
    point = intake.SealedContact(
        id="mail",
        kind=ContactKind.EMAIL,
        owner=ContactOwner.DEBTOR,
        verified=True,
        source=ContactSource.BANK,
        value=b"",
    )
    profile = intake.SealedProfile(
        key_id="k", updated_at=noon(1), language="zh", time_zones=(), name=b"", id_number=b"", contacts=(point,)
    )
    play.tell(intake.ProfileChanged(version=1, profile=profile))
    play.until(FRIDAY_MORNING)
    assert [(each.channel, each.contact_point) for each in reminders(play)] == [("email", "mail")]


@pytest.mark.parametrize(("day", "due"), [(2, False), (3, False), (4, True)])
def test_a_promise_whose_day_is_near_is_not_reminded_of(*, day: int, due: bool) -> None:
    play = promised(on=FRIDAY.replace(day=day))
    assert (play.state.reminder_due is not None) is due


def test_the_rules_judge_it_and_what_they_deny_waits_for_them_but_not_for_the_day_itself() -> None:
    play = promised()
    due = play.state.reminder_due
    assert due is not None
    play.until(datetime(2026, 3, 4, 23, tzinfo=UTC))
    play.state = replace(play.state, reminder_due=replace(due, due_at=play.now.instant))
    assert play.until(play.now.instant) == ["denied by CN-W1, CN-W2 until 2026-03-05 08:00:00+08:00"]
    assert play.until(FRIDAY_MORNING) == SENT

    late = promised()
    late.until(datetime(2026, 3, 5, 1, tzinfo=UTC))
    late.state = replace(late.state, reminder_due=replace(due, due_at=datetime(2026, 3, 5, 14, 30, tzinfo=UTC)))
    assert late.until(FRIDAY_MORNING) == ["denied by CN-W1, CN-W2 until 2026-03-06 08:00:00+08:00"]
    assert (reminders(late), late.state.reminder_due) == ([], None)


def test_what_falls_due_on_the_promised_day_or_later_is_not_sent() -> None:
    play = promised()
    due = play.state.reminder_due
    assert due is not None
    play.state = replace(play.state, reminder_due=replace(due, due_at=noon(6)))
    assert play.until(noon(7)) == []
    assert play.provider.asked == []


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        pytest.param(NotTakenError("busy"), ["send", "send"], id="not taken"),
        pytest.param(PutOffError("as often as it may be", 20.0), ["send", "send"], id="put off"),
        pytest.param(RefusedError("no such number"), ["send"], id="refused for good"),
        pytest.param(UnansweredError(), ["send", "look up", "send"], id="not answered"),
    ],
)
def test_one_that_reached_nobody_is_tried_again_where_that_may_help(error: Exception, asked: list[str]) -> None:
    play = promised(Provider(before=[error]))
    play.until(FRIDAY_MORNING)
    assert play.provider.asked == asked
    assert [each.state for each in reminders(play)][-1] == ("not_made" if len(asked) == 1 else "made")
    assert len({each.idempotency_key for each in reminders(play)}) == 1


def test_a_payment_has_a_reminder_that_waits_pulled_back() -> None:
    play = promised(Provider(queues=True))
    play.until(FRIDAY_MORNING)
    said = play.tell(pays("p1", 40_000, 5), 2)
    assert {"PromiseKept 40000", "ContactRecalled", "ContactNotMade"} <= set(said)
    assert play.provider.log.taken == {}


def test_without_dispatch_nobody_is_reminded() -> None:
    play = Play().started()
    play.state = replace(play.state, contacts={"contact-1": contact()})
    play.tell(promise(), actor=ANNA)
    play.until(noon(8))
    assert not [each for each in play.told if isinstance(each.data, outreach.ContactPermitted)]
