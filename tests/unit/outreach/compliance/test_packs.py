"""The shipped packs are sound, and a file that contradicts itself is refused in one line that names its rule."""

import hashlib
import json
import re
from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml

from services.outreach.compliance import store
from services.outreach.compliance.domain.figures import Retention
from services.outreach.compliance.domain.words import Force
from services.outreach.compliance.store import BOOKS, PACKS, read_conduct, read_figures, read_pack, shipped
from services.outreach.plans.domain.window import Window, hours_of
from services.outreach.plans.store import read_windows
from shared.data_files import WrongDataError
from tests.unit.outreach.compliance.asking import attempt, judge

CN, CONDUCT, FIGURES = PACKS / "cn.yaml", BOOKS / "cn_conduct.yaml", BOOKS / "cn_figures.yaml"
HOURS = '    hours: { daily: [["08:00", "22:00"]] }\n    agreed: agreed'


def test_every_rule_of_china_has_its_words_its_source_and_its_force() -> None:
    rules = shipped()["CN"].rules
    assert len(rules) == 16
    for rule in rules:
        assert rule.citation
        assert re.search("[\u4e00-\u9fff]", rule.title["zh"])
        assert rule.title["en"].isascii()
    assert {rule.force for rule in rules} == set(Force)


def test_rules_that_differ_have_another_version() -> None:
    """Verdicts are kept with the version of their pack: whoever changes a rule raises it, and then this digest."""
    form = yaml.safe_load(CN.read_text("utf-8"))
    rules = json.dumps([form["zone"], form["switches"], form["rules"]], sort_keys=True, default=str)
    assert (form["version"], hashlib.sha256(rules.encode()).hexdigest()[:16]) == ("2", "3c4c1774edc02dea")


def test_only_what_is_advised_may_be_waived() -> None:
    waivable = [rule for rule in shipped()["CN"].rules if rule.override]
    assert [(rule.id, rule.force, rule.override) for rule in waivable] == [
        ("CN-F3", Force.SELF_DISCIPLINE, "exceed-advisory-limit")
    ]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(
            "effective: 2025-02-28",
            "effective: 2025-02-28\n    repealed: 2025-02-28",
            "CN-P2 is repealed before it is in force",
            id="dates",
        ),
        pytest.param(
            "- kind: window\n    id: CN-W2", "- kind: window\n    id: CN-W1", "CN-W1 occurs more than once", id="twice"
        ),
        pytest.param(
            HOURS, HOURS.replace("22:00", "08:00"), "CN-W1 has hours that end before they begin", id="no length"
        ),
        pytest.param(
            HOURS, HOURS.replace("22:00", "22:61"), "CN-W1 has 22:61 where a time of the day belongs", id="no time"
        ),
        pytest.param(
            HOURS, HOURS.replace('"]]', '"], ["21:00", "23:00"]]'), "CN-W1 has hours that overlap", id="overlap"
        ),
        pytest.param(HOURS, HOURS.replace('[["08:00", "22:00"]]', "[]"), "CN-W1 is open at no hour", id="never open"),
        pytest.param(
            HOURS,
            HOURS.replace("]] }", "]], sunday: [] }"),
            "CN-W1 needs either daily hours, or",
            id="two kinds of hours",
        ),
        pytest.param(
            HOURS, HOURS.replace("daily", "weekdays"), "CN-W1 needs either daily hours, or", id="no hours on Saturday"
        ),
        pytest.param(
            "    zone: Asia/Shanghai\n    hours",
            "    zone: Asia/Atlantis\n    hours",
            "CN-W1 has a zone Asia/Atlantis",
            id="zone of a rule",
        ),
        pytest.param(
            "zone: Asia/Shanghai\nswitches",
            "zone: Asia/Atlantis\nswitches",
            "CN has a zone Asia/Atlantis",
            id="zone of the pack",
        ),
        pytest.param(
            "modes: [interactive], when: combine_voice_caps",
            "modes: [interactive], when: combine",
            "CN-F1 hangs on a switch combine that",
            id="an unknown switch",
        ),
        pytest.param(
            "modes: [inform, unstated]",
            "modes: [inform, none]",
            "CN-F1 counts calls of a mode none",
            id="an unknown mode",
        ),
        pytest.param(
            "gated: [contact,",
            "gated: [debtor, contact,",
            "CN-P2 has debtor both as the debtor and gated",
            id="two ways to one party",
        ),
        pytest.param(
            "reached: [connected,",
            "reached: [failed, connected,",
            "CN-P1 has failed both unanswered and reached",
            id="two meanings of one outcome",
        ),
        pytest.param(
            "crew: { at_least: 2 }",
            "crew: { at_least: 2, within_days: 3 }",
            "CN-V1 needs of crew either at_least or within_days",
            id="two needs in one",
        ),
        pytest.param("needs: { given_by_debtor: true }", "needs: {}", "CN-I2 needs nothing", id="no need"),
        pytest.param(
            "    flag: plan_active",
            "    flag: plan_active\n    when: [{ attribute: product }]",
            "CN-S1 has a condition on product that",
            id="a condition that says nothing",
        ),
        pytest.param("limit: 6", "limit: 0", "Expected `int` >= 1", id="a limit of none"),
        pytest.param("channels: [visit]", "channels: [visits]", "Invalid enum value 'visits'", id="an unknown channel"),
        pytest.param("kind: cap", "kind: caps", "Invalid value 'caps'", id="an unknown kind"),
        pytest.param("flag: plan_active", "flags: plan_active", "Object ", id="a misspelt field"),
        pytest.param("force: law", "force: strong", "Invalid enum value 'strong'", id="an unknown force"),
        pytest.param("id: CN-S1", "id: s1", "Expected `str` matching regex", id="a name that is none"),
        pytest.param("pack: CN", "pack: [", "not YAML", id="no YAML"),
    ],
)
def test_a_pack_that_contradicts_itself_is_refused(tmp_path: Path, before: str, after: str, expected: str) -> None:
    text = CN.read_text("utf-8")
    assert before in text
    (tmp_path / "cn.yaml").write_text(text.replace(before, after, 1), "utf-8")
    with pytest.raises(WrongDataError) as refused:
        read_pack(tmp_path / "cn.yaml")
    assert str(refused.value).startswith(f"cn.yaml: {expected}")
    assert "\n" not in str(refused.value)


