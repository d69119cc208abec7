"""The summary of a run, for people and as JSON: what analytics counted, and how often a red line was crossed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncpg

from services.analytics import store
from services.outreach.contacts.red_line_queries import exposed, red_lines
from services.outreach.plans.store import read_windows
from shared.settings import SANDBOX

Summary = dict[str, Any]


async def read(url: str) -> Summary:
    """Ask analytics."""
    connection = await asyncpg.connect(url)
    try:
        return await store.summary(connection)
    finally:
        await connection.close()


async def red_lines_of(urls: Mapping[str, str]) -> dict[str, int]:
    """How often a red line was crossed, from the ledger and the gateway's own log."""
    zones = {code: window.zone for code, window in read_windows().items()}
    return await red_lines(urls["outreach"], urls[SANDBOX], zones)


async def exposure_of(urls: Mapping[str, str]) -> dict[str, int]:
    """Who was contacted after a payment had come in and before outreach knew: no red line, and never counted as one."""
    found = await exposed(urls["outreach"])
    return {"contacts": found.contacts, "longest_ms": found.longest_ms}


def write(summary: Summary, path: Path) -> None:
    """Write it as JSON, the same bytes for the same figures."""
    path.write_text(json.dumps(summary, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def told(summary: Summary) -> str:
    """The summary as an indented list."""
    return "\n".join(_lines(summary, 0)) + "\n"


def _lines(content: Mapping[str, Any], depth: int) -> list[str]:
    lines: list[str] = []
    for name, value in content.items():
        label = f"{'  ' * depth}{name.replace('_', ' ')}"
        if isinstance(value, Mapping):
            lines.append(label)
            lines += _lines(value, depth + 1)
        elif isinstance(value, list):
            lines.append(label)
            lines += [f"{'  ' * (depth + 1)}{_flat(each)}" for each in value]
        else:
            lines.append(f"{label:<44}{value:>16,}" if isinstance(value, int) else f"{label:<44}{value:>16}")
    return lines


def _flat(value: object) -> str:
    if isinstance(value, Mapping):
        return "  ".join(f"{name} {each}" for name, each in value.items())
    return str(value)
