"""The verdict as a whole: every failing rule in its order, what may be waived, packs over packs, rules with dates."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from benchmarks import verdicts as verdicts_benchmark
from services.outreach.compliance.domain.attempt import Override, Span
from services.outreach.compliance.domain.evaluating import evaluate
from services.outreach.compliance.domain.hours import Week, daily
from services.outreach.compliance.domain.pack import Pack, UnknownRuleError
from services.outreach.compliance.domain.rule import Rule
from services.outreach.compliance.domain.standing import Ban, Block
from services.outreach.compliance.domain.timing import Window
from services.outreach.compliance.domain.words import Channel, Force, Outcome
from services.outreach.compliance.domain.zones import second_of, zone_named
from services.outreach.compliance.store import shipped
from tests.unit.outreach.compliance.asking import CHINA, NOON, attempt, contact, edges, judge, on_tuesday, rules

CN = shipped()["CN"]
SEVENTH = [contact(f"{hour:02}:00", Outcome.NO_ANSWER) for hour in range(6, 12)]
RIGHT, REASON = "exceed-advisory-limit", "asked us to call again today"


def window(name: str = "XX-W1", opens: int = 8, closes: int = 21, **others: Any) -> Window:
    given: dict[str, Any] = {"hours": daily(((opens * 3600, closes * 3600),)), "zones": (zone_named("Asia/Shanghai"),)}
    return Window(id=name, citation="none", force=Force.LAW, **{**given, **others})


def day(text: str) -> int:
    return second_of(datetime.fromisoformat(text).replace(tzinfo=CHINA))


def pack(*every: Rule) -> Pack:
    return Pack("XX", "1", every)


def test_all_failing_rules_are_told_standing_first_frequency_last() -> None:
    one = attempt(
        on_tuesday("23:00"),
        by="AG1",
        flags={"plan_active": Span()},
        attributes={"contract_valid": False, "recording": False},
    )
    assert rules(judge(one, SEVENTH)) == ["CN-S1", "CN-A1", "CN-R1", "CN-W1", "CN-W2", "CN-F3"]


def test_rules_are_told_in_that_order_however_the_pack_has_them() -> None:
    backwards = Pack("CN", "1", CN.rules[::-1])
    one = attempt(on_tuesday("23:00"), flags={"plan_active": Span()}, attributes={"recording": False})
    assert rules(judge(one, SEVENTH, backwards)) == ["CN-S1", "CN-R1", "CN-W2", "CN-W1", "CN-F3"]


def test_a_cap_tells_what_it_counted_whether_it_passes_or_not() -> None:
    read = {finding.rule: dict(finding.read) for finding in judge(attempt(), SEVENTH).evaluated}
    assert read["CN-F3"] == {"count": 6, "limit": 6, "days": 1}
    assert read["CN-F1"] == {"count": 0, "limit": 3, "days": 1}


# -- overrides ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("override", "allowed"),
    [
        pytest.param(
            Override("CN-F3", RIGHT, "u1", REASON), True, id="by the right that the rule names, with a reason"
        ),
        pytest.param(Override("CN-F3", "another-right", "u1", REASON), False, id="by another right"),
        pytest.param(Override("CN-F3", RIGHT, "u1", " "), False, id="without a reason"),
        pytest.param(Override("CN-F3", RIGHT, "", REASON), False, id="by nobody"),
        pytest.param(Override("CN-F1", RIGHT, "u1", REASON), False, id="of another rule"),
        pytest.param(Override("CN-F3", "", "u1", REASON), False, id="by no right"),
    ],
)
def test_an_advisory_rule_may_be_waived(override: Override, *, allowed: bool) -> None:
    verdict = evaluate(attempt(), SEVENTH, CN, [override])
    assert verdict.allowed is allowed
    assert [finding.rule for finding in verdict.overridden] == (["CN-F3"] if allowed else [])


@pytest.mark.parametrize("right", [RIGHT, ""])
def test_a_hard_rule_cannot_be_waived(right: str) -> None:
    verdict = evaluate(attempt(on_tuesday("23:00")), (), CN, [Override("CN-W1", right, "u1", REASON)])
    assert rules(verdict) == ["CN-W1", "CN-W2"]


def test_what_is_waived_does_not_delay_the_rest() -> None:
    one = attempt(attributes={"agreed": ((72_000, 75_600),)})
    given = [Override("CN-F3", RIGHT, "u1", REASON)]
    assert evaluate(one, SEVENTH, CN).next_allowed == on_tuesday("20:00") + timedelta(days=1)
    verdict = evaluate(one, SEVENTH, CN, given)
    assert (rules(verdict), verdict.next_allowed) == (["CN-W1"], on_tuesday("20:00"))


# -- packs over packs --------------------------------------------------------------------------------------------------


def test_an_overlay_can_only_make_it_stricter() -> None:
    festival = replace(window("HOUSE-W1", 9, 20), hours=Week(daily(((32_400, 72_000),)).days, ()))
    both = CN.overlaid(pack(festival))
    spring = datetime(2027, 2, 6, 10, tzinfo=CHINA)
    holiday = attempt(spring, holidays=frozenset({spring.date()}), attributes={"last_evaluation": "2027-01-01"})
    assert judge(holiday).allowed
    assert rules(judge(holiday, (), both)) == ["HOUSE-W1"]
    assert judge(holiday, (), both).next_allowed == datetime(2027, 2, 7, 9, tzinfo=CHINA)
    assert rules(judge(attempt(on_tuesday("23:00")), (), both)) == ["CN-W1", "CN-W2", "HOUSE-W1"]


def test_windows_that_never_meet_never_allow() -> None:
    never = pack(window("XX-W1", 8, 12), window("XX-W2", 12, 20))
    assert judge(attempt(), (), never).next_allowed is None


def test_zones_whose_open_hours_never_meet_never_allow() -> None:
    mornings = window(opens=8, closes=12, zones=(zone_named("America/New_York"), zone_named("Asia/Shanghai")))
    assert judge(attempt(), (), pack(mornings)).next_allowed is None


def test_two_packs_with_a_rule_of_one_name_do_not_lie_over_each_other() -> None:
    with pytest.raises(ValueError, match="rule CN-A1 occurs more than once"):
        CN.overlaid(pack(*[rule for rule in CN.rules if rule.id == "CN-A1"]))


def test_a_rule_that_is_switched_off_is_known_and_does_not_count() -> None:
    assert CN.only(["CN-A2"]).rules == ()
    with pytest.raises(UnknownRuleError, match="no rule CN-X8, CN-X9"):
        CN.only(["CN-W1", "CN-X9", "CN-X8"])


# -- dates -------------------------------------------------------------------------------------------------------------


def test_a_rule_counts_from_its_first_day() -> None:
    assert judge(attempt(datetime(2025, 2, 27, 23, 59, 59, tzinfo=CHINA)), (), CN.only(["CN-W1"])).allowed
    assert not judge(attempt(datetime(2025, 2, 28, tzinfo=CHINA)), (), CN.only(["CN-W1"])).allowed


def test_a_repeal_ends_a_denial_at_midnight() -> None:
    one, ban = attempt(), Ban(id="XX-T1", citation="none", force=Force.LAW, ends=day("2026-12-04"))
    verdict = judge(one, (), pack(ban))
    assert verdict.next_allowed == datetime(2026, 12, 4, tzinfo=CHINA)
    assert edges(verdict, one, (), pack(ban)) == (False, True)


def test_a_repeal_that_is_nearer_than_the_cure_wins() -> None:
    evening = window(opens=20, closes=21, ends=day("2026-12-01") + 13 * 3600)
    assert judge(attempt(), (), pack(evening)).next_allowed == on_tuesday("13:00")


def test_a_rule_that_comes_into_force_before_the_next_opening_is_asked_there() -> None:
    night = attempt(on_tuesday("23:00"))
    later = window("XX-W2", 10, 20, begins=day("2026-12-02"))
    assert judge(night, (), pack(window())).next_allowed == on_tuesday("08:00") + timedelta(days=1)
    verdict = judge(night, (), pack(window(), later))
    assert rules(verdict) == ["XX-W1"]
    assert verdict.next_allowed == on_tuesday("10:00") + timedelta(days=1)


def test_a_rule_that_comes_into_force_after_the_next_opening_does_not_delay_it() -> None:
    later = window("XX-W2", 10, 20, begins=day("2026-12-03"))
    assert judge(attempt(on_tuesday("23:00")), (), pack(window(), later)).next_allowed == datetime(
        2026, 12, 2, 8, tzinfo=CHINA
    )


def test_a_rule_that_comes_into_force_and_never_lets_go_makes_it_never() -> None:
    ban = Ban(id="XX-T1", citation="none", force=Force.LAW, begins=day("2026-12-02"))
    assert judge(attempt(on_tuesday("23:00")), (), pack(window(), ban)).next_allowed is None


@pytest.mark.parametrize(
    "standing",
    [
        pytest.param([window("XX-W1", 8, 12), window("XX-W2", 12, 20, ends=day("2031-12-04"))], id="that never meets"),
        pytest.param(
            [window("XX-W1", 8, 12), window("XX-W2", hours=daily(()), ends=day("2031-12-04"))], id="never open"
        ),
    ],
)
def test_a_far_repeal_of_hours_is_waited_for(standing: list[Rule]) -> None:
    assert judge(attempt(), (), pack(*standing)).next_allowed == datetime(2031, 12, 4, 8, tzinfo=CHINA)


def test_a_far_flag_is_waited_for() -> None:
    block = Block(id="XX-S1", citation="none", force=Force.LAW, flag="stay")
    ends = datetime(2031, 5, 1, 23, tzinfo=CHINA)
    one = attempt(flags={"stay": Span(until=ends)})
    assert judge(one, (), pack(block, window())).next_allowed == datetime(2031, 5, 2, 8, tzinfo=CHINA)


# -- instants ----------------------------------------------------------------------------------------------------------


def test_an_instant_without_an_offset_is_refused() -> None:
    naive = NOON.replace(tzinfo=None)
    for make in (lambda: attempt(naive), lambda: contact("", at=naive), lambda: Span(until=naive)):
        with pytest.raises(ValueError, match="needs a zone"):
            make()


@pytest.mark.parametrize("year", [1, 9999])
def test_an_instant_beyond_the_calendar_is_refused_since_no_rule_reaches_there(year: int) -> None:
    with pytest.raises(ValueError, match="beyond the calendar"):
        attempt(datetime(year, 6, 1, tzinfo=UTC))


def test_the_next_instant_is_told_in_the_zone_of_the_rule() -> None:
    following = judge(attempt(on_tuesday("23:00").astimezone(UTC))).next_allowed
    assert following is not None
    assert following.isoformat() == "2026-12-02T08:00:00+08:00"


def test_a_pack_that_speaks_of_other_channels_has_nothing_to_say() -> None:
    assert judge(attempt(on_tuesday("23:00"), channel=Channel.LETTER), (), CN.only(["CN-W1"])).evaluated == ()


def test_the_benchmark_asks_what_it_says() -> None:
    verdicts = [evaluate(one, history, CN) for one, history in verdicts_benchmark.cases(200, seed=7)]
    denied = [verdict for verdict in verdicts if not verdict.allowed]
    assert len(denied) == 20
    assert all(verdict.next_allowed for verdict in denied)
    assert {rule for verdict in denied for rule in rules(verdict)} == {"CN-W1", "CN-W2", "CN-F1"}
