"""The README in both languages: the same commands, the same links, and nothing that is not there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENGLISH, CHINESE = "README.md", "README.zh-CN.md"
ROW = re.compile(r"^\| (`.+?`) \|", re.MULTILINE)
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")
TARGET = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)
CALLED = re.compile(r"`make ([a-z-]+)")


def text(name: str) -> str:
    return (ROOT / name).read_text()


def linked(name: str) -> set[str]:
    """What is linked to, without the links to each other."""
    return set(LINK.findall(text(name))) - {ENGLISH, CHINESE}


def test_both_have_the_same_commands_in_the_same_order() -> None:
    assert ROW.findall(text(CHINESE)) == ROW.findall(text(ENGLISH))
    assert len(ROW.findall(text(ENGLISH))) > 15


def test_both_link_to_the_same_places() -> None:
    assert linked(CHINESE) == linked(ENGLISH)


@pytest.mark.parametrize("name", [ENGLISH, CHINESE])
def test_every_link_leads_somewhere(name: str) -> None:
    assert not [link for link in LINK.findall(text(name)) if not (ROOT / link).exists()]


@pytest.mark.parametrize("name", [ENGLISH, CHINESE])
def test_every_target_of_make_that_is_named_exists(name: str) -> None:
    assert set(CALLED.findall(text(name))) <= set(TARGET.findall(text("Makefile")))