def test_a_rule_that_counts_nothing_as_the_switches_stand_is_refused(tmp_path: Path) -> None:
    lines = CN.read_text("utf-8").splitlines()
    kept = [line for line in lines if "modes: [inform, unstated]" not in line]
    (tmp_path / "cn.yaml").write_text("\n".join(kept), "utf-8")
    with pytest.raises(WrongDataError, match=r"^cn.yaml: CN-F1 counts nothing as the switches stand$"):
        read_pack(tmp_path / "cn.yaml", {"combine_voice_caps": False})


def test_a_switch_that_the_pack_does_not_have_cannot_be_set() -> None:
    with pytest.raises(WrongDataError, match=r"^cn.yaml: has no switch combine_caps$"):
        read_pack(CN, {"combine_caps": True})


def test_a_rule_that_is_switched_off_is_still_checked(tmp_path: Path) -> None:
    text = CN.read_text("utf-8").replace("days: 7", "days: 0", 1)
    (tmp_path / "cn.yaml").write_text(text, "utf-8")
    with pytest.raises(WrongDataError, match=">= 1"):
        read_pack(tmp_path / "cn.yaml")


def test_the_prohibited_conduct_is_complete_in_both_languages() -> None:
    conduct = read_conduct()
    assert [each.id for each in conduct] == [f"CN-X{number}" for number in range(1, 12)]
    for each in conduct:
        assert each.citation
        assert each.looks_for["zh"]
        assert each.looks_for["en"]
        assert set(each.title) == {"en", "zh"}


@pytest.mark.parametrize(
    ("file", "read", "double"),
    [(CONDUCT, read_conduct, ("CN-X2", "CN-X1")), (FIGURES, read_figures, ("CN-CFC", "CN-GBT"))],
)
def test_an_entry_that_occurs_twice_is_refused(
    tmp_path: Path, file: Path, read: object, double: tuple[str, str]
) -> None:
    copy = tmp_path / file.name
    copy.write_text(file.read_text("utf-8").replace(*double, 1), "utf-8")
    assert callable(read)
    with pytest.raises(WrongDataError, match=f"^{file.name}: {double[1]} occurs more than once$"):
        read(copy)


@pytest.mark.parametrize(("months", "allowed"), [(0, False), (1, True), (60, True), (61, False)])
def test_an_instalment_agreement_runs_five_years_at_most(months: int, *, allowed: bool) -> None:
    assert read_figures().plan_months_ok(months) is allowed


@pytest.mark.parametrize(
    ("begins", "until"),
    [
        (date(2026, 12, 1), date(2028, 12, 1)),
        (date(2024, 2, 29), date(2026, 3, 1)),
        (date(2026, 2, 28), date(2028, 2, 28)),
    ],
)
def test_a_record_is_kept_for_whole_years(begins: date, until: date) -> None:
    assert Retention("XX", 2, "record", "none").until(begins) == until


def test_every_shipped_pack_is_found_by_its_name() -> None:
    assert {name: pack.name for name, pack in shipped().items()} == {"CN": "CN"}
    assert len(list(store.PACKS.glob("*.yaml"))) == len(shipped())


@pytest.mark.parametrize(
    "window", [pytest.param(each, id=name) for name, each in read_windows().items() if name in shipped()]
)
def test_plans_use_hours_that_the_rules_allow(window: Window) -> None:
    opens, seconds = hours_of(window, date(2026, 12, 1))
    hours = shipped()["CN"].only(["CN-W1", "CN-W2"])
    for at in (opens, opens + timedelta(seconds=seconds - 1)):
        assert judge(attempt(at), (), hours).allowed
