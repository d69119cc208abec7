"""Tiers: low, medium and high as S3.9 means them, by cause and course; the matrix; promises; what staff say."""

from datetime import date, timedelta
from itertools import product
from typing import Any

import pytest

from services.segmentation.commands import OverrideTier
from services.segmentation.domain.tiers import Known
from services.segmentation.store import ReviewDue
from services.segmentation.strategies import FOLDER, load_playbook, load_tiers
from shared.contracts import intake, segmentation
from shared.contracts.outreach import (
    Ability,
    DelinquencyCause,
    OutcomeResult,
    PromiseBroken,
    PromiseEnd,
    PromiseKept,
    PromiseMade,
    PromiseReopened,
    Willingness,
)
from shared.contracts.segmentation import TierAssigned
from shared.data_files import WrongDataError
from shared.service import Rejected
from tests.unit.segmentation.play import (
    DUE_ON,
    HOLD_OUT,
    TIMETABLE,
    Play,
    case,
    cured,
    ended,
    opened,
    outcome,
    paid,
    promise,
)

TIERS = load_playbook().tiers
C, A, W, R = DelinquencyCause, Ability, Willingness, OutcomeResult


# -- rules -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "days", "tier", "rule"),
    [
        pytest.param({}, 5, "low", "nothing speaks against", id="nothing is known: low at first"),
        pytest.param({}, 30, "low", "nothing speaks against", id="nothing is known: low up to a month"),
        pytest.param({}, 31, "medium", "more than a month overdue", id="nothing is known: medium after a month"),
        pytest.param({}, 90, "medium", "more than a month overdue", id="nothing is known: medium up to 90 days"),
        pytest.param({}, 91, "high", "long overdue", id="nothing is known: long overdue is high"),
        pytest.param({"relapses": 2}, 5, "medium", "overdue again and again", id="the third time overdue is medium"),
        pytest.param({"promises_broken": 1}, 5, "medium", "a promise broken", id="one broken promise is medium"),
        pytest.param({"promises_broken": 2}, 5, "high", "promises broken again", id="two broken promises are high"),
        pytest.param({"promises_kept": 9}, 5, "low", "nothing speaks against", id="kept promises do no harm"),
        pytest.param({"cause": C.UNEMPLOYMENT}, 40, "low", "temporary cause", id="unemployment is low"),
        pytest.param({"cause": C.ILLNESS}, 120, "low", "temporary cause", id="illness is low, even long overdue"),
        pytest.param({"cause": C.BUSINESS_TROUBLE}, 5, "medium", "business in trouble", id="bad business is medium"),
        pytest.param({"cause": C.BUSINESS_TROUBLE}, 91, "high", "long overdue", id="bad business that did not recover"),
        pytest.param({"cause": C.WILFUL_DEFAULT}, 1, "high", "wilful default", id="wilful default is high at once"),
        pytest.param({"cause": C.OTHER}, 5, "low", "nothing speaks against", id="another cause says nothing"),
        pytest.param({"result": R.HARDSHIP_CLAIMED}, 95, "low", "hardship claimed", id="hardship claimed is low"),
        pytest.param({"result": R.REFUSED}, 30, "low", "nothing speaks against", id="a refusal at first"),
        pytest.param({"result": R.REFUSED}, 31, "high", "refuses to speak", id="a refusal later is high"),
        pytest.param(
            {"cause": C.WILFUL_DEFAULT, "result": R.HARDSHIP_CLAIMED}, 5, "high", "wilful default",
            id="wilful default, as judged, goes before what is claimed",
        ),
        pytest.param(
            {"ability": A.ABLE, "willingness": W.UNWILLING}, 5, "high", "ability and willingness",
            id="able and unwilling is high",
        ),
        pytest.param(
            {"ability": A.UNABLE, "willingness": W.UNWILLING}, 5, "medium", "ability and willingness",
            id="unable and unwilling is helped first",
        ),
        pytest.param(
            {"ability": A.LIMITED, "willingness": W.WILLING}, 45, "low", "ability and willingness",
            id="willing within limits is low, also after a month",
        ),
        pytest.param(
            {"ability": A.ABLE}, 45, "medium", "more than a month overdue", id="half a pair says nothing of the tier"
        ),
    ],
)  # fmt: skip
def test_the_first_rule_that_holds_decides(known: dict[str, Any], days: int, tier: str, rule: str) -> None:
    verdict = TIERS.decide(Known(**known), days)
    assert (verdict.tier, verdict.rule) == (tier, rule)


