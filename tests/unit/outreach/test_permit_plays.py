"""Dated plays of permits that people ask for: granted, denied, given back, taken back, reported, or never heard of."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from services.outreach.compliance.domain.words import Outcome
from services.outreach.contacts.domain.course import Delivery
from services.outreach.contacts.domain.rows import Contact
from services.outreach.contacts.effects import Heard
from services.outreach.permits.commands import AskPermit, GiveBack
from services.outreach.plans.commands import PlaceHold
from services.outreach.plans.domain.rows import Channel
from services.outreach.plans.handlers.contacting import contact_ended_by_person
from shared.contracts import intake, outreach, quarantine
from shared.contracts.envelope import Moment
from shared.contracts.segmentation import Channel as Prescribed
from shared.service import Rejected
from tests.unit.outreach.play import CLOSED, CURED, LEGAL_HOLD, Play, case, payment, reversal, treatment
from tests.unit.outreach.test_contact_plays import LANE as SENDING

ANNA, BERT, CHIEF = "operator/anna", "operator/bert", "supervisor/chief"
MORNING = datetime(2026, 3, 2, 2, tzinfo=UTC)
"""Ten in the morning in China."""
CALL = AskPermit(channel=Channel.PHONE)
SMS = AskPermit(channel=Channel.SMS)


class Asking(Play):
    """A debtor with an open case, on a morning."""

    def ask(self, asked: AskPermit = CALL, actor: str = ANNA) -> list[str]:
        return self.tell(asked, actor=actor)

    def refused(self, asked: Any, actor: str = ANNA) -> tuple[str, str]:
        """The field and the reason for which a command is refused; it changes nothing."""
        before = self.state
        with pytest.raises(Rejected) as refusal:
            self.tell(asked, actor=actor)
        assert self.state == before
        return refusal.value.field, refusal.value.reason

    def give_back(self, permit: Contact, actor: str = ANNA) -> list[str]:
        return self.tell(GiveBack(contact_id=permit.contact_id), actor=actor)

    def report(self, permit: Contact, ended: Outcome) -> list[str]:
        """What a person says of a contact, as the command that carries it does."""
        known = self.state.contacts[permit.contact_id]
        self.state, told = contact_ended_by_person(self.state, known, ended, self.now)
        return [type(each.data).__name__ for each in told]

    @property
    def permits(self) -> list[Contact]:
        return list(self.state.contacts.values())

    @property
    def states(self) -> list[str]:
        return [permit.state.value for permit in self.permits]

    @property
    def denied(self) -> list[str]:
        """The rules of the last refusal."""
        return [rule.rule for rule in self.state.denials[-1].rules]


@pytest.fixture
def play() -> Asking:
    play = Asking()
    play.tell(intake.CaseOpened(case=case()), 1)
    play.until(MORNING)
    return play


def test_a_permit_is_granted_to_whoever_asked_and_counts_at_once(play: Asking) -> None:
    assert play.ask() == ["PermitGranted"]
    [permit] = play.permits
    assert (permit.state, permit.by_hand, permit.asked_by, permit.plan_number) == ("sending", True, ANNA, 0)
    assert (permit.permitted_at, permit.expires_at) == (MORNING, MORNING + timedelta(minutes=5))
    assert (permit.pack, permit.purpose, permit.party) == ("CN", "collection", "debtor")
    granted = play.told[-1].data
    assert isinstance(granted, outreach.PermitGranted)
    assert granted.report_by == permit.expires_at + timedelta(hours=2)
    assert {"CN-W1", "CN-F2", "CN-R1"} <= {rule.rule for rule in granted.rules}


def test_what_nobody_has_reported_counts_as_a_talk_and_a_fourth_call_is_denied(play: Asking) -> None:
    assert [play.ask(), play.ask(), play.ask()] == [["PermitGranted"]] * 3
    assert play.ask() == ["denied by CN-F2 until 2026-03-03 08:00:00+08:00"]
    denied = play.told[-1].data
    assert isinstance(denied, outreach.ContactDenied)
    assert (denied.asked_by, denied.findings[0].reason, denied.findings[0].read["count"]) == (ANNA, "cap", "3")
    assert (play.state.denials[-1].asked_by, len(play.permits)) == (ANNA, 3)


def test_people_and_providers_share_every_counter() -> None:
    play = Asking(lane=SENDING)
    play.tell(intake.CaseOpened(case=case()), 1)
    play.tell(treatment("EARLY", (Prescribed.PHONE, 0)), 1)
    play.wait(minutes=2)
    [step] = play.state.step_due.values()
    play.until(step.due_at - timedelta(minutes=3))
    assert [play.ask(), play.ask(), play.ask()] == [["PermitGranted"]] * 3
    [said] = play.wait(minutes=4)
    assert said.startswith("denied by CN-F2 until 2026-03-03")


def test_in_the_night_no_call_is_permitted(play: Asking) -> None:
    play.until(datetime(2026, 3, 2, 15, tzinfo=UTC))
    assert play.ask() == ["denied by CN-W1, CN-W2 until 2026-03-03 08:00:00+08:00"]
    assert play.states == []


@pytest.mark.parametrize(
    ("stop", "reason"),
    [
        pytest.param(payment(CURED), "nobody is to be contacted: the case is cured", id="a cured case"),
        pytest.param(payment(CLOSED), "nobody is to be contacted: the case is closed", id="a closed case"),
        pytest.param(LEGAL_HOLD, "nobody is to be contacted: on hold", id="a matter"),
    ],
)
def test_what_stands_above_the_rules_is_not_asked_of_them(play: Asking, stop: Any, reason: str) -> None:
    play.tell(stop, 2)
    assert play.refused(CALL) == ("debtor_id", reason)


def test_nothing_is_permitted_for_somebody_unknown() -> None:
    assert Asking().refused(CALL) == ("debtor_id", "nobody is to be contacted: no case is known")


@pytest.mark.parametrize("seconds", [-61, 61, None])
def test_a_lane_that_may_not_know_of_a_payment_grants_nothing(play: Asking, seconds: int | None) -> None:
    heard = None if seconds is None else MORNING + timedelta(seconds=seconds)
    play.now = Moment(MORNING, play.now.business_date, heard)
    field, reason = play.refused(CALL)
    assert (field, "has not been heard" in reason) == ("debtor_id", True)


def test_a_channel_that_no_rules_are_known_for_is_refused(play: Asking) -> None:
    field, reason = play.refused(AskPermit(channel=Channel.LEGAL_REFERRAL))
    assert (field, reason) == ("channel", "nobody is contacted by legal_referral here")


# Given back, or never heard of


def test_a_permit_that_is_given_back_counts_no_more_and_stays_in_the_ledger(play: Asking) -> None:
    for _ in range(3):
        play.ask()
    assert play.give_back(play.permits[0]) == ["ContactNotMade"]
    assert (play.states, play.permits[0].reason) == (["not_made", "sending", "sending"], "given back unused")
    assert play.permits[0].contact_id not in play.state.contact_due
    assert play.ask() == ["PermitGranted"]


def test_only_whoever_holds_a_permit_or_a_supervisor_gives_it_back(play: Asking) -> None:
    play.ask()
    play.ask()
    first, second = play.permits
    wrong = "only whoever asked for a permit can give it back"
    assert play.refused(GiveBack(contact_id=first.contact_id), BERT) == ("contact_id", wrong)
    assert play.give_back(first, ANNA) == ["ContactNotMade"]
    assert play.give_back(second, CHIEF) == ["ContactNotMade"]
    assert play.refused(GiveBack(contact_id=first.contact_id)) == ("contact_id", "this contact has ended already")
    assert play.refused(GiveBack(contact_id="other")) == ("contact_id", "no such permit of a person")


def test_a_permit_of_which_nobody_says_anything_is_in_doubt_and_counts(play: Asking) -> None:
    for _ in range(3):
        play.ask()
    assert play.wait(hours=2, minutes=4) == []
    assert play.wait(minutes=1) == ["ContactUnknown"] * 3
    assert play.states == ["unknown"] * 3
    assert play.permits[0].reason == "nobody has said what became of it"
    assert (play.state.contact_due, play.wait(hours=2)) == ({}, []), "nobody is asked about it"
    assert play.ask() == ["denied by CN-F2 until 2026-03-03 08:00:00+08:00"]


def test_it_cannot_be_given_back_once_it_should_have_been_reported(play: Asking) -> None:
    play.ask()
    [permit] = play.permits
    late = permit.expires_at + timedelta(hours=2)
    play.now = Moment(late, play.now.business_date, late)  # the due row has yet to be taken
    assert play.refused(GiveBack(contact_id=permit.contact_id)) == ("contact_id", "too late: it counts as made")


def test_a_contact_of_a_provider_is_nobodys_to_give_back() -> None:
    play = Asking(lane=SENDING).started(assigned=treatment("EARLY", (Prescribed.SMS, 0)))
    play.wait(days=1)
    [sent] = play.state.contacts
    assert play.refused(GiveBack(contact_id=sent)) == ("contact_id", "no such permit of a person")  # type: ignore[attr-defined]


def test_what_a_provider_says_of_a_contact_that_it_did_not_make_is_not_heard(play: Asking) -> None:
    play.ask()
    [permit] = play.permits
    assert play.tell(Heard(contact_id=permit.contact_id, delivery=Delivery.FAILED)) == []
    assert play.states == ["sending"]


# A stop


STOPS: Sequence[Any] = [
    pytest.param(payment(), "payment posted", id="payment"),
    pytest.param(intake.CaseClosed(case=case(CLOSED)), "case closed", id="closing"),
    pytest.param(intake.CaseCured(case=case(CURED)), "case cured", id="cure"),
    pytest.param(LEGAL_HOLD, "hold placed", id="matter"),
    pytest.param(PlaceHold(reason="dispute"), "hold placed", id="hold"),
    pytest.param(
        quarantine.DebtorQuarantined(service="intake", letter_id="l"), "debtor quarantined", id="a part unreadable"
    ),
    pytest.param(
        msgspec.structs.replace(treatment(), steps=()), "nobody is to be contacted", id="nobody to be contacted"
    ),
]


@pytest.mark.parametrize(("stop", "reason"), STOPS)
def test_a_stop_takes_back_every_permit_that_is_not_used(play: Asking, stop: Any, reason: str) -> None:
    play.ask()
    play.ask(SMS, BERT)
    said = play.tell(stop, 2)
    assert said.count("ContactNotMade") == 2
    assert [(each.state, each.reason) for each in play.permits] == [("not_made", f"revoked: {reason}")] * 2
    assert play.state.contact_due == {}


@pytest.mark.parametrize(("stop", "reason"), STOPS)
def test_a_stop_leaves_what_is_known_to_have_been_made(play: Asking, stop: Any, reason: str) -> None:
    play.ask()
    play.report(play.permits[0], Outcome.CONVERSATION)
    assert "ContactNotMade" not in play.tell(stop, 2)
    assert play.states == ["made"]


def test_a_step_that_finds_the_case_ended_takes_back_what_people_hold(play: Asking) -> None:
    play.tell(treatment(), 1)
    play.wait(minutes=2)
    [due] = [row.due_at for key, row in play.state.step_due.items() if key == (1, 1)]
    play.until(due - timedelta(minutes=1))
    play.ask()
    play.tell(reversal(CLOSED), 2)
    assert "ContactNotMade" in play.wait(minutes=1)
    assert play.permits[0].reason == "revoked: the case is closed"


def test_a_new_plan_takes_no_permit_that_belongs_to_none(play: Asking) -> None:
    play.tell(treatment(), 1)
    play.wait(minutes=2)
    play.ask()
    play.tell(treatment("LATE"), 1)
    assert play.wait(minutes=2)[-1] == "plan 2 started: LATE"
    assert play.states == ["sending"]


# What a person says


def test_a_contact_ends_as_whoever_made_it_says(play: Asking) -> None:
    play.ask()
    assert play.report(play.permits[0], Outcome.NO_ANSWER) == ["ContactMade"]
    [made] = play.permits
    assert (made.state, made.outcome, made.ended_at) == ("made", "no_answer", MORNING)
    assert (play.wait(days=1), play.state.contact_due) == ([], {})


def test_a_call_that_nobody_answered_is_no_talk(play: Asking) -> None:
    for _ in range(3):
        play.ask()
        play.report(play.permits[-1], Outcome.NO_ANSWER)
    assert play.ask() == ["PermitGranted"]


def test_a_word_that_comes_late_ends_the_doubt(play: Asking) -> None:
    play.ask()
    play.wait(hours=3)
    assert play.states == ["unknown"]
    assert play.report(play.permits[0], Outcome.CONVERSATION) == ["ContactMade"]
    assert (play.states, play.permits[0].reason) == (["made"], "")


def test_a_talk_that_had_begun_when_a_stop_came_counts_all_the_same(play: Asking) -> None:
    play.ask()
    play.tell(payment(), 2)
    assert play.states == ["not_made"]
    assert play.report(play.permits[0], Outcome.CONVERSATION) == ["ContactMade"]
    assert (play.states, play.permits[0].outcome) == (["made"], "conversation")
