"""Dated plays of outcomes: said once, and what follows from each for the next contacts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.outreach.contacts.domain.judging import Asked, judged
from services.outreach.contacts.domain.rows import ContactDue, ContactState
from services.outreach.contacts.store import rules_of
from services.outreach.matters.commands import RaiseMatter, ResolveMatter
from services.outreach.outcomes.commands import OpenChannel, PromiseSaid, RecordOutcome
from services.outreach.outcomes.domain import Result, Said
from services.outreach.outcomes.handlers.recording import Practice, recorded
from services.outreach.outcomes.handlers.saying import ENDINGS
from services.outreach.plans.commands import ReleaseHold
from services.outreach.plans.handlers.standing import standing_of
from shared.contracts import intake, outreach
from shared.contracts.core_banking import ContactKind, ContactOwner, ContactSource
from shared.contracts.outreach import Ability, DelinquencyCause, MatterKind, OutcomeResult
from shared.contracts.segmentation import Channel
from shared.service import Rejected
from tests.unit.outreach.play import LENDER, MIDNIGHT, Play, case, treatment
from tests.unit.outreach.saying import ANNA, BOSS, FRIDAY, contact, morning, noon, outcome, reached
from tests.unit.outreach.test_contact_plays import Contacting, Provider

R = OutcomeResult


def called(*steps: tuple[Channel, int]) -> Contacting:
    """The debtor has been reached by the first step; the others follow days later."""
    play = Contacting(Provider())
    play.started(assigned=treatment("EARLY", *steps))
    play.until(morning(3))
    return play


def first(play: Play) -> str:
    return next(iter(play.state.contacts))


# -- said once ---------------------------------------------------------------------------------------------------------


def test_what_came_of_a_contact_is_told_with_what_it_taught() -> None:
    play = reached()
    taught: dict[str, Any] = {"reason_code": DelinquencyCause.ILLNESS, "ability": Ability.LIMITED}
    assert play.tell(outcome(R.RIGHT_PARTY_REACHED, **taught), actor=ANNA, lender_id="") == [
        "outcome right_party_reached"
    ]
    assert (play.told[-1].data, play.told[-1].lender_id) == (
        outreach.OutcomeRecorded(
            contact_id="contact-1", channel=Channel.PHONE, result=R.RIGHT_PARTY_REACHED, recorded_by=ANNA, **taught
        ),
        LENDER,
    )
    assert play.plan.state == "active"


def test_the_same_said_again_changes_nothing_and_another_is_refused() -> None:
    play = reached(Play(forgets=True))
    play.tell(outcome(R.REFUSED), actor=ANNA)
    before = play.state
    assert play.tell(outcome(R.REFUSED), actor=BOSS) == []
    assert play.state == before
    with pytest.raises(Rejected, match="contact_id: another outcome of this contact is on record"):
        play.tell(outcome(R.NO_ANSWER), actor=ANNA)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        pytest.param(outcome(R.REFUSED, "stranger"), "contact_id: no such contact", id="a contact of somebody else"),
        pytest.param(outcome(R.PROMISED), "promise: it goes with", id="a promise without a promise"),
        pytest.param(
            outcome(R.REFUSED, promise=PromiseSaid(amount=1, currency="CNY", promised_on=FRIDAY)),
            "promise: it goes with",
            id="a promise with a refusal",
        ),
        pytest.param(outcome(R.REFUSED, call_back_at=noon(5)), "call_back_at: it goes with", id="a time for nothing"),
        pytest.param(
            outcome(R.ASKED_FOR_ANOTHER_TIME, call_back_at=noon(1)), "call_back_at: it has passed", id="a time past"
        ),
        pytest.param(
            outcome(R.ASKED_FOR_ANOTHER_TIME, call_back_at=noon(17)), "call_back_at: .* 14 days", id="a time far ahead"
        ),
        pytest.param(outcome(R.REFUSED, opts_out_of=(Channel.SMS,)), "opts_out_of: it goes", id="an opt-out by nobody"),
    ],
)
def test_what_does_not_fit_is_refused(said: RecordOutcome, reason: str) -> None:
    with pytest.raises(Rejected, match=reason):
        reached().tell(said, actor=ANNA)


@pytest.mark.parametrize("state", [ContactState.NOT_MADE, ContactState.UNKNOWN, ContactState.SENDING])
def test_a_contact_that_is_not_known_to_be_made_has_no_outcome(state: ContactState) -> None:
    play = reached(None, contact(state=state))
    with pytest.raises(Rejected, match=r"^contact_id: "):
        play.tell(outcome(R.REFUSED), actor=ANNA)


@pytest.mark.parametrize(
    ("channel", "result", "ending"),
    [
        ("phone", R.RIGHT_PARTY_REACHED, "conversation"),
        ("phone", R.REFUSED, "conversation"),
        ("phone", R.THIRD_PARTY_REACHED, "connected"),
        ("phone", R.WRONG_NUMBER, "connected"),
        ("phone", R.NO_ANSWER, "no_answer"),
        ("phone", R.LEFT_MESSAGE, "voicemail"),
        ("letter", R.NO_ANSWER, "sent"),
    ],
)
def test_a_contact_that_a_person_makes_is_ended_by_its_outcome(
    channel: str, result: OutcomeResult, ending: str
) -> None:
    making = contact(
        state=ContactState.SENDING, asked_by=ANNA, by_hand=True, channel=channel, outcome="", ended_at=None
    )
    play = reached(None, making)
    play.state = replace(play.state, contact_due={"contact-1": ContactDue("contact-1", noon(2), LENDER)})
    assert play.tell(outcome(result), actor=ANNA) == ["ContactMade", f"outcome {result}"]
    [known] = play.state.contacts.values()
    assert (known.state, known.outcome, play.state.contact_due) == ("made", ending, {})


def test_every_result_has_an_ending_that_the_rules_count() -> None:
    assert set(ENDINGS) < set(Result)


# -- what closes a channel ---------------------------------------------------------------------------------------------


def test_who_opts_out_of_a_channel_is_not_reached_by_it_and_the_rule_says_so() -> None:
    play = called((Channel.SMS, 0), (Channel.SMS, 3), (Channel.PHONE, 4))
    assert play.tell(outcome(R.OPTED_OUT, first(play)), actor=ANNA) == ["outcome opted_out"]
    said = play.wait(days=10)
    assert said[:2] == ["denied by CN-H2 until None", "step 2 denied: denied by CN-H2"]
    assert play.steps()[3] == "dispatched"


def test_an_opt_out_names_other_channels_than_that_of_the_contact() -> None:
    play = called((Channel.SMS, 0), (Channel.SMS, 3), (Channel.PHONE, 4), (Channel.VISIT, 5))
    closed = (Channel.PHONE, Channel.VISIT)
    play.tell(outcome(R.OPTED_OUT, first(play), opts_out_of=closed), actor=ANNA)
    play.wait(days=10)
    assert play.steps() == {1: "dispatched", 2: "dispatched", 3: "denied", 4: "not_dispatched"}


AGAIN = OpenChannel(channel=Channel.SMS, said_by=outreach.SaidBy.LETTER, reason="she asks for it")


def test_who_asks_for_it_is_reached_by_that_channel_again_and_by_no_other() -> None:
    play = called((Channel.SMS, 0), (Channel.SMS, 3), (Channel.SMS, 5), (Channel.PHONE, 5))
    play.tell(outcome(R.OPTED_OUT, first(play), opts_out_of=(Channel.SMS, Channel.PHONE)), actor=ANNA)
    play.until(noon(6))
    assert play.steps()[2] == "denied", "while it stood"
    assert play.tell(AGAIN, actor=BOSS) == ["OptOutWithdrawn"]
    play.wait(days=5)
    assert play.steps() == {1: "dispatched", 2: "denied", 3: "dispatched", 4: "denied"}


def test_a_withdrawal_is_told_and_kept_with_the_opt_out_that_it_ends() -> None:
    play = called((Channel.SMS, 0))
    play.tell(outcome(R.OPTED_OUT, first(play)), actor=ANNA)
    since = play.now
    play.until(noon(6))
    play.tell(AGAIN, actor=BOSS)
    told = outreach.OptOutWithdrawn(
        channel="sms",
        since=since.instant,
        since_on=since.business_date,
        contact_id=first(play),
        withdrawn_on=FRIDAY,
        withdrawn_by=BOSS,
        said_by=outreach.SaidBy.LETTER,
        reason="she asks for it",
    )
    assert (play.told[-1].data, play.told[-1].lender_id) == (told, LENDER)
    [kept] = play.state.withdrawn_opt_outs
    assert (kept.channel, kept.since, kept.recorded_by, kept.withdrawn_at) == ("sms", since.instant, ANNA, noon(6))
    assert play.state.opt_outs == {}
    with pytest.raises(Rejected, match="channel: the person has not opted out of it"):
        play.tell(AGAIN, actor=ANNA)


def test_it_is_allowed_from_the_moment_of_the_withdrawal_on() -> None:
    play = called((Channel.SMS, 0))
    play.tell(outcome(R.OPTED_OUT, first(play)), actor=ANNA)
    play.until(noon(6))
    rules, asked = rules_of({"CN": "Asia/Shanghai"}, {"sms"})["CN"], Asked("sms", "collection")

    def allowed() -> bool:
        known = play.state.contacts.values()
        return judged(rules, asked, known, play.now.instant, standing_of(play.state)).allowed

    assert not allowed()
    play.tell(AGAIN, actor=ANNA)
    assert allowed()


def profile(version: int) -> intake.ProfileChanged:
    points = tuple(
        intake.SealedContact(
            id=kind, kind=kind, owner=ContactOwner.DEBTOR, verified=True, source=ContactSource.BANK, value=b""
        )
        for kind in (ContactKind.MOBILE, ContactKind.ADDRESS)
    )
    return intake.ProfileChanged(
        version=version,
        profile=intake.SealedProfile(
            key_id="k", updated_at=MIDNIGHT, language="zh", time_zones=(), name=b"", id_number=b"", contacts=points
        ),
    )


def test_a_wrong_number_is_not_used_again_until_the_profile_changes() -> None:
    play = called((Channel.PHONE, 0), (Channel.SMS, 3), (Channel.LETTER, 3), (Channel.SMS, 6))
    play.tell(profile(7))
    play.tell(outcome(R.WRONG_NUMBER, first(play)), actor=ANNA)
    assert set(standing_of(play.state).flags) == {"debtor_number_invalid"}
    play.until(morning(7))
    assert (play.steps()[2], play.steps()[3]) == ("not_dispatched", "dispatched")
    assert play.state.steps[1, 2].reason == "the contact point on file led to somebody else"
    play.tell(profile(8))
    assert standing_of(play.state).flags == {}
    play.wait(days=3)
    assert play.steps()[4] == "dispatched"


def test_a_wrong_number_that_nobody_has_a_profile_for_is_not_used_again() -> None:
    play = called((Channel.PHONE, 0), (Channel.PHONE, 3))
    play.tell(outcome(R.WRONG_NUMBER, first(play)), actor=ANNA)
    play.wait(days=5)
    assert play.steps()[2] == "not_dispatched"


def test_what_the_provider_says_of_itself_leads_to_the_same() -> None:
    play = called((Channel.PHONE, 0), (Channel.PHONE, 3))
    known = play.state.contacts[first(play)]
    practice = Practice({}, {})
    said = Said(Result.WRONG_NUMBER)
    play.state, told = recorded(practice, play.state, known, said, "outreach", play.now)
    assert [type(each.data) for each in told] == [outreach.OutcomeRecorded]
    play.wait(days=5)
    assert play.steps()[2] == "not_dispatched"


def test_who_asks_for_another_time_is_left_alone_until_then() -> None:
    play = called((Channel.SMS, 0), (Channel.PHONE, 1))
    until = datetime(2026, 3, 6, 2, tzinfo=UTC)
    play.tell(outcome(R.ASKED_FOR_ANOTHER_TIME, first(play), call_back_at=until), actor=ANNA)
    assert play.until(until - timedelta(seconds=1)) == []
    assert (play.steps()[2], play.state.steps[1, 2].reason) == ("scheduled", "another time was asked for")
    assert play.until(until)[0] == "ContactPermitted"


# -- what makes everything stand still ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "kind", "due_on", "force"),
    [
        (R.DISPUTED, "dispute", 12, "house"),
        (R.COMPLAINED, "complaint", 17, "law"),
        (R.HARDSHIP_CLAIMED, "hardship", 12, "house"),
    ],
)
def test_a_matter_makes_everything_stand_still_until_it_is_resolved(
    result: OutcomeResult, kind: str, due_on: int, force: str
) -> None:
    play = reached(Play(forgets=True))
    assert play.tell(outcome(result, loan_id="loan-1"), actor=ANNA) == [
        f"outcome {result}",
        f"MatterRaised {kind} 2026-03-{due_on}",
        "HoldPlaced",
        "plan 1 stopped: hold placed, cancelled [1, 2]",
    ]
    [matter] = play.state.matters.values()
    assert (matter.force, matter.contact_id, matter.loan_id, matter.opened_by) == (force, "contact-1", "loan-1", ANNA)
    assert play.until(morning(due_on)) == []
    assert play.until(morning(due_on + 1)) == [f"MatterOverdue {kind} 2026-03-{due_on}"]
    assert play.wait(days=30) == []
    resolve = ResolveMatter(matter_id=matter.matter_id, reason="answered in writing")
    assert play.tell(resolve, actor=BOSS) == ["MatterResolved", "HoldReleased"]
    assert (play.state.matters[matter.matter_id].late, play.state.matter_due) == (True, {})
    assert play.wait(minutes=2) == ["plan 2 started: EARLY"]
    with pytest.raises(Rejected, match="matter_id: the matter was resolved already"):
        play.tell(resolve, actor=BOSS)


def test_a_matter_in_time_is_never_overdue() -> None:
    play = Play().started()
    play.tell(RaiseMatter(kind=MatterKind.COMPLAINT), actor=ANNA)
    [matter] = play.state.matters.values()
    play.until(morning(17))
    play.tell(ResolveMatter(matter_id=matter.matter_id, reason="settled"), actor=ANNA)
    assert "MatterOverdue" not in " ".join(play.wait(days=30))
    assert not play.state.matters[matter.matter_id].late


def test_the_hold_of_a_matter_ends_with_the_matter_alone() -> None:
    play = Play().started()
    play.tell(RaiseMatter(kind=MatterKind.DISPUTE, loan_id="loan-1"), actor=ANNA)
    [hold] = play.state.holds.values()
    with pytest.raises(Rejected, match="hold_id: this hold ends with the matter"):
        play.tell(ReleaseHold(hold_id=hold.hold_id, reason="impatient"), actor=BOSS)
    play.tell(RaiseMatter(kind=MatterKind.HARDSHIP), actor=ANNA)
    one, other = play.state.matters
    play.tell(ResolveMatter(matter_id=one, reason="cleared"), actor=ANNA)
    assert play.wait(days=1) == [], "the other still stands"
    play.tell(ResolveMatter(matter_id=other, reason="cleared"), actor=ANNA)
    assert play.wait(minutes=2) == ["plan 2 started: EARLY"]


def test_while_a_dispute_is_open_the_rules_themselves_deny() -> None:
    play = reached()
    play.tell(outcome(R.DISPUTED), actor=ANNA)
    rules = rules_of({"CN": "Asia/Shanghai"})["CN"]
    assert _denied(play, rules, "collection") == ["CN-D1"]
    assert _denied(play, rules, "dispute_reply") == []
    [matter] = play.state.matters
    play.tell(ResolveMatter(matter_id=matter, reason="cleared"), actor=ANNA)
    assert _denied(play, rules, "collection") == []


def _denied(play: Play, rules: Any, purpose: str) -> list[str]:
    verdict = judged(rules, Asked("phone", purpose), (), noon(3), standing_of(play.state))
    return [finding.rule for finding in verdict.failing]


def test_a_matter_of_one_kind_is_enough() -> None:
    play = reached(None, contact("one"), contact("two"))
    play.tell(outcome(R.COMPLAINED, "one"), actor=ANNA)
    assert play.tell(outcome(R.COMPLAINED, "two"), actor=ANNA) == ["outcome complained"]
    with pytest.raises(Rejected, match="kind: a matter of this kind is to be seen to already"):
        play.tell(RaiseMatter(kind=MatterKind.COMPLAINT), actor=ANNA)
    assert "HoldPlaced" in play.tell(RaiseMatter(kind=MatterKind.DISPUTE, loan_id="loan-2"), actor=ANNA)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (RaiseMatter(kind=MatterKind.DISPUTE), "debtor_id: nothing is known"),
        (ResolveMatter(matter_id="m", reason="x"), "matter_id: no such matter"),
        (outcome(R.REFUSED), "contact_id: no such contact"),
    ],
)
def test_nothing_is_said_of_whom_nobody_knows(command: Any, reason: str) -> None:
    with pytest.raises(Rejected, match=reason):
        Play().tell(command, actor=ANNA)


def test_a_jurisdiction_that_names_no_deadline_has_the_one_for_all() -> None:
    play = Play()
    play.tell(intake.CaseOpened(case=case(jurisdiction="XX")), 1)
    assert play.tell(RaiseMatter(kind=MatterKind.COMPLAINT), actor=ANNA)[0] == "MatterRaised complaint 2026-03-17"
    [matter] = play.state.matters.values()
    assert matter.force == "house"
