"""The alerts and the queries that are deployed, read from their files."""

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from tests.unit.deploy.composing import ROOT

PROMETHEUS = ROOT / "deploy" / "prometheus"
DASHBOARDS = ROOT / "deploy" / "grafana" / "dashboards"
RULE_FILES = sorted((PROMETHEUS / "rules").glob("*.yml"))
RULE_TESTS = sorted((PROMETHEUS / "tests").glob("*.yml"))

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_SELECTOR = re.compile(r"\{[^}]*\}")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
_RANGE = re.compile(r"\[[^]]*\]")
_CALL = re.compile(r"\b[a-z_]+\s*\(")
_WORD = re.compile(r"\b[a-z][a-z0-9_:]*\b")
_WORDS_OF_THE_LANGUAGE = {"and", "or", "unless", "by", "on", "offset", "bool", "inf", "nan"}


def rules() -> list[dict[str, Any]]:
    """Every rule of every file."""
    read = [yaml.safe_load(file.read_text()) for file in RULE_FILES]
    return [rule for content in read for group in content["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    """The rules that wake somebody."""
    return [rule for rule in rules() if "alert" in rule]


def recorded() -> set[str]:
    """The names that rules make."""
    return {rule["record"] for rule in rules() if "record" in rule}


def panels() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every panel of every dashboard, with a name for it."""
    for file in sorted(DASHBOARDS.glob("*.json")):
        for panel in json.loads(file.read_text())["panels"]:
            yield f"{file.stem}: {panel['title']}", panel


def queries() -> dict[str, str]:
    """Every query that is deployed, by what asks it."""
    asked = {f"rule {rule.get('alert') or rule['record']} {n}": rule["expr"] for n, rule in enumerate(rules())}
    for name, panel in panels():
        asked |= {f"{name} {target['refId']}": target["expr"] for target in panel.get("targets", ())}
    return asked


def metrics_named(query: str) -> set[str]:
    """The series that a query names."""
    text = _STRING.sub("", query)
    for part in (_SELECTOR, _GROUPING, _RANGE):
        text = part.sub(" ", text)
    text = _CALL.sub(" ", text)
    return set(_WORD.findall(text)) - _WORDS_OF_THE_LANGUAGE
