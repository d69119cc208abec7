"""The import contracts of pyproject.toml hold, and each is seen to break when a copy of the tree violates it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYERS = "service -> api -> handlers -> store -> domain"
INDEPENDENCE = "services never import each other"
PURE_DOMAIN = "a domain imports the standard library only"
SHARED_BELOW = "shared never imports services"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("services", "shared"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint(tree: Path) -> tuple[int, dict[str, str], str]:
    """The exit code, each contract's verdict, and all that was said."""
    program = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([program, "--no-cache"], cwd=tree, capture_output=True, text=True, check=False)
    said = re.sub(r"\x1b\[[0-9;]*m", "", result.stdout + result.stderr)
    return result.returncode, dict(re.findall(r"^(.+) (KEPT|BROKEN)\b", said, re.MULTILINE)), said


def plant(tree: Path, module: str, line: str) -> None:
    file = tree / f"{module.replace('.', '/')}.py"
    if not file.exists():
        file = tree / module.replace(".", "/") / "planted.py"
    file.write_text((file.read_text() if file.exists() else "") + f"\n{line}\n")


def test_the_tree_keeps_every_contract(tree: Path) -> None:
    code, verdicts, said = lint(tree)
    assert verdicts == dict.fromkeys([LAYERS, INDEPENDENCE, PURE_DOMAIN, SHARED_BELOW], "KEPT"), said
    assert code == 0


VIOLATIONS = [
    ("a domain imports its store", "services.segmentation.domain", "import services.segmentation.store", LAYERS),
    ("a store imports its handlers", "services.segmentation.store", "import services.segmentation.handlers", LAYERS),
    ("handlers import their api", "services.segmentation.handlers", "import services.segmentation.api", LAYERS),
    ("an api imports its service", "services.segmentation.api", "import services.segmentation.service", LAYERS),
    ("a subject's domain imports its store", "services.intake.cases.domain", "import services.intake.cases.store", LAYERS),
    ("a subject's domain imports handlers", "services.outreach.field.domain", "import services.outreach.field.handlers", LAYERS),
    ("a subject's store imports its handlers", "services.outreach.plans.store", "import services.outreach.plans.handlers", LAYERS),
    ("a subject's store imports handlers", "services.intake.ingress.store", "import services.intake.ingress.handlers", LAYERS),
    ("a service imports another", "services.legal.service", "import services.intake.domain", INDEPENDENCE),
    ("a domain imports shared", "services.legal.domain", "import shared.clock", PURE_DOMAIN),
    ("a domain imports a library", "services.legal.domain", "import msgspec", PURE_DOMAIN),
    ("shared imports a service", "shared.clock", "import services.intake.domain", SHARED_BELOW),
]


@pytest.mark.parametrize(("module", "line", "contract"), [v[1:] for v in VIOLATIONS], ids=[v[0] for v in VIOLATIONS])
def test_a_planted_violation_breaks_its_contract(tree: Path, module: str, line: str, contract: str) -> None:
    plant(tree, module, line)
    code, verdicts, said = lint(tree)
    assert verdicts.get(contract) == "BROKEN", said
    assert code == 1
