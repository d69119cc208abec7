"""The alerts: tried by promtool, named after metrics that exist, and each with its page for whoever is woken."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client import Histogram

from services.installed import declared
from shared.observability import metrics
from shared.settings import Settings
from tests.unit.deploy.composing import ROOT
from tests.unit.deploy.rules import (
    PROMETHEUS,
    RULE_FILES,
    RULE_TESTS,
    alerts,
    metrics_named,
    panels,
    queries,
    recorded,
)

RUNBOOK = ROOT / "docs" / "on-call.md"
RED_LINES = {"contacts_without_permit", "contacts_after_payment", "quiet_hours_violations", "duplicate_contacts"}
"""Red lines, whose metrics may be declared later than their alerts."""

OF_PROMETHEUS = {"up"}


def promtool(*arguments: str | Path) -> str:
    if shutil.which("promtool") is None:
        pytest.skip("there is no promtool on the PATH")
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def shown() -> set[str]:
    """The series that our metrics make."""
    names: set[str] = set()
    for one in metrics.ALL:
        names.add(one.name)
        if isinstance(one.metric, Histogram):
            names |= {f"{one.name}_{part}" for part in ("bucket", "count", "sum")}
    return names


def test_configuration_and_rules_are_well_formed() -> None:
    said = promtool("check", "config", PROMETHEUS / "prometheus.yml")
    assert f"{len(RULE_FILES)} rule files found" in said


@pytest.mark.parametrize("file", RULE_TESTS, ids=lambda file: file.stem)
def test_each_alert_speaks_when_it_must_and_only_then(file: Path) -> None:
    assert "SUCCESS" in promtool("test", "rules", file)


def test_an_actor_that_is_alone_wakes_nobody_for_not_being_32() -> None:
    [expression] = [str(alert["expr"]) for alert in alerts() if alert["alert"] == "ShardsUnowned"]
    [exempt] = re.findall(r'kind!~"([^"]+)"', expression)
    kinds = [kind for service in declared(Settings.demo({})) for kind in service.actors]
    assert set(exempt.split("|")) == {kind.name for kind in kinds if kind.is_alone or kind.is_edge}


def test_every_rule_file_is_tried() -> None:
    assert [file.name for file in RULE_TESTS] == [file.name for file in RULE_FILES]


@pytest.mark.parametrize("name", [rule["alert"] for rule in alerts()])
def test_every_alert_is_seen_to_speak(name: str) -> None:
    tests = [test for file in RULE_TESTS for test in yaml.safe_load(file.read_text())["tests"]]
    tried = [each for test in tests for each in test["alert_rule_test"] if each["alertname"] == name]
    assert any(each["exp_alerts"] for each in tried)


def test_names_of_alerts_are_unique() -> None:
    names = [rule["alert"] for rule in alerts()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_an_alert_says_what_is_wrong_and_where_to_read_on(rule: dict[str, dict[str, str]]) -> None:
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["summary"]
    file, _, anchor = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^## (.+)$", (ROOT / file).read_text(), re.MULTILINE)
    assert rule["alert"] in headings
    assert anchor == str(rule["alert"]).lower()


def test_no_section_outlives_its_alert() -> None:
    headings = re.findall(r"^## ([A-Z][a-z]+(?:[A-Z][a-z]+)+)$", RUNBOOK.read_text(), re.MULTILINE)
    assert set(headings) == {rule["alert"] for rule in alerts()}


def test_a_red_line_pages_at_one_and_at_once() -> None:
    red = yaml.safe_load((PROMETHEUS / "rules" / "red-lines.yml").read_text())["groups"][0]["rules"]
    assert {rule["expr"] for rule in red} == {f"{name} > 0" for name in RED_LINES | {"lane_gaps_unrepaired"}}
    assert all(rule["labels"]["severity"] == "page" and "for" not in rule for rule in red)


@pytest.mark.parametrize("asker", queries())
def test_every_metric_that_is_asked_for_is_declared(asker: str) -> None:
    assert metrics_named(queries()[asker]) <= shown() | recorded() | OF_PROMETHEUS | RED_LINES


def test_names_are_found_in_a_query() -> None:
    query = 'sum by (kind) (rate(a_total{x="b_total"}[5m])) / on (kind) group_left (c) d:e:f > 0 unless vector(1) == up'
    assert metrics_named(query) == {"a_total", "d:e:f", "up"}


@pytest.mark.parametrize("name", [name for name, _ in panels()])
def test_a_panel_says_what_it_shows(name: str) -> None:
    panel = next(panel for each, panel in panels() if each == name)
    assert panel["type"] == "row" or panel["description"].endswith(".")
