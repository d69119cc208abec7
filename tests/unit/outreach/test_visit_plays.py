"""Visits: crews ask for their permit at the door."""

from datetime import UTC, datetime

import pytest

from services.outreach.compliance.domain.words import Outcome
from services.outreach.contacts.domain.judging import Asked, judged
from services.outreach.contacts.store import rules_of
from services.outreach.permits.commands import AskPermit
from services.outreach.plans.domain.rows import Channel
from shared.contracts import intake, outreach
from tests.unit.outreach.play import CURED, case, payment
from tests.unit.outreach.test_permit_plays import MORNING, Asking


@pytest.fixture
def play() -> Asking:
    play = Asking()
    play.tell(intake.CaseOpened(case=case()), 1)
    play.until(MORNING)
    return play


def visit(crew: int | None) -> AskPermit:
    return AskPermit(channel=Channel.VISIT, crew=crew)


def test_a_crew_of_two_may_ring_by_day(play: Asking) -> None:
    assert play.ask(visit(2)) == ["PermitGranted"]
    granted = play.told[-1].data
    assert isinstance(granted, outreach.PermitGranted)
    assert {"CN-W1", "CN-V1"} <= {rule.rule for rule in granted.rules}


@pytest.mark.parametrize("crew", [1, None])
def test_nobody_visits_alone_and_who_does_not_say_how_many_they_are_is_taken_for_alone(
    play: Asking, crew: int | None
) -> None:
    assert play.ask(visit(crew)) == ["denied by CN-V1 until None"]


def test_at_night_no_crew_rings(play: Asking) -> None:
    play.until(datetime(2026, 3, 2, 15, tzinfo=UTC))
    [denied] = play.ask(visit(2))
    assert denied.startswith("denied by CN-W1")


def test_only_a_visit_has_a_crew(play: Asking) -> None:
    assert play.refused(AskPermit(channel=Channel.PHONE, crew=2)) == ("crew", "only a visit has a crew")


def test_a_payment_sends_the_crew_home(play: Asking) -> None:
    play.ask(visit(2))
    play.tell(payment(CURED), 2)
    assert play.states == ["not_made"]


def test_a_visit_of_which_nothing_is_known_may_have_reached_the_debtor(play: Asking) -> None:
    rules = rules_of({"CN": "Asia/Shanghai"}, {"phone", "visit"})["CN"]
    third = Asked("phone", "collection", party="contact", attributes={"content": ["ask_debtor_contact"]})

    def stands_in_the_way() -> bool:
        return "CN-P1" in {each.rule for each in judged(rules, third, play.permits, play.now.instant).failing}

    for _ in range(3):
        play.ask()
        play.report(play.permits[-1], Outcome.FAILED)
        play.wait(minutes=1)
    assert not stands_in_the_way()
    play.ask(visit(2))
    assert stands_in_the_way()
