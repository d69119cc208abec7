"""Dated plays of holds: whoever places one, outreach stands still until it is lifted or ends."""

from datetime import UTC, date, datetime

import pytest

from services.outreach.plans.commands import PlaceHold, ReleaseHold
from shared.contracts import intake, outreach, quarantine
from shared.service import Rejected
from tests.unit.outreach.play import LEGAL_HOLD, LEGAL_RELEASE, LENDER, Play, case, treatment

QUARANTINED = quarantine.DebtorQuarantined(service="intake", letter_id="letter-1")
RELEASED = quarantine.DebtorReleased(service="intake", letter_id="letter-1")


def test_legal_places_a_hold_and_lifting_it_starts_the_plan_again() -> None:
    play = Play().started()
    assert play.tell(LEGAL_HOLD, 7) == ["plan 1 stopped: hold placed, cancelled [1, 2]"]
    assert play.tell(treatment("NPL"), 2) == []
    assert play.wait(days=30) == []
    assert play.tell(LEGAL_RELEASE, 7) == []
    assert play.wait(minutes=2) == ["plan 2 started: NPL"]
    assert play.tell(LEGAL_RELEASE, 7) == []


def test_a_hold_after_a_plan_has_run_to_its_end_does_not_begin_it_again() -> None:
    play = Play().started()
    play.wait(days=9)
    assert play.tell(LEGAL_HOLD) == []
    assert play.tell(LEGAL_RELEASE) == []
    assert play.wait(days=9) == []


def test_a_quarantine_stops_everything_until_every_letter_is_resolved() -> None:
    play = Play().started()
    assert play.tell(QUARANTINED) == ["plan 1 stopped: debtor quarantined, cancelled [1, 2]"]
    play.tell(quarantine.DebtorQuarantined(service="intake", letter_id="letter-2"))
    assert play.tell(RELEASED) == []
    assert play.wait(days=1) == [], "another letter of the same service still stands"
    play.tell(quarantine.DebtorReleased(service="intake", letter_id="letter-2"))
    assert play.wait(minutes=2) == ["plan 2 started: EARLY"]


def test_a_quarantine_of_a_debtor_not_heard_of_waits_for_the_case() -> None:
    play = Play()
    assert play.tell(QUARANTINED) == []
    play.tell(intake.CaseOpened(case=case()), 1)
    play.tell(treatment(), 1)
    assert play.wait(days=1) == []
    play.tell(RELEASED)
    assert play.wait(minutes=2) == ["plan 1 started: EARLY"]


def test_an_operator_places_a_hold_and_lifts_it() -> None:
    play = Play().started()
    placed = play.tell(PlaceHold(reason="dispute"), actor="operator/anna", lender_id="")
    assert placed == ["HoldPlaced", "plan 1 stopped: hold placed, cancelled [1, 2]"]
    assert play.told[-2].lender_id == LENDER, "a command names no lender, its facts do"
    (hold,) = play.state.holds.values()
    assert (hold.placed_by, hold.source, play.told[-2].data) == (
        "operator/anna",
        "operator",
        outreach.HoldPlaced(hold_id=hold.hold_id, reason="dispute", owner="operator/anna"),
    )
    assert play.tell(ReleaseHold(hold_id=hold.hold_id, reason="settled")) == ["HoldReleased"]
    assert play.wait(minutes=2) == ["plan 2 started: EARLY"]
    with pytest.raises(Rejected, match="hold_id: the hold was lifted already"):
        play.tell(ReleaseHold(hold_id=hold.hold_id, reason="again"))


def test_a_hold_with_an_end_ends_by_itself() -> None:
    play = Play().started()
    play.tell(PlaceHold(reason="holiday", until=date(2026, 3, 10)))
    assert play.until(datetime(2026, 3, 9, 15, 59, tzinfo=UTC)) == []
    assert play.until(datetime(2026, 3, 9, 16, 1, tzinfo=UTC)) == ["HoldReleased", "plan 2 started: EARLY"]
    assert play.state.hold_due == {}


def test_a_hold_lifted_early_has_no_end_left() -> None:
    play = Play().started()
    play.tell(PlaceHold(reason="holiday", until=date(2026, 3, 10)))
    (hold_id,) = play.state.holds
    play.tell(ReleaseHold(hold_id=hold_id, reason="back early"))
    assert play.state.hold_due == {}


@pytest.mark.parametrize(
    ("before", "command", "reason"),
    [
        pytest.param([], PlaceHold(reason="x"), "debtor_id: nothing is known", id="a hold needs a debtor who is known"),
        pytest.param(
            [intake.CaseOpened(case=case())],
            PlaceHold(reason="x", until=date(2026, 3, 2)),
            "until: the books have already reached",
            id="a hold cannot end today",
        ),
        pytest.param(
            [], ReleaseHold(hold_id="h", reason="x"), "hold_id: no such hold", id="a hold must exist to be lifted"
        ),
        pytest.param(
            [LEGAL_HOLD],
            ReleaseHold(hold_id="legal-1", reason="x"),
            "hold_id: only legal",
            id="an operator cannot lift a hold of legal",
        ),
        pytest.param(
            [QUARANTINED],
            ReleaseHold(hold_id="quarantine:intake:letter-1", reason="x"),
            "hold_id: only intake",
            id="an operator cannot lift a quarantine",
        ),
    ],
)
def test_commands_that_are_refused(before: list[object], command: object, reason: str) -> None:
    play = Play()
    for fact in before:
        play.tell(fact, 1)
    with pytest.raises(Rejected, match=reason):
        play.tell(command)


def test_a_jurisdiction_without_known_hours_gets_a_hold_that_people_can_see_and_lift() -> None:
    play = Play()
    play.tell(intake.CaseOpened(case=case(jurisdiction="XX")), 1)
    play.tell(treatment(), 1)
    assert play.wait(minutes=1) == ["HoldPlaced"]
    (hold,) = play.state.holds.values()
    assert hold.reason == "no lawful hours are known for jurisdiction XX"
    play.tell(intake.CaseUpdated(case=case(jurisdiction="CN")), 2)
    assert play.wait(days=1) == []
    play.tell(ReleaseHold(hold_id=hold.hold_id, reason="corrected"))
    assert play.wait(minutes=2) == ["plan 1 started: EARLY"]
