"""Licences of what runs in production: each has to be allowed, with a reason, by `licences.toml`."""

import tomllib
from collections.abc import Mapping
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any, Final

LIST: Final = Path(__file__).with_name("licences.toml")


def allowed(file: Path = LIST) -> Mapping[str, Any]:
    """What is allowed."""
    return tomllib.loads(file.read_text())


def said_by(distribution: Distribution) -> str:
    """What a distribution says of its licence: an expression, or the first line of its words."""
    told = distribution.metadata
    words = next((told[name].strip() for name in ("License-Expression", "License") if name in told), "")
    return words.splitlines()[0].strip() if words else ""


def problem(name: str, said: str, rules: Mapping[str, Any]) -> str | None:
    """What is wrong with the licence of a distribution, if anything is."""
    if not said:
        return f"{name} says nothing of its licence"
    words = rules["said"].get(name)
    if words is not None and words["words"] != said:
        return f"{name} says {said!r} of its licence, and not {words['words']!r} any more"
    expression = words["means"] if words else said
    reasons = rules["allowed"]
    ways = [[one.strip() for one in way.split(" AND ")] for way in expression.split(" OR ")]
    if any(all(reasons.get(one, "").strip() for one in way) for way in ways):
        return None
    return f"{name} is under {expression!r}, which nothing in licences.toml allows with a reason"