def test_every_pair_of_ability_and_willingness_has_a_segment() -> None:
    pairs = list(product(Ability, Willingness))
    assert [pair for pair in pairs if not TIERS.matrix[str(pair[0]), str(pair[1])].segment] == []
    assert len(TIERS.matrix) == len(pairs)


SHIPPED = (FOLDER / "tiers.yaml").read_text("utf-8")


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        pytest.param(
            "  - { name: nothing speaks against, tier: low }\n", "",
            "rules: the last rule, and no other, must hold for everybody and name a tier", id="nobody decides at last",
        ),
        pytest.param(
            ", causes: [wilful_default]", "",
            "rules: the last rule, and no other, must hold for everybody and name a tier", id="the first decides all",
        ),
        pytest.param(
            "name: long overdue", "name: temporary cause", "rules: a name occurs more than once", id="a name twice"
        ),
        pytest.param(
            "ability: able, willingness: willing", "ability: able, willingness: unknown",
            "matrix: able and unknown must occur just once", id="a pair twice",
        ),
        pytest.param(
            "causes: [wilful_default]", "causes: [gambling]",
            "Invalid enum value 'gambling' - at `$.rules[0].causes[0]`", id="a cause that nobody records",
        ),
        pytest.param("tier: high", "tier: top", "Invalid enum value 'top' - at `$.rules[0].tier`", id="a fourth tier"),
    ],
)  # fmt: skip
def test_wrong_tiers_are_refused_in_one_line(tmp_path: Any, old: str, new: str, line: str) -> None:
    assert old in SHIPPED
    (tmp_path / "tiers.yaml").write_text(SHIPPED.replace(old, new, 1), "utf-8")
    with pytest.raises(WrongDataError) as refused:
        load_tiers(tmp_path / "tiers.yaml")
    assert str(refused.value) == f"tiers.yaml: {line}"


@pytest.mark.parametrize("word", ["threat", "harass", "insult", "family", "police", "violence", "expos"])
def test_no_recorded_word_describes_what_a_collector_must_not_do(word: str) -> None:
    words = [str(each) for kind in (C, A, W, R) for each in kind]
    assert [each for each in words if word in each] == []


# -- contacts --------------------------------------------------------------------------------------------------------


def tier_of(play: Play) -> str:
    assert play.file.assignment is not None
    return str(play.file.assignment.tier)


def test_what_a_contact_taught_changes_the_tier_and_with_it_the_treatment() -> None:
    play = opened(8, debtor_id=TIMETABLE)
    assert play.treatment.strategy == "s3_timetable:low"
    assert play.hears(outcome(reason_code=C.BUSINESS_TROUBLE)) == ["tier low > medium", "treatment EARLY v1"]
    assert (play.treatment.strategy, play.treatment.tier) == ("s3_timetable:medium", "medium")
    assert play.treatment.steps[0].template == "advice_call"
    assert play.treatment.explanation.inputs["because"] == "outcome recorded"
    assert play.hears(outcome(R.REFUSED, ability=A.ABLE, willingness=W.UNWILLING)) == ["tier medium > medium"]
    assert play.hears(outcome(reason_code=C.WILFUL_DEFAULT)) == ["tier medium > high", "treatment EARLY v1"]
    assert play.hears(outcome(reason_code=C.ILLNESS)) == ["tier high > low", "treatment EARLY v1"]


def test_a_strategy_that_treats_all_tiers_alike_tells_the_tier_alone() -> None:
    play = opened(8)
    assert play.hears(outcome(reason_code=C.BUSINESS_TROUBLE)) == ["tier low > medium"]
    assert play.hears(paid(case(9)), 2) == ["treatment EARLY v2"]
    assert play.treatment.tier == "medium"


def test_a_tier_explains_itself() -> None:
    play = opened(8, debtor_id=TIMETABLE)
    play.hears(outcome(R.RIGHT_PARTY_REACHED, reason_code=C.BUSINESS_TROUBLE, ability=A.LIMITED))
    told = next(each.data for each in play.told if isinstance(each.data, TierAssigned))
    why = told.explanation
    assert (told.segment, why.rule, why.version) == ("plan", "tiers.yaml: business in trouble", TIERS.version)
    assert why.inputs == {
        "days_past_due": "8", "oldest_due_on": "2026-03-01", "business_date": "2026-03-09", "case_version": "1",
        "cause": "business_trouble", "ability": "limited", "willingness": "unknown", "result": "",
        "promises_kept": "0", "promises_broken": "0", "relapses": "0",
    }  # fmt: skip


