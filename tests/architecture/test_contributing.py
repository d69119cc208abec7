"""The contributor's guide: every command in it can be run, every place and name in it is there."""

import re
import shlex
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "contributing.md").read_text()
BLOCKS = re.findall(r"^```\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in block.splitlines()]
QUOTED = re.findall(r"`([^`\n]+)`", re.sub(r"^```\n.*?^```$", "", GUIDE, flags=re.MULTILINE | re.DOTALL))
PLACES = {each for each in QUOTED if re.fullmatch(r"[\w.-]+(/[\w.-]*)+", each)}
NAMES = {"ActorKind", "Fact", "Layout", "Moment", "NEEDS_A_FAULT", "Rejected", "Told", "TryLater", "FACTS"}
MAKEFILE = (ROOT / "Makefile").read_text()
RELATIVE = {"migrations/versions": "services/legal/migrations/versions"}


def made(command: str) -> tuple[str, set[str]]:
    """The target of a call of make, and the variables that it sets."""
    target, *settings = shlex.split(command)[1:]
    return target, {each.partition("=")[0] for each in settings}


@pytest.mark.parametrize("command", [each for each in COMMANDS if each.startswith("make ")])
def test_make_knows_each_target_and_heeds_each_variable(command: str) -> None:
    target, variables = made(command)
    asked = ["make", "--dry-run", "--assume-old", ".venv/installed", *shlex.split(command)[1:]]
    ended = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    recipe = re.search(rf"^{target}:.*\n((?:\t.*\n)*)", MAKEFILE, re.MULTILINE)
    assert recipe
    assert all(re.search(rf"\$\((or )?{name}\b|\(if \$\({name}\)", recipe[1]) for name in variables), recipe[1]


@pytest.mark.parametrize("command", [each for each in COMMANDS if not each.startswith("make ")])
def test_every_other_command_is_of_a_program_and_of_files_that_are_there(command: str) -> None:
    program, *arguments = shlex.split(command)
    assert program in {".venv/bin/pytest", ".venv/bin/python"}
    if program.endswith("python"):
        assert arguments[0] == "-m"
        assert find_spec(arguments[1])
    else:
        assert all((ROOT / each).is_file() for each in arguments if not each.startswith("-"))


@pytest.mark.parametrize("target", sorted({each.split()[1] for each in QUOTED if each.startswith("make ")}))
def test_every_target_that_is_named_exists(target: str) -> None:
    assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)


@pytest.mark.parametrize("place", sorted(PLACES))
def test_every_place_that_is_named_exists(place: str) -> None:
    assert (ROOT / RELATIVE.get(place, place)).exists()


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)\)", GUIDE))
def test_every_link_leads_somewhere(link: str) -> None:
    assert (ROOT / "docs" / link).exists()


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_name_is_one_of_the_code(name: str) -> None:
    assert f"`{name}`" in GUIDE
    sources = [*(ROOT / "shared").rglob("*.py"), ROOT / "tests/integration/live/test_up.py"]
    assert any(re.search(rf"^(class )?{name}\b", source.read_text(), re.MULTILINE) for source in sources)


def test_the_guide_has_commands_and_places() -> None:
    assert len(COMMANDS) > 12
    assert len(PLACES) > 20
