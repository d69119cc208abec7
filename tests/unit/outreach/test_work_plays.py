"""Dated plays of the phone as a work queue: a due call waits for people, who claim it with its permit."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from services.outreach.compliance.domain.words import Outcome
from services.outreach.contacts.domain.judging import Line
from services.outreach.contacts.domain.rows import Contact
from services.outreach.contacts.store import read_lines, rules_of
from services.outreach.plans.handlers.claiming import on_claim_work
from services.outreach.service import declare
from services.outreach.work.commands import ClaimWork, ReleaseWork
from services.outreach.work.domain import WorkItem, priority_of
from shared.contracts import outreach
from shared.contracts.envelope import Moment
from shared.contracts.segmentation import Channel
from shared.settings import SettingsError
from tests.unit.outreach.play import CLOSED, LEGAL_HOLD, SETTINGS, Play, payment, treatment
from tests.unit.outreach.test_permit_plays import ANNA, BERT, CHIEF, Asking

WORKED = declare(replace(SETTINGS, worked_by_people=("phone",))).actors[0]
CALLS = treatment("EARLY", (Channel.PHONE, 0), (Channel.PHONE, 3))
FIRST = (1, 1)
CLAIM, RELEASE = ClaimWork(plan_number=1, step_number=1), ReleaseWork(plan_number=1, step_number=1)


class Working(Asking):
    """A plan of two calls, of which the first has just fallen due."""

    @property
    def item(self) -> WorkItem:
        return self.state.work_items[FIRST]

    @property
    def permit(self) -> Contact:
        return self.state.contacts[self.item.contact_id]

    def claim(self, actor: str = ANNA) -> list[str]:
        return self.tell(CLAIM, actor=actor)

    def at(self, instant: datetime) -> None:
        self.now = Moment(instant, self.now.business_date, instant)


@pytest.fixture
def play() -> Working:
    play = Working(lane=WORKED)
    play.started(assigned=CALLS)
    play.until(play.state.step_due[FIRST].due_at)
    return play


def test_a_due_call_waits_for_people(play: Working) -> None:
    told = play.told[-1].data
    assert isinstance(told, outreach.WorkRequested)
    assert (told.queue, told.channel, told.priority) == ("calls", "phone", play.item.priority)
    assert (play.item.state, play.item.due_at, play.item.opened_at) == ("open", play.now.instant, play.now.instant)
    assert play.item.priority == priority_of(50_000, (date(2026, 3, 2) - date(2026, 2, 1)).days)
    assert (play.steps(), play.plan.state, play.state.contacts) == ({1: "requested", 2: "scheduled"}, "active", {})
    assert play.wait(days=2) == [], "nobody calls by itself"


@pytest.mark.parametrize(
    ("more", "less"),
    [
        pytest.param((50_000, 30), (50_000, 29), id="longer overdue"),
        pytest.param((100_000, 30), (50_000, 30), id="more money"),
        pytest.param((50_000, 41), (100_000, 30), id="eleven days weigh more than twice the money"),
        pytest.param((100_000, 30), (50_000, 39), id="nine days do not"),
        pytest.param((1, 0), (0, 0), id="anything at all"),
        pytest.param((2, 9999), (1, 99999), id="days count for a year"),
    ],
)
def test_what_is_larger_and_older_comes_first(more: tuple[int, int], less: tuple[int, int]) -> None:
    assert priority_of(*more) > priority_of(*less)


def test_what_makes_no_sense_comes_last() -> None:
    assert priority_of(-5, -5) == priority_of(0, 0) == 0


def test_work_is_claimed_with_its_permit(play: Working) -> None:
    assert play.claim() == ["PermitGranted"]
    assert (play.item.state, play.item.claimed_by, play.item.claimed_at) == ("claimed", ANNA, play.now.instant)
    assert (play.permit.asked_by, play.permit.by_hand, play.permit.state) == (ANNA, True, "sending")
    assert (play.permit.plan_number, play.permit.step_number, play.permit.tries) == (1, 1, 1)
    assert play.steps() == {1: "requested", 2: "scheduled"}


def test_work_is_one_persons(play: Working) -> None:
    play.claim()
    assert play.refused(CLAIM, BERT) == ("step", "somebody else has it")
    assert play.refused(CLAIM, ANNA) == ("step", "somebody else has it")
    assert play.refused(ClaimWork(plan_number=1, step_number=2)) == ("step", "no such work waits")


def test_a_claim_that_the_rules_deny_puts_the_work_off(play: Working) -> None:
    play.at(datetime(2026, 3, 2, 15, tzinfo=UTC))
    assert play.claim() == ["denied by CN-W1, CN-W2 until 2026-03-03 08:00:00+08:00"]
    morning = datetime(2026, 3, 3, tzinfo=UTC)
    assert (play.item.state, play.item.due_at, play.item.contact_id) == ("open", morning, "")
    assert play.item.reason == "denied by CN-W1, CN-W2"
    assert play.state.denials[-1].asked_by == ANNA
    assert play.refused(CLAIM) == ("step", "not before 2026-03-03T08:00:00+08:00")
    play.at(morning)
    assert play.claim() == ["PermitGranted"]
    assert play.item.reason == ""


def test_work_that_the_rules_will_never_allow_ends_with_its_step(play: Working) -> None:
    lines = {**read_lines(), "phone": Line(read_lines()["phone"].channel, read_lines()["phone"].mode)}
    rules = {code: replace(each, lines=lines) for code, each in rules_of({"CN": "Asia/Shanghai"}).items()}
    play.lane = replace(WORKED, handlers={**WORKED.handlers, ClaimWork: partial(on_claim_work, rules)})
    assert play.claim() == ["denied by CN-R1, CN-O1 until None", "step 1 denied: denied by CN-R1, CN-O1"]
    assert (play.item.state, play.item.settled, play.steps()[1]) == ("withdrawn", True, "denied")
    assert play.refused(CLAIM) == ("step", "no such work waits")


def test_a_lane_that_may_not_know_of_a_payment_lets_nobody_claim(play: Working) -> None:
    play.now = Moment(play.now.instant, play.now.business_date, play.now.instant - timedelta(seconds=61))
    assert play.refused(CLAIM)[0] == "debtor_id"
    assert play.item.state == "open"


def test_released_work_waits_again_and_its_permit_does_not_count(play: Working) -> None:
    play.claim()
    [first] = play.permits
    assert play.refused(RELEASE, BERT)[0] == "contact_id"
    assert play.tell(RELEASE, actor=ANNA) == ["ContactNotMade"]
    assert (play.item.state, play.item.claimed_by, play.item.contact_id) == ("open", "", "")
    assert play.refused(RELEASE) == ("step", "nobody has it")
    assert play.claim(BERT) == ["PermitGranted"]
    assert (play.permit.tries, play.permit.idempotency_key) == (2, first.idempotency_key)
    assert play.states == ["not_made", "sending"]


def test_a_supervisor_releases_what_another_has(play: Working) -> None:
    play.claim()
    assert play.tell(RELEASE, actor=CHIEF) == ["ContactNotMade"]
    assert play.item.state == "open"


def test_a_permit_that_is_given_back_releases_its_work(play: Working) -> None:
    play.claim()
    play.give_back(play.permit)
    assert (play.item.state, play.item.reason) == ("open", "given back unused")


@pytest.mark.parametrize("stop", [payment(), payment(CLOSED), LEGAL_HOLD])
@pytest.mark.parametrize("is_claimed", [False, True])
def test_a_stop_withdraws_work_and_takes_its_permit_back(play: Working, stop: Any, is_claimed: bool) -> None:  # noqa: FBT001
    if is_claimed:
        play.claim()
    said = play.tell(stop, 2)
    assert (play.item.state, play.item.settled, play.steps()) == (
        "withdrawn",
        True,
        {1: "cancelled", 2: "cancelled"},
    )
    assert said.count("ContactNotMade") == is_claimed
    assert play.states == ["not_made"] * is_claimed
    assert play.refused(CLAIM) == ("step", "no such work waits")
    assert play.wait(hours=3) == []


def test_a_new_plan_withdraws_the_work_of_the_old_one(play: Working) -> None:
    play.claim()
    play.tell(treatment("LATE"), 2)
    assert play.wait(minutes=2) == [
        "plan 1 stopped: treatment changed, cancelled [1, 2]",
        "ContactNotMade",
        "plan 2 started: LATE",
    ]
    assert (play.item.state, play.permits[0].reason) == ("withdrawn", "revoked: treatment changed")


def test_what_a_person_reports_ends_the_step_and_the_work(play: Working) -> None:
    play.claim()
    assert play.report(play.permit, Outcome.CONVERSATION) == ["ContactMade", "StepEnded"]
    assert (play.item.state, play.item.reason, play.item.claimed_by) == ("done", "conversation", ANNA)
    assert (play.steps(), play.plan.state) == ({1: "dispatched", 2: "scheduled"}, "active")
    play.tell(payment(), 2)
    assert (play.item.state, play.states) == ("done", ["made"])


def test_the_last_report_completes_the_plan(play: Working) -> None:
    play.claim()
    play.report(play.permit, Outcome.NO_ANSWER)
    play.until(datetime(2026, 3, 8, 3, tzinfo=UTC))
    play.tell(ClaimWork(plan_number=1, step_number=2), actor=BERT)
    play.report(play.permits[-1], Outcome.CONVERSATION)
    assert (play.steps(), play.plan.state) == ({1: "dispatched", 2: "dispatched"}, "completed")


def test_a_claim_that_is_never_reported_ends_with_its_permit_in_doubt(play: Working) -> None:
    play.claim()
    assert play.wait(hours=2, minutes=6) == ["ContactUnknown", "step 1 unknown: nobody has said what became of it"]
    assert (play.item.state, play.item.reason) == ("done", "nobody has said what became of it")
    assert play.refused(CLAIM) == ("step", "no such work waits")


def test_a_word_that_comes_after_the_doubt_changes_the_contact_alone(play: Working) -> None:
    play.claim()
    play.wait(hours=3)
    assert play.report(play.permits[0], Outcome.CONVERSATION) == ["ContactMade"]
    assert (play.states, play.steps()[1], play.item.state) == (["made"], "unknown", "done")


def test_a_talk_that_had_begun_when_a_stop_came_counts_and_its_step_stays_cancelled(play: Working) -> None:
    play.claim()
    play.tell(payment(), 2)
    assert play.report(play.permits[0], Outcome.CONVERSATION) == ["ContactMade"]
    assert (play.states, play.steps()[1], play.item.state) == (["made"], "cancelled", "withdrawn")


def test_other_channels_wait_for_nobody(play: Working) -> None:
    assert [row.channel for row in play.state.work_items.values()] == ["phone"]
    other = Play(lane=WORKED).started(assigned=treatment("EARLY", (Channel.SMS, 0)))
    assert other.wait(days=1) == ["step 1 not_dispatched: dispatch is off"]


@pytest.mark.parametrize("channel", ["sms", "pigeon"])
def test_a_channel_without_a_queue_is_worked_by_nobody(channel: str) -> None:
    with pytest.raises(SettingsError, match="FAIRDUE_WORKED_BY_PEOPLE: no queue is known for the channel"):
        declare(replace(SETTINGS, worked_by_people=(channel,)))


def test_nothing_is_lost_that_is_not_loaded(play: Working) -> None:
    play.forgets = True
    play.claim()
    play.tell(RELEASE, actor=ANNA)
    play.claim(BERT)
    play.wait(hours=3)
    assert (play.states, play.item.state) == (["not_made", "unknown"], "done")
    play.tell(payment(), 2)
    assert (play.states, play.item.state) == (["not_made", "unknown"], "done")