@pytest.mark.parametrize("result", [R.THIRD_PARTY_REACHED, R.WRONG_NUMBER, R.NO_ANSWER])
def test_who_is_not_the_debtor_teaches_nothing_about_them(result: OutcomeResult) -> None:
    play = opened(8, debtor_id=TIMETABLE)
    before = play.file
    assert play.hears(outcome(result, reason_code=C.WILFUL_DEFAULT, willingness=W.UNWILLING)) == []
    assert play.file == before


@pytest.mark.parametrize("party", ["contact", "third", "guarantor"])
def test_what_others_say_teaches_nothing_about_the_debtor(party: str) -> None:
    play = opened(8, debtor_id=TIMETABLE)
    before = play.file
    assert play.hears(outcome(R.REFUSED, party=party, willingness=W.UNWILLING)) == []
    assert play.file == before


def test_what_a_contact_leaves_unknown_stays_as_it_was() -> None:
    play = opened(8, debtor_id=TIMETABLE)
    play.hears(outcome(reason_code=C.ILLNESS, ability=A.LIMITED))
    play.day(10)
    play.hears(outcome(R.ASKED_FOR_ANOTHER_TIME))
    assert play.file.person is not None
    known = play.file.person.known
    assert (known.cause, known.ability, known.recorded_on) == ("illness", "limited", DUE_ON + timedelta(8))


def test_what_a_contact_said_counts_for_180_days() -> None:
    play = opened(8, debtor_id=TIMETABLE)
    play.hears(outcome(reason_code=C.ILLNESS))
    play.day(91)
    assert tier_of(play) == "low"
    assert play.file.review == ReviewDue(DUE_ON + timedelta(188), "bank")
    assert play.day(187) == []
    assert play.day(188) == ["tier low > high", "treatment NPL v1"]


def test_an_outcome_without_a_case_is_kept_for_the_case_to_come() -> None:
    play = Play(debtor_id=TIMETABLE)
    play.day(8)
    assert play.hears(outcome(reason_code=C.WILFUL_DEFAULT)) == []
    assert play.hears(intake.CaseOpened(case=case(8)), 1)[1:] == ["tier - > high", "treatment EARLY v1"]


def test_a_case_that_opens_for_the_third_time_is_medium() -> None:
    play = opened(3)
    for version, expected in ((2, "low"), (4, "medium")):
        play.hears(intake.CaseCured(case=cured(4)), version)
        play.hears(intake.CaseReopened(case=case(5)), version + 1)
        play.hears(intake.CaseReopened(case=case(5)), version + 1)
        assert tier_of(play) == expected, "a fact that comes twice is one relapse"


# -- promises --------------------------------------------------------------------------------------------------------


def test_a_promise_that_stands_pauses_and_a_kept_one_resumes() -> None:
    play = opened(8)
    assert play.hears(PromiseMade(**promise(20))) == ["treatment EARLY v1 without steps"]
    why = play.treatment.explanation
    assert (play.treatment.strategy, why.rule) == ("s2_ladder:promise", "tiers.yaml: pauses")
    assert why.inputs["no_contact_before"] == (DUE_ON + timedelta(24)).isoformat()
    assert play.day(18) == ["segmented EARLY > INTENSIVE v1", "treatment INTENSIVE v1 without steps"]
    assert play.hears(paid(case(19)), 2) == ["treatment INTENSIVE v2 without steps"]
    assert play.hears(PromiseKept(**promise(20), paid_amount=100)) == ["treatment INTENSIVE v2"]
    assert play.treatment.explanation.inputs["because"] == "promise kept"


def test_a_broken_promise_resumes_and_raises_the_tier() -> None:
    play = opened(8, debtor_id=TIMETABLE)
    play.hears(PromiseMade(**promise(9)))
    assert play.hears(PromiseBroken(**promise(9), paid_amount=0)) == ["tier low > medium", "treatment EARLY v1"]
    assert play.treatment.strategy == "s3_timetable:medium"


@pytest.mark.parametrize(
    ("ends", "was"),
    [
        pytest.param(PromiseKept, PromiseEnd.KEPT, id="its payment was taken back"),
        pytest.param(PromiseBroken, PromiseEnd.BROKEN, id="its payment was heard of late"),
    ],
)
def test_a_promise_whose_end_holds_no_longer_stands_again_and_counts_as_if_it_never_had_ended(
    ends: type[PromiseKept | PromiseBroken], was: PromiseEnd
) -> None:
    play = Play()
    play.hears(PromiseMade(**promise(20)))
    stands = play.file.person
    play.hears(ends(**promise(20), paid_amount=100))
    assert play.file.person != stands
    play.hears(PromiseReopened(**promise(20), was=was))
    assert play.file.person == stands


