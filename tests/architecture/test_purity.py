"""Domains import the standard library and `shared.frozen` only.

Neither they nor handlers can reach a clock, chance or the world.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORLD = {
    "aiokafka", "aiosmtplib", "asyncio", "asyncpg", "httpx", "logging", "multiprocessing", "os", "random", "requests",
    "secrets", "socket", "sqlalchemy", "structlog", "subprocess", "tempfile", "threading", "time", "urllib", "uuid",
}  # fmt: skip
COPYING = "shared.frozen"
"""How frozen rows are copied: pure, and of the standard library alone (ADR 58)."""

CLOCKS = {"now", "today", "utcnow"}


def sources(layer: str) -> list[Path]:
    services = ROOT / "services"
    return sorted({*services.glob(f"*/**/{layer}.py"), *services.glob(f"*/**/{layer}/**/*.py")})


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def impure(source: str) -> list[str]:
    """What of the world a source can reach."""
    tree = ast.parse(source)
    found = [name for name in imports(tree) if name.partition(".")[0] in WORLD]
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return found + [
        f"{ast.unparse(call)}()" for call in calls if isinstance(call, ast.Attribute) and call.attr in CLOCKS
    ]


def foreign(source: str) -> list[str]:
    """What a domain imports that neither the standard library nor the domain itself holds."""
    names = imports(ast.parse(source))
    return [
        name
        for name in names
        if name != COPYING
        and name.partition(".")[0] not in sys.stdlib_module_names
        and not (name.startswith("services.") and "domain" in name.split(".")[2:])
    ]


def test_every_service_has_a_domain_and_handlers_to_look_at() -> None:
    assert len({path.parts[len(ROOT.parts) + 1] for path in sources("domain")}) == 5
    assert len({path.parts[len(ROOT.parts) + 1] for path in sources("handlers")}) == 5


@pytest.mark.parametrize("path", sources("domain"), ids=named)
def test_a_domain_imports_the_standard_library_only(path: Path) -> None:
    assert foreign(path.read_text()) == []


@pytest.mark.parametrize("path", sources("domain") + sources("handlers"), ids=named)
def test_rules_and_handlers_cannot_reach_the_world(path: Path) -> None:
    assert impure(path.read_text()) == []


@pytest.mark.parametrize(
    ("source", "finding"),
    [
        ("import random", "random"),
        ("from uuid import uuid4", "uuid"),
        ("from datetime import datetime\nd = datetime.now()", "datetime.now()"),
        ("import datetime as d\nd.date.today()", "d.date.today()"),
    ],
)
def test_the_check_of_the_world_bites(source: str, finding: str) -> None:
    assert impure(source) == [finding]


@pytest.mark.parametrize("source", ["import msgspec", "from shared.service import Rejected", "import services.x.store"])
def test_the_check_of_domains_bites(source: str) -> None:
    assert len(foreign(source)) == 1
