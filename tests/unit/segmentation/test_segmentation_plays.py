"""Dated plays: what segmentation tells as a case grows older, is paid, cured, opened again, and closed."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from services.segmentation.domain.playbook import Playbook
from services.segmentation.store import LAYOUT, StageDue
from services.segmentation.strategies import load_playbook
from shared.contracts import intake
from shared.contracts.envelope import Fact
from shared.contracts.intake import CaseStatus
from shared.contracts.segmentation import CaseSegmented
from tests.unit.segmentation.play import (
    DUE_ON,
    LADDER,
    RELEASED,
    Play,
    case,
    cured,
    ended,
    handlers,
    opened,
    paid,
    reversed_payment,
)


def test_from_overdue_through_every_stage_by_date_alone() -> None:
    play = Play()
    play.day(3)
    assert play.hears(intake.CaseOpened(case=case(3)), 1) == [
        "segmented - > REMIND v1",
        "tier - > low",
        "treatment REMIND v1",
    ]
    assert play.day(5) == []
    assert play.day(6) == ["segmented REMIND > EARLY v1", "treatment EARLY v1"]
    assert play.day(18) == ["segmented EARLY > INTENSIVE v1", "treatment INTENSIVE v1"]
    assert play.day(31) == ["segmented INTENSIVE > PRE_LEGAL v1", "tier low > medium", "treatment PRE_LEGAL v1"]
    assert play.day(61) == ["segmented PRE_LEGAL > LEGAL_OR_PLAN v1", "treatment LEGAL_OR_PLAN v1"]
    assert play.day(91) == ["segmented LEGAL_OR_PLAN > NPL v1", "tier medium > high", "treatment NPL v1"]
    assert play.day(2_000) == []
    assert play.file.due is None


def test_days_that_nobody_worked_are_caught_up_in_one_step() -> None:
    play = opened(3)
    assert play.day(40) == ["segmented REMIND > PRE_LEGAL v1", "tier low > medium", "treatment PRE_LEGAL v1"]
    assert play.file.due == StageDue(DUE_ON + timedelta(61), "bank")


def test_overdue_then_a_part_payment_then_cured_then_overdue_again_then_closed() -> None:
    play = opened(8)
    assert play.hears(paid(case(9)), 2) == ["treatment EARLY v2"]
    assert play.day(18) == ["segmented EARLY > INTENSIVE v2", "treatment INTENSIVE v2"]
    assert play.hears(paid(cured(19)), 3) == []
    assert play.hears(intake.CaseCured(case=cured(19)), 4) == []
    assert (play.file.assignment, play.file.due) == (None, None)
    assert play.day(31) == []
    assert play.hears(intake.CaseReopened(case=case(40, oldest=DUE_ON + timedelta(31))), 5) == [
        "segmented - > EARLY v5",
        "tier - > low",
        "treatment EARLY v5",
    ]
    assert play.hears(intake.CaseClosed(case=ended(41)), 6) == []
    assert (play.file.assignment, play.file.enrolment, play.file.due) == (None, None, None)


@pytest.mark.parametrize(
    ("fact", "version", "told"),
    [
        pytest.param(paid(case(9)), 2, ["treatment EARLY v2"], id="a payment is answered, with the version after it"),
        pytest.param(
            paid(case(9)), 1, ["treatment EARLY v1"], id="a payment that shares its version with the fact before"
        ),
        pytest.param(paid(case(9)), 0, [], id="a payment older than the copy changes nothing"),
        pytest.param(paid(cured(9)), 2, [], id="a payment of all that is due: nothing is left to do"),
        pytest.param(reversed_payment(case(9)), 2, ["treatment EARLY v2"], id="a reversal is answered"),
        pytest.param(
            intake.CaseReopened(case=case(9)), 2, ["treatment EARLY v2"], id="a case opened again is answered"
        ),
        pytest.param(RELEASED, 0, ["treatment EARLY v1"], id="a lifted hold is answered from the copy held here"),
        pytest.param(intake.CaseUpdated(case=case(9)), 2, [], id="an update within the stage needs no answer"),
        pytest.param(
            paid(case(9, oldest=DUE_ON + timedelta(5))),
            2,
            ["segmented EARLY > REMIND v2", "treatment REMIND v2"],
            id="a payment of the oldest instalment moves the case back a stage",
        ),
        pytest.param(
            intake.CaseUpdated(case=case(9, oldest=DUE_ON - timedelta(10))),
            2,
            ["segmented EARLY > INTENSIVE v2", "treatment INTENSIVE v2"],
            id="an older instalment that comes to light moves the case on",
        ),
        pytest.param(
            intake.DelinquencyRangeChanged(case=case(31)),
            2,
            ["segmented EARLY > PRE_LEGAL v2", "tier low > medium", "treatment PRE_LEGAL v2"],
            id="a case fact may run ahead of the business date of the lane",
        ),
        pytest.param(
            intake.CaseUpdated(case=case(9, oldest=DUE_ON - timedelta(99))), 1, [], id="an old update changes nothing"
        ),
        pytest.param(intake.CaseClosed(case=case(9, status=CaseStatus.CLOSED)), 1, [], id="an old closing is ignored"),
    ],
)
def test_what_an_open_case_in_early_answers(fact: Fact, version: int, told: list[str]) -> None:
    play = opened(8)
    before = play.file
    assert play.hears(fact, version) == told
    if version < 2 and fact is not RELEASED:
        assert (play.file.copy, play.file.due) == (before.copy, before.due)


@pytest.mark.parametrize(
    "fact",
    [
        pytest.param(RELEASED, id="a lifted hold"),
        pytest.param(
            intake.PaymentPosted(
                case=None,
                loan_id="L1",
                payment_id="p",
                amount=1,
                currency="CNY",
                posted_at=datetime(2026, 3, 9, tzinfo=UTC),
            ),
            id="a payment without a case",
        ),
    ],
)
def test_a_debtor_without_a_case_is_told_nothing(fact: Fact) -> None:
    play = Play()
    assert play.hears(fact, 0) == []
    assert play.file == LAYOUT.empty(LADDER)


def test_a_treatment_after_a_stop_always_carries_the_version_of_the_stop() -> None:
    play = opened(8)
    for version, stop in enumerate((paid(case(9)), reversed_payment(case(9)), intake.CaseReopened(case=case(9))), 2):
        assert play.hears(stop, version) == [f"treatment EARLY v{version}"]
        assert play.file.assignment is not None
        assert play.file.assignment.decided_for == version


def test_a_confirmed_treatment_keeps_the_day_on_which_the_stage_was_entered() -> None:
    play = opened(8)
    play.day(10)
    play.hears(paid(case(10)), 2)
    assert play.file.assignment is not None
    assert (play.file.assignment.entered_on, play.file.assignment.decided_on) == (
        DUE_ON + timedelta(8),
        DUE_ON + timedelta(10),
    )


def test_a_new_stage_is_entered_on_its_own_day() -> None:
    play = opened(8)
    play.day(18)
    assert play.file.assignment is not None
    assert play.file.assignment.entered_on == DUE_ON + timedelta(18)


def test_a_case_that_is_not_open_has_no_stage_whatever_its_dates_say() -> None:
    play = opened(8)
    assert play.hears(intake.CaseCured(case=case(19, status=CaseStatus.CURED)), 2) == []
    assert (play.file.assignment, play.file.due) == (None, None)


def test_a_case_on_its_due_date_waits_for_the_first_stage() -> None:
    play = Play()
    play.day(0)
    assert play.hears(intake.CaseOpened(case=case(0)), 1) == []
    assert play.hears(RELEASED) == []
    assert play.day(1) == ["segmented - > REMIND v1", "tier - > low", "treatment REMIND v1"]


def test_a_lane_that_heard_no_business_date_goes_by_that_of_the_case() -> None:
    assert Play().hears(intake.CaseOpened(case=case(6)), 1) == [
        "segmented - > EARLY v1",
        "tier - > low",
        "treatment EARLY v1",
    ]


def test_every_decision_explains_itself() -> None:
    play = opened(8)
    play.day(18)
    segmented = play.told[0].data
    assert isinstance(segmented, CaseSegmented)
    seen = {"days_past_due": "18", "oldest_due_on": "2026-03-01", "business_date": "2026-03-19", "case_version": "1"}
    assert (segmented.days_past_due, segmented.explanation.rule) == (18, "stages.yaml: INTENSIVE 18 to 30")
    assert (segmented.explanation.version, segmented.explanation.inputs) == ("1", seen)
    why = play.treatment.explanation
    assert (why.rule, why.version) == ("s2_ladder.yaml: INTENSIVE", "1")
    stage = "INTENSIVE 18 to 30 (stages.yaml, version 1)"
    tier = "low (tiers.yaml: nothing speaks against, version 1)"
    assert why.inputs == seen | {"stage": stage, "tier": tier, "because": "stage entered"}
    assert play.file.assignment is not None
    assert play.file.assignment.explanation == why
    play.hears(paid(case(18)), 2)
    assert play.treatment.explanation.inputs["because"] == "payment posted"


def two_versions() -> Playbook:
    """The shipped playbook and a second version of its strategy, in effect since before the plays."""
    shipped = load_playbook()
    second = replace(shipped.strategies[0], version=2, effective_from=date(2026, 1, 1), file="second.yaml")
    return replace(shipped, strategies=(*shipped.strategies, second))


def test_the_first_strategy_stays_through_a_cure_and_ends_with_the_case() -> None:
    play = opened(8)
    play.handlers = handlers(two_versions())
    play.hears(paid(case(9)), 2)
    assert play.treatment.strategy_version == 1
    play.hears(intake.CaseCured(case=cured(19)), 3)
    play.hears(intake.CaseReopened(case=case(40, oldest=DUE_ON + timedelta(31))), 4)
    assert play.treatment.strategy_version == 1
    play.hears(intake.CaseClosed(case=case(41, status=CaseStatus.CLOSED, oldest=None)), 5)
    play.hears(intake.CaseReopened(case=case(60, oldest=DUE_ON + timedelta(50))), 6)
    assert play.treatment.strategy_version == 2


def test_a_strategy_that_is_no_longer_kept_is_replaced_by_the_one_in_effect() -> None:
    play = opened(8, two_versions())
    assert play.treatment.strategy_version == 2
    play.handlers = handlers(load_playbook())
    play.hears(paid(case(9)), 2)
    assert (play.treatment.strategy_version, play.file.enrolment and play.file.enrolment.strategy_version) == (1, 1)