def test_who_broke_two_promises_pauses_nothing_with_a_third() -> None:
    play = opened(8)
    for name in ("p1", "p2"):
        play.hears(PromiseMade(**promise(9, name)))
        play.hears(PromiseBroken(**promise(9, name), paid_amount=0))
    assert tier_of(play) == "high"
    assert play.hears(PromiseMade(**promise(20, "p3"))) == []


@pytest.mark.parametrize(
    ("promised_on", "resumes"),
    [
        pytest.param(10, 14, id="three days beyond the day promised"),
        pytest.param(400, 54, id="45 days after it was made, whatever was promised"),
    ],
)
def test_a_promise_that_nobody_settles_pauses_no_longer_than(promised_on: int, resumes: int) -> None:
    play = opened(8)
    play.hears(PromiseMade(**promise(promised_on)))
    for days in range(9, resumes):
        assert all(told.endswith("without steps") for told in play.day(days) if told.startswith("treatment"))
    told = play.day(resumes)
    assert told == [f"treatment {play.treatment.stage} v1"]
    assert play.treatment.explanation.inputs["because"] == "review due"


def test_two_promises_pause_until_the_later_one_is_settled() -> None:
    play = opened(8)
    play.hears(PromiseMade(**promise(12, "p1")))
    play.hears(PromiseMade(**promise(16, "p2")))
    assert play.hears(PromiseKept(**promise(12, "p1"), paid_amount=100)) == []
    assert play.hears(PromiseKept(**promise(16, "p2"), paid_amount=100)) == ["treatment EARLY v1"]


def test_a_closed_case_forgets_the_promises_that_stood() -> None:
    play = opened(8)
    play.hears(PromiseMade(**promise(12)))
    play.hears(intake.CaseClosed(case=ended(9)), 2)
    assert play.hears(intake.CaseReopened(case=case(10)), 3)[-1] == "treatment EARLY v3"


def test_a_promise_in_the_hold_out_changes_nothing_for_it() -> None:
    play = opened(8, debtor_id=HOLD_OUT)
    assert play.hears(PromiseMade(**promise(12))) == []
    assert play.file.assignment is not None
    assert play.file.assignment.strategy == "s2_against_s3:hold_out"


# -- staff -----------------------------------------------------------------------------------------------------------


def override(days: int, tier: str = "high") -> OverrideTier:
    return OverrideTier(tier=segmentation.Tier(tier), reason="evidence has been found", until=DUE_ON + timedelta(days))


def test_staff_set_a_tier_with_a_reason_until_a_day() -> None:
    play = opened(8, debtor_id=TIMETABLE)
    assert play.hears(override(12)) == ["tier low > high", "treatment EARLY v1"]
    told = next(each.data for each in play.told if isinstance(each.data, TierAssigned))
    assert told.explanation.rule == "set by staff"
    said = {"reason": "evidence has been found", "by": "operator/ann", "until": "2026-03-13", "else": "low"}
    assert said.items() <= told.explanation.inputs.items()
    assert play.hears(outcome(reason_code=C.ILLNESS)) == []
    assert play.day(11) == []
    assert play.day(12) == ["tier high > low", "treatment EARLY v1"]


def test_a_tier_set_again_takes_the_place_of_the_first_and_is_told_even_where_it_is_the_same() -> None:
    play = opened(8)
    assert play.hears(override(12, "low")) == ["tier low > low"]
    assert play.hears(override(14, "medium")) == ["tier low > medium"]
    assert play.file.person is not None
    assert play.file.person.override is not None
    assert play.file.person.override.until == DUE_ON + timedelta(14)


@pytest.mark.parametrize(
    ("play", "until", "field"),
    [
        pytest.param(lambda: opened(8), 8, "until", id="a day that the books have reached"),
        pytest.param(Play, 9, "debtor_id", id="a debtor without a case"),
        pytest.param(lambda: opened(0), 9, "debtor_id", id="a case that is not overdue yet"),
    ],
)
def test_a_tier_that_cannot_be_set_is_refused_with_the_field(play: Any, until: int, field: str) -> None:
    with pytest.raises(Rejected) as refused:
        play().hears(override(until))
    assert refused.value.field == field


def test_an_override_outlives_the_stage_but_not_its_day() -> None:
    play = opened(8, debtor_id=TIMETABLE)
    play.hears(override(40))
    play.day(18)
    assert play.treatment.strategy == "s3_timetable:high"
    play.day(31)
    assert play.file.review == ReviewDue(date(2026, 4, 10), "bank")
    play.day(40)
    assert tier_of(play) == "medium"
