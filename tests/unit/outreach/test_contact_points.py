"""Dated plays with dispatch on: what is put off is no try, and a contact point is chosen, bound and counted by."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.outreach.contacts.domain.judging import Asked, judged
from services.outreach.contacts.ports import NotTakenError, PutOffError, UnansweredError
from services.outreach.contacts.store import rules_of
from services.outreach.service import declare
from shared.carriers import Carriers
from shared.contracts import intake, outreach
from shared.contracts.core_banking import ContactKind, ContactOwner, ContactSource
from shared.contracts.segmentation import Channel
from shared.profiles import HeldProfile
from tests.unit.outreach.play import LEGAL_HOLD, LENDER, MIDNIGHT, SETTINGS, Play, payment, treatment
from tests.unit.outreach.test_contact_plays import MADE, NOWHERE, SMS, Contacting, Provider, due_of


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def play(provider: Provider) -> Contacting:
    return Contacting(provider)


def test_a_step_that_was_put_off_has_not_been_tried(play: Contacting, provider: Provider) -> None:
    provider.before = [PutOffError("the provider fails", 300)] * 20
    play.started(assigned=SMS)
    due = due_of(play)
    said = play.until(due)
    assert said == ["ContactPermitted", "ContactNotMade"]
    assert timedelta(seconds=300) <= due_of(play) - due < timedelta(seconds=330)
    said = play.wait(days=1)
    assert said.count("ContactNotMade") == 19
    assert said[-3:] == MADE
    assert {contact.tries for contact in play.state.contacts.values()} == {0, 1}
    assert play.contacts.count("made") == 1


def test_tries_that_were_made_before_a_step_was_put_off_are_not_forgotten(play: Contacting, provider: Provider) -> None:
    busy, later = NotTakenError("busy"), PutOffError("the provider fails", 300)
    provider.before = [busy, later, busy, later, later, busy, busy, busy]
    play.started(assigned=SMS)
    assert play.wait(days=1)[-1] == "step 1 failed: busy"
    assert provider.asked == ["send"] * 8


def test_a_step_whose_plan_was_stopped_is_not_put_off_any_more(play: Contacting, provider: Provider) -> None:
    provider.before = [PutOffError("the provider fails", 300)]
    play.started(assigned=SMS)
    play.dead = True
    play.until(due_of(play))
    [lost] = play.lost
    play.dead = False
    play.tell(payment(), 2)
    assert play.hear(lost) == ["ContactNotMade", "step 1 failed: the provider fails"]


def test_a_provider_that_says_when_to_come_again_is_left_alone_till_then(play: Contacting, provider: Provider) -> None:
    provider.before = [NotTakenError("busy", 900)]
    play.started(assigned=SMS)
    due = due_of(play)
    play.until(due)
    assert due_of(play) - due == timedelta(seconds=900)


def test_a_look_up_that_was_not_made_is_made_later_and_does_not_count(play: Contacting, provider: Provider) -> None:
    provider.after, provider.away = [UnansweredError()], [PutOffError("the provider fails", 600)] * 20
    play.started(assigned=SMS)
    said = play.wait(days=1)
    assert said.count("ContactDoubted") == 21
    assert said[-2:] == ["ContactMade", "step 1 dispatched: sent"]
    [contact] = play.state.contacts.values()
    assert contact.lookups == 1


# What is pulled back


def test_a_message_that_waits_at_its_provider_is_pulled_back_by_a_stop(play: Contacting, provider: Provider) -> None:
    provider.queues = True
    play.started(assigned=SMS)
    play.until(due_of(play))
    assert play.contacts == ["made"]
    assert play.tell(payment(), 2) == ["ContactRecalled", "ContactNotMade"]
    [contact] = play.state.contacts.values()
    assert (contact.state, contact.reason, contact.outcome) == ("not_made", "pulled back before it was delivered", "")
    assert play.steps() == {1: "dispatched"}
    assert provider.log.taken == {}
    assert play.tell(payment(), 3) == []


def test_a_hold_pulls_back_too_and_the_budget_is_given_back(play: Contacting, provider: Provider) -> None:
    provider.queues = True
    play.started(assigned=SMS)
    play.until(due_of(play))
    assert "ContactNotMade" in play.tell(LEGAL_HOLD, 2)
    rules = rules_of({"CN": "Asia/Shanghai"})["CN"]
    assert not judged(rules, Asked("sms", "collection"), play.state.contacts.values(), play.now.instant).failing


def test_a_message_whose_answer_comes_after_the_stop_is_pulled_back(play: Contacting, provider: Provider) -> None:
    provider.queues = True
    play.started(assigned=treatment("EARLY", (Channel.SMS, 0), (Channel.SMS, 9)))
    play.dead = True
    play.until(due_of(play))
    [lost] = play.lost
    play.tell(payment(), 2)
    play.dead = False
    assert play.hear(lost) == [
        "ContactMade",
        "step 1 dispatched: sent",
        "ContactRecalled",
        "ContactNotMade",
    ]
    assert (play.contacts, provider.log.taken) == (["not_made"], {})


def test_what_was_delivered_stays_made(play: Contacting, provider: Provider) -> None:
    play.started(assigned=SMS)
    play.until(due_of(play))
    assert play.tell(payment(), 2) == ["ContactRecalled"]
    assert play.contacts == ["made"]
    assert len(provider.log.taken) == 1


def test_what_was_sent_long_ago_or_is_no_message_is_not_recalled(play: Contacting) -> None:
    play.started(assigned=treatment("EARLY", (Channel.SMS, 0), (Channel.PHONE, 2)))
    play.wait(days=3)
    assert len(play.contacts) == 2
    assert "ContactRecalled" not in play.tell(payment(), 2)


def test_where_nobody_can_say_whether_it_was_pulled_the_contact_stays(play: Contacting, provider: Provider) -> None:
    provider.queues, provider.away = True, [UnansweredError()]
    play.started(assigned=SMS)
    play.until(due_of(play))
    assert play.tell(payment(), 2) == ["ContactRecalled"]
    assert play.contacts == ["made"]


# Whom it reaches


def known(play: Contacting, *points: intake.SealedContact) -> None:
    sealed = intake.SealedProfile(
        key_id="k", updated_at=MIDNIGHT, language="zh-CN", time_zones=(), name=b"", id_number=b"", contacts=points
    )
    play.state = replace(play.state, profile=HeldProfile(LENDER, 1, MIDNIGHT, sealed))


def mobile(name: str, digest: str = "") -> intake.SealedContact:
    kind, owner, source = ContactKind.MOBILE, ContactOwner.DEBTOR, ContactSource.BANK
    return intake.SealedContact(id=name, kind=kind, owner=owner, verified=True, source=source, value=b"", digest=digest)


def test_a_permit_binds_the_contact_point_and_the_world_is_told_its_id_alone(play: Contacting) -> None:
    play.started(assigned=SMS)
    known(play, mobile("point-1", "digest-1"))
    assert play.wait(days=1) == MADE
    [contact] = play.state.contacts.values()
    [permitted] = [each.data for each in play.told if isinstance(each.data, outreach.ContactPermitted)]
    assert (contact.point, permitted.point) == ("digest-1", "point-1")
    assert not [each for each in play.told if "digest-1" in repr(each)]


def test_where_nothing_is_on_file_to_reach_them_by_a_channel_the_step_ends(play: Contacting) -> None:
    play.started(assigned=treatment("EARLY", (Channel.EMAIL, 0)))
    known(play, mobile("point-1"))
    assert play.wait(days=1) == ["step 1 failed: nothing is on file to reach them by email"]
    assert play.contacts == []


def test_nobody_who_was_erased_is_contacted(play: Contacting) -> None:
    play.started(assigned=SMS)
    play.state = replace(play.state, profile=HeldProfile(LENDER, 2, MIDNIGHT, None))
    assert play.wait(days=1) == ["step 1 failed: nothing is on file to reach them by sms"]


def unanswered_calls(play: Contacting, *points: str) -> list[str]:
    """The rules that stand in the way of a call with the last of these points, each call before unanswered."""
    rules = rules_of({"CN": "Asia/Shanghai"})["CN"]
    at = datetime(2026, 3, 2, 4, tzinfo=UTC)
    contacts = [
        replace(made, contact_id=str(place), point=point, outcome="no_answer", permitted_at=at - timedelta(minutes=90))
        for place, point in enumerate(points[:-1])
        for made in play.state.contacts.values()
    ]
    return [
        finding.rule for finding in judged(rules, Asked("phone", "collection", point=points[-1]), contacts, at).failing
    ]


def test_calls_are_counted_by_number(play: Contacting) -> None:
    play.started(assigned=treatment("EARLY", (Channel.PHONE, 0))).wait(days=1)
    assert "CN-F3" in unanswered_calls(play, *["one"] * 6, "one")
    assert "CN-F3" not in unanswered_calls(play, *["one"] * 5, "one")
    assert "CN-F3" not in unanswered_calls(play, *["one"] * 6, "two")
    assert "CN-F3" in unanswered_calls(play, *["one"] * 5, "", "one"), "one that is not known may have been this one"
    assert "CN-F3" in unanswered_calls(play, "one", "two", *[""] * 4, ""), "any of them may have been this one"


def test_a_channel_that_is_not_worked_ends_its_steps() -> None:
    carriers = Carriers(channels=("sms",))
    lane = declare(replace(SETTINGS, dispatch=True, carriers=carriers).with_databases(NOWHERE)).actors[0]
    play = Play(lane=lane)
    play.started(assigned=treatment("EARLY", (Channel.LETTER, 0)))
    assert play.wait(days=1) == ["step 1 not_dispatched: nobody is contacted by letter here"]
