"""The dashboards: what is committed is what the program writes, and Grafana is told where everything lies."""

import json
import subprocess
import sys
from pathlib import Path

import yaml

from tests.unit.deploy.composing import ROOT
from tests.unit.deploy.rules import DASHBOARDS, metrics_named, panels, queries
from tests.unit.deploy.test_compose_file import COMPOSED

GRAFANA = ROOT / "deploy" / "grafana"


def test_the_dashboards_are_those_that_the_program_writes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, GRAFANA / "make_dashboards.py", tmp_path], check=True)
    written = {file.name: file.read_text() for file in tmp_path.iterdir()}
    assert written == {file.name: file.read_text() for file in DASHBOARDS.iterdir()}


def test_every_panel_asks_the_one_source_something() -> None:
    source = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())["datasources"][0]
    for name, panel in panels():
        assert panel["targets"], name
        for target in panel["targets"]:
            assert target["datasource"] == {"type": source["type"], "uid": source["uid"]}
            assert target["legendFormat"]


def test_no_panel_hides_another() -> None:
    for file in DASHBOARDS.glob("*.json"):
        content = json.loads(file.read_text())
        places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in content["panels"]]
        assert len(set(places)) == len(places)
        assert len({panel["id"] for panel in content["panels"]}) == len(places)


def test_every_query_names_a_metric() -> None:
    assert not [name for name, query in queries().items() if not metrics_named(query) and "budget" not in name]


def test_grafana_finds_its_source_and_its_dashboards() -> None:
    source = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())["datasources"][0]
    host, _, port = source["url"].removeprefix("http://").partition(":")
    assert COMPOSED.services[host]["ports"] == [f"127.0.0.1:{port}:{port}"]
    provider = yaml.safe_load((GRAFANA / "provisioning/dashboards/fairdue.yml").read_text())["providers"][0]
    mounted = [volume.split(":")[1] for volume in COMPOSED.services["grafana"]["volumes"]]
    assert provider["options"]["path"] in mounted
