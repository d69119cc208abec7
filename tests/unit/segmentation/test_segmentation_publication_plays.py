"""Dated plays of a version that was published: from its date on, at the next decision, and for whom it is meant."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from services.segmentation.publishing.editions import MOST_KEPT, Editions, digest_of
from services.segmentation.strategies import load_playbook
from shared.contracts import intake
from shared.contracts.envelope import Fact
from shared.contracts.outreach import PromiseMade
from shared.contracts.segmentation import StrategyPublished, StrategyWithdrawn
from tests.unit.segmentation.play import (
    DUE_ON,
    HOLD_OUT,
    TIMETABLE,
    Play,
    case,
    cured,
    document,
    handlers,
    opened,
    paid,
    promise,
    published,
)


def prescribed(play: Play) -> tuple[int, str]:
    """The version and the first step of the treatment that was told last."""
    steps = play.treatment.steps
    return play.treatment.strategy_version, str(steps[0].channel) if steps else "nothing"


def opened_under(*facts: StrategyPublished, days: int = 7, debtor_id: str = "d1") -> Play:
    play = Play(handlers(), debtor_id)
    for fact in facts:
        play.is_told(fact)
    play.day(days)
    play.hears(intake.CaseOpened(case=case(days)), 1)
    return play


@pytest.mark.parametrize(
    ("days", "version", "first"),
    [
        pytest.param(8, 1, "phone", id="the older version until the day before"),
        pytest.param(9, 2, "letter", id="the version from its own day on"),
    ],
)
def test_a_case_that_begins_gets_the_version_in_effect(days: int, version: int, first: str) -> None:
    play = opened_under(published(document(effective=9, cases="new")), days=days)
    assert prescribed(play) == (version, first)
    assert play.treatment.explanation.rule.startswith("s2_ladder version 2" if version == 2 else "s2_ladder.yaml")


def test_a_version_for_all_cases_moves_an_open_one_at_its_next_decision_and_not_before() -> None:
    play = opened(7)
    play.is_told(published(document(effective=9)))
    assert play.hears(paid(case(8)), 2) == ["treatment EARLY v2"]
    assert prescribed(play) == (1, "phone")
    assert play.day(9) == []  # nobody is decided about because of the date alone
    assert play.day(12) == []
    assert play.hears(intake.CaseUpdated(case=case(13)), 3) == ["treatment EARLY v3"]
    assert prescribed(play) == (2, "letter")
    assert play.file.enrolment is not None
    assert (play.file.enrolment.strategy_version, play.file.enrolment.enrolled_on) == (2, DUE_ON + timedelta(13))


def test_once_moved_it_is_not_told_again() -> None:
    play = opened_under(published(document(effective=9)))
    play.day(10)
    assert play.hears(intake.CaseUpdated(case=case(10)), 2) == ["treatment EARLY v2"]
    assert play.hears(intake.CaseUpdated(case=case(11)), 3) == []


def test_the_next_stage_is_a_decision_too() -> None:
    play = opened_under(published(document(effective=9)))
    play.day(18)
    assert play.treatment.strategy_version == 2


def test_a_version_for_new_cases_leaves_an_open_one_as_it_is_to_its_end() -> None:
    play = opened(7)
    play.is_told(published(document(effective=9, cases="new")))
    play.day(12)
    play.hears(paid(case(12)), 2)
    assert prescribed(play) == (1, "phone")
    play.hears(intake.CaseCured(case=cured(19)), 3)
    play.hears(intake.CaseReopened(case=case(40, oldest=DUE_ON + timedelta(33))), 4)
    assert prescribed(play) == (1, "phone")


def test_who_holds_a_version_for_new_cases_is_moved_by_a_later_one_for_all() -> None:
    second, third = document(effective=5, cases="new"), document(3, effective=9)
    play = opened_under(published(second))
    assert prescribed(play) == (2, "letter")
    play.is_told(published(third))
    play.day(9)
    play.hears(paid(case(9)), 2)
    assert prescribed(play) == (3, "letter")


def test_a_later_version_for_new_cases_does_not_hide_the_one_for_all_before_it() -> None:
    play = opened(7)
    play.is_told(published(document(effective=8)))
    play.is_told(published(document(3, effective=9, cases="new")))
    play.day(9)
    play.hears(paid(case(9)), 2)
    assert prescribed(play) == (2, "letter")


def test_a_version_that_was_withdrawn_before_its_day_never_applies() -> None:
    play = opened_under(published(document(effective=9)))
    play.is_told(StrategyWithdrawn(strategy="s2_ladder", version=2, withdrawn_by="supervisor/bob", reason="too early"))
    play.day(9)
    play.hears(paid(case(9)), 2)
    assert prescribed(play) == (1, "phone")


def test_a_strategy_of_another_arm_moves_nobody() -> None:
    play = opened_under(published(document(effective=5)), debtor_id=TIMETABLE)
    assert (play.treatment.strategy, play.treatment.strategy_version) == ("s3_timetable:low", 1)


def test_a_hold_out_stays_held_out_and_gets_the_champion_as_it_then_is() -> None:
    play = opened_under(published(document(effective=9)), debtor_id=HOLD_OUT)
    assert prescribed(play) == (1, "nothing")
    play.day(18)
    assert (play.treatment.strategy, play.treatment.strategy_version) == ("s2_ladder", 2)


def test_a_promise_pauses_under_the_new_version_too() -> None:
    play = opened_under(published(document(effective=8)))
    play.day(9)
    play.hears(PromiseMade(**promise(14)), 1)
    assert (play.treatment.strategy, prescribed(play)) == ("s2_ladder:promise", (2, "nothing"))


# -- editions ----------------------------------------------------------------------------------------------------------

SHIPPED = load_playbook()
LATER = date(2026, 6, 1)


def versions(*facts: Fact) -> list[int]:
    found = Editions(SHIPPED).at({str(place): fact for place, fact in enumerate(facts)})
    return [one.version for one in found.strategies if one.name == "s2_ladder"]


def test_the_files_alone_apply_where_nothing_was_published() -> None:
    assert Editions(SHIPPED).at({}) is SHIPPED


def test_the_same_directives_give_the_same_playbook_and_others_another() -> None:
    editions, second = Editions(SHIPPED), published(document(effective=9))
    other = published(document(effective=10))
    assert editions.at({"a": second}) is editions.at({"b": second})
    assert editions.at({"a": other}) is not editions.at({"a": second})


def test_playbooks_of_long_ago_are_not_kept_for_ever() -> None:
    editions = Editions(SHIPPED)
    for days in range(3 * MOST_KEPT):
        editions.at({"a": published(document(effective=days))})
    assert len(editions._made) <= MOST_KEPT


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        pytest.param([document(effective=9)], [1, 2], id="one more"),
        pytest.param([document(3, effective=12), document(effective=9)], [1, 2, 3], id="two, in whatever order"),
        pytest.param([document(1, effective=9)], [1], id="a number that the files have by now"),
        pytest.param([document(effective=9), document(3, effective=9)], [1, 2], id="a date that does not follow"),
        pytest.param(
            [document(effective=date(1999, 1, 1)), document(3, effective=9)], [1, 3], id="the files are of a later date"
        ),
    ],
)
def test_what_contradicts_the_files_or_an_earlier_version_is_left_out(facts: list[Fact], found: list[int]) -> None:
    assert versions(*map(published, facts)) == found  # type: ignore[arg-type]


def test_a_version_of_a_ladder_that_is_no_more_is_left_out() -> None:
    stages = tuple(replace(one, name=one.name.replace("NPL", "LATE")) for one in SHIPPED.ladder.stages)
    editions = Editions(replace(SHIPPED, ladder=replace(SHIPPED.ladder, stages=stages)))
    assert editions.at({"a": published(document(effective=9))}).strategies == SHIPPED.strategies


def test_a_digest_tells_texts_apart_in_every_word() -> None:
    text = document(effective=9)
    assert digest_of(text) == digest_of(document(effective=9))
    assert len({digest_of(each) for each in (text, document(effective=10), document(effective=9, cases="new"))}) == 3
