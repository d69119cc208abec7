"""The vectors of China give what is expected of them; where time cures a denial, to the second."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.outreach.compliance.domain.evaluating import evaluate
from services.outreach.compliance.store import PACKS
from services.outreach.compliance.vectors import FUNCTIONS, call, read_vector
from tests.unit.outreach.compliance.naive import Naive

KEPT = Path(__file__).with_name("china.jsonl")
OURS = Path(__file__).with_name("third_persons.jsonl")
DESIGN = next(
    (found for folder in KEPT.parents[5:] if (found := folder / "shared/design/compliance.md").exists()), None
)


def vectors(text: str) -> list[dict[str, Any]]:
    """The vectors of China in a text: those that name its rules, and the functions that are answered here."""
    lines = [json.loads(line) for line in text.splitlines() if line.startswith('{"')]
    asked = [line for line in lines if line.get("id", "").startswith("V-CN-") or line.get("fn") in FUNCTIONS]
    return [line for line in asked if not str(line.get("in", {}).get("rule", "CN")).startswith("US-")]


def named(vector: dict[str, Any]) -> str:
    return str(vector.get("id") or f"{vector['fn']} {vector['in']}")


def check(vector: dict[str, Any]) -> None:
    """The verdict and the next instant; a second earlier it is denied, and then it is not."""
    if "fn" in vector:
        assert call(vector) == vector["exp"]
        return
    asked = read_vector(vector)
    verdict = evaluate(asked.attempt, asked.history, asked.pack)
    expected = datetime.fromisoformat(vector["next"]) if vector.get("next") else None
    assert (verdict.allowed, verdict.next_allowed) == (vector["exp"] == "allow", expected)
    if expected is not None:
        just_before, then = (replace(asked.attempt, at=at) for at in (expected - timedelta(seconds=1), expected))
        assert not evaluate(just_before, asked.history, asked.pack).allowed
        assert evaluate(then, asked.history, asked.pack).allowed


@pytest.mark.parametrize("vector", vectors(KEPT.read_text("utf-8")), ids=named)
def test_a_vector_of_china_passes(vector: dict[str, Any]) -> None:
    check(vector)


@pytest.mark.parametrize("vector", vectors(OURS.read_text("utf-8")), ids=named)
def test_a_vector_about_third_persons_passes(vector: dict[str, Any]) -> None:
    check(vector)
    allowed = not Naive(PACKS / "cn.yaml").judge(vector)[0]
    assert allowed == (vector["exp"] == "allow"), "nor does the second evaluator say otherwise"


def test_all_vectors_of_the_design_pass() -> None:
    if DESIGN is None:
        pytest.skip("the design documents are not here")
    text = DESIGN.read_text("utf-8")
    found = vectors(text)
    china = text[text.index("\n## 1. China") : text.index("\n## 2. ")]
    every = [json.loads(line) for line in china.splitlines() if line.startswith('{"')]
    assert {named(vector) for vector in found} >= {named(vector) for vector in every}, "none is left out"
    assert {named(vector) for vector in found} >= {named(vector) for vector in vectors(KEPT.read_text("utf-8"))}
    for vector in found:
        check(vector)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"exp": "allow", "next": None}, id="another verdict"),
        pytest.param({"next": "2026-12-01T08:00:01+08:00"}, id="a second later"),
        pytest.param({"next": None}, id="never"),
    ],
)
def test_a_wrong_vector_is_seen(wrong: dict[str, Any]) -> None:
    first = vectors(KEPT.read_text("utf-8"))[0]
    with pytest.raises(AssertionError):
        check({**first, **wrong})
