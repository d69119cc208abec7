"""Dated plays of permits for others than the debtor: who owes as well, and who owes nothing."""

import pytest

from services.outreach.compliance.domain.words import Outcome, Party
from services.outreach.permits.commands import AskPermit, Content, Purpose
from services.outreach.plans.domain.rows import Channel
from shared.contracts import intake, outreach
from shared.contracts.core_banking import ContactKind, ContactOwner, ContactSource
from shared.contracts.outreach import OutcomeResult
from tests.unit.outreach.play import case, payment
from tests.unit.outreach.saying import outcome
from tests.unit.outreach.test_permit_plays import ANNA, MORNING, Asking


@pytest.fixture
def play() -> Asking:
    """A debtor with an open case, on a morning."""
    play = Asking()
    play.tell(intake.CaseOpened(case=case()), 1)
    play.until(MORNING)
    return play


GUARANTOR, GIVEN, FOUND = "point-guarantor", "point-given", "point-found"


def with_profile(play: Asking) -> Asking:
    points = (
        (GUARANTOR, ContactOwner.GUARANTOR, ContactSource.BANK),
        (GIVEN, ContactOwner.CONTACT, ContactSource.DEBTOR),
        (FOUND, ContactOwner.CONTACT, ContactSource.BUREAU),
    )
    profile = intake.SealedProfile(
        key_id="k",
        updated_at=MORNING,
        language="zh",
        time_zones=(),
        name=b"",
        id_number=b"",
        contacts=tuple(
            intake.SealedContact(id=name, kind=ContactKind.MOBILE, owner=owner, verified=True, source=source, value=b"")
            for name, owner, source in points
        ),
    )
    play.tell(intake.ProfileChanged(version=1, profile=profile))
    return play


def other(point: str = GIVEN, party: Party = Party.CONTACT) -> AskPermit:
    return AskPermit(channel=Channel.PHONE, party=party, contact_point=point, content=(Content.ASK_TO_RELAY,))


def unreached(play: Asking) -> Asking:
    """The debtor has been called three times, and nobody answered."""
    for _ in range(3):
        play.ask()
        play.report(play.permits[-1], Outcome.NO_ANSWER)
    return play


def test_a_guarantor_is_contacted_as_the_debtor_is_and_counted_apart(play: Asking) -> None:
    with_profile(play)
    asked = AskPermit(channel=Channel.PHONE, party=Party.GUARANTOR, contact_point=GUARANTOR)
    assert [play.ask(asked) for _ in range(3)] == [["PermitGranted"]] * 3
    assert play.ask(asked) == ["denied by CN-F2 until 2026-03-03 08:00:00+08:00"]
    assert play.ask() == ["PermitGranted"]
    assert [permit.party for permit in play.permits] == ["guarantor"] * 3 + ["debtor"]


def test_others_are_asked_only_once_the_debtor_cannot_be_reached(play: Asking) -> None:
    with_profile(play)
    play.ask(other())
    assert play.denied == ["CN-P1"]
    unreached(play)
    assert play.ask(other()) == ["PermitGranted"]
    assert (play.permits[-1].party, play.permits[-1].contact_point) == ("contact", GIVEN)


def test_whoever_does_not_say_what_others_are_to_be_told_is_refused_by_the_rule(play: Asking) -> None:
    unreached(with_profile(play))
    silent = AskPermit(channel=Channel.PHONE, party=Party.CONTACT, contact_point=GIVEN)
    assert play.ask(silent) == ["denied by CN-P1 until None"]
    assert play.state.denials[-1].rules[0].reason == "missing:content"


def asked_another(play: Asking) -> Asking:
    """Somebody who owes nothing has been reached under the last permit."""
    unreached(with_profile(play))
    assert play.ask(other()) == ["PermitGranted"]
    return play


@pytest.mark.parametrize("result", [OutcomeResult.REFUSED, OutcomeResult.OPTED_OUT])
def test_what_others_refuse_is_refused_for_good_to_all_of_them_and_closes_nothing_of_the_debtors(
    play: Asking, result: OutcomeResult
) -> None:
    play.forgets = True
    asked_another(play)
    play.tell(outcome(result, play.permits[-1].contact_id), actor=ANNA)
    assert play.state.opt_outs == {}
    play.wait(days=40)
    unreached(play)
    for party in (Party.CONTACT, Party.UNRELATED, Party.THIRD):
        assert play.ask(other(party=party)) == ["denied by CN-P1 until None"]
        assert play.state.denials[-1].rules[0].reason == "refused"
    assert play.ask() == ["PermitGranted"], "the debtor may still be called"


def test_a_wrong_number_of_others_says_nothing_of_the_debtors_number(play: Asking) -> None:
    asked_another(play)
    play.tell(outcome(OutcomeResult.WRONG_NUMBER, play.permits[-1].contact_id), actor=ANNA)
    assert (play.state.bad_points, play.state.refusals) == ({}, {})


def test_what_others_say_is_told_as_theirs(play: Asking) -> None:
    asked_another(play)
    play.tell(outcome(OutcomeResult.REFUSED, play.permits[-1].contact_id), actor=ANNA)
    [said] = [each.data for each in play.told if isinstance(each.data, outreach.OutcomeRecorded)][-1:]
    assert said.party == "contact"


def test_others_are_asked_once_a_day_whatever_they_are_called(play: Asking) -> None:
    unreached(with_profile(play))
    play.ask(other())
    for party in (Party.CONTACT, Party.UNRELATED, Party.THIRD):
        assert play.ask(other(party=party)) == ["denied by CN-H1 until 2026-03-03 08:00:00+08:00"]


@pytest.mark.parametrize("point", [FOUND, ""])
def test_a_number_that_the_debtor_did_not_give_is_not_called(play: Asking, point: str) -> None:
    unreached(with_profile(play))
    assert play.ask(other(point)) == ["denied by CN-I2 until None"]


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        pytest.param(other("none"), ("contact_point", "the profile has no such contact point"), id="no such point"),
        pytest.param(
            other(GIVEN, Party.DEBTOR), ("party", "this contact point is not that party's"), id="another's point"
        ),
        pytest.param(
            other(GIVEN, Party.GUARANTOR), ("party", "this contact point is not that party's"), id="not a guarantor's"
        ),
    ],
)
def test_what_cannot_be_judged_is_refused(play: Asking, asked: AskPermit, refusal: tuple[str, str]) -> None:
    assert with_profile(play).refused(asked) == refusal


def test_who_represents_a_debtor_is_nobody_that_the_rules_know_a_way_to(play: Asking) -> None:
    play.ask(AskPermit(channel=Channel.PHONE, party=Party.ATTORNEY, purpose=Purpose.SERVICE))
    assert "CN-P2" in play.denied


def test_one_stop_reaches_the_permits_for_others_too(play: Asking) -> None:
    unreached(with_profile(play)).ask(other())
    play.tell(payment(), 2)
    assert play.states == ["made"] * 3 + ["not_made"]
