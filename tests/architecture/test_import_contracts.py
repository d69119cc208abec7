"""The import contracts of pyproject.toml hold, and each is seen to break when a copy of the tree violates it."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYERS = "service -> api -> handlers -> store -> domain"
INDEPENDENCE = "services never import each other"
PURE_DOMAIN = "a domain imports the standard library only, and how frozen rows are copied"
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


def test_every_folder_with_a_domain_is_a_container_of_layers() -> None:
    domains = {*(ROOT / "services").rglob("domain"), *(ROOT / "services").rglob("domain.py")}
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [containers] = [contract["containers"] for contract in contracts if contract["name"] == LAYERS]
    assert {".".join(path.parent.relative_to(ROOT).parts) for path in domains} <= set(containers)


VIOLATIONS = [
    ("a domain imports its store", "services.segmentation.domain", "import services.segmentation.store", LAYERS),
    ("a store imports its handlers", "services.segmentation.store", "import services.segmentation.handlers", LAYERS),
    ("handlers import their api", "services.segmentation.handlers", "import services.segmentation.api", LAYERS),
    ("an api imports its service", "services.segmentation.api", "import services.segmentation.service", LAYERS),
    ("a service imports another", "services.legal.service", "import services.intake.domain", INDEPENDENCE),
    ("a domain imports shared", "services.legal.domain", "import shared.clock", PURE_DOMAIN),
    ("a domain imports a library", "services.legal.domain", "import msgspec", PURE_DOMAIN),
    ("shared imports a service", "shared.clock", "import services.intake.domain", SHARED_BELOW),
    (
        "the domain of cases imports their store",
        "services.intake.cases.domain",
        "import services.intake.cases.store",
        LAYERS,
    ),
    (
        "the store of ingress imports its handlers",
        "services.intake.ingress.store",
        "import services.intake.ingress.handlers",
        LAYERS,
    ),
    (
        "the store of plans imports their handlers",
        "services.outreach.plans.store",
        "import services.outreach.plans.handlers",
        LAYERS,
    ),
    (
        "the domain of field work imports its handlers",
        "services.outreach.field.domain",
        "import services.outreach.field.handlers",
        LAYERS,
    ),
    ("the domain of field work imports shared", "services.outreach.field.domain", "import shared.clock", PURE_DOMAIN),
    (
        "the domain of compliance imports its store",
        "services.outreach.compliance.domain",
        "import services.outreach.compliance.store",
        LAYERS,
    ),
    ("the domain of compliance imports a library", "services.outreach.compliance.domain", "import yaml", PURE_DOMAIN),
    (
        "the domain of templates imports their store",
        "services.outreach.templates.domain",
        "import services.outreach.templates.store",
        LAYERS,
    ),
    ("the domain of templates imports a library", "services.outreach.templates.domain", "import fpdf", PURE_DOMAIN),
    ("the domain of cases imports a library", "services.intake.cases.domain", "import msgspec", PURE_DOMAIN),
]


@pytest.mark.parametrize(("module", "line", "contract"), [v[1:] for v in VIOLATIONS], ids=[v[0] for v in VIOLATIONS])
def test_a_planted_violation_breaks_its_contract(tree: Path, module: str, line: str, contract: str) -> None:
    plant(tree, module, line)
    code, verdicts, said = lint(tree)
    assert verdicts.get(contract) == "BROKEN", said
    assert code == 1
