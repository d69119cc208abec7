"""Licences and vulnerabilities of what is locked, and the audit as a whole on made-up folders."""

import json
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from deploy.dependencies import advisories, licences
from deploy.dependencies.__main__ import ROOT, main
from deploy.dependencies.locks import Pin, read

RULES = {"allowed": {"MIT": "a reason", "BSD": "another", "X": " "}, "said": {"odd": {"words": "Dual", "means": "MIT"}}}
PINS = [Pin("alpha", "1.5"), Pin("beta", "2.0")]


@pytest.mark.parametrize(
    ("name", "said", "fine"),
    [
        ("alpha", "MIT", True),
        ("alpha", "GPL-3.0-only", False),
        ("alpha", "GPL-3.0-only OR MIT", True),
        ("alpha", "MIT AND GPL-3.0-only", False),
        ("alpha", "MIT AND BSD", True),
        ("alpha", "", False),
        ("alpha", "X", False),
        ("alpha", "Dual", False),
        ("odd", "Dual", True),
        ("odd", "Commercial", False),
    ],
)
def test_a_licence_is_allowed_with_a_reason_or_refused(name: str, said: str, fine: bool) -> None:  # noqa: FBT001
    assert (licences.problem(name, said, RULES) is None) is fine


def test_every_licence_of_the_list_has_its_reason_and_every_saying_is_of_a_locked_name() -> None:
    rules = licences.allowed()
    assert all(reason.strip() for reason in rules["allowed"].values())
    assert set(rules["said"]) <= {pin.name for pin in read(ROOT / "requirements.lock")[0]}


def record(name: str = "alpha", **affected: Any) -> dict[str, Any]:
    return {"id": "PYSEC-1", "affected": [{"package": {"ecosystem": "PyPI", "name": name}, **affected}]}


def between(**ends: str) -> dict[str, Any]:
    return {"ranges": [{"type": "ECOSYSTEM", "events": [{end: at} for end, at in ends.items()]}]}


@pytest.mark.parametrize(
    ("advisory", "found"),
    [
        (record(versions=["1.4", "1.5"]), True),
        (record(versions=["1.4"]), False),
        (record("AL.pha", versions=["1.4"], **between(introduced="0", fixed="1.6")), False),
        (record("ALPHA", **between(introduced="0", fixed="1.6")), True),
        (record(**between(introduced="0", fixed="1.5")), False),
        (record(**between(introduced="1.10")), False),
        (record(**between(introduced="1.5", last_affected="1.5")), True),
        (record(**between(introduced="1.0", last_affected="1.4")), False),
        (record("gamma", versions=["1.5"]), False),
        (
            {"id": "GHSA-1", "affected": [{"package": {"ecosystem": "npm", "name": "alpha"}, "versions": ["1.5"]}]},
            False,
        ),
        ({"id": "withdrawn"}, False),
    ],
)
def test_a_file_of_advisories_is_held_against_the_lock(tmp_path: Path, advisory: dict[str, Any], found: bool) -> None:  # noqa: FBT001
    file = tmp_path / "advisories.json"
    file.write_text(json.dumps([advisory]))
    looked = advisories.in_file(PINS, file)
    assert looked.found == ([f"alpha 1.5: {advisory['id']}"] if found else [])
    assert looked.where == f"1 advisories of {file}"


@pytest.mark.parametrize(
    ("output", "where", "found"),
    [
        ("", "", []),
        ("{}", "", []),
        ('{"dependencies": []}', "", []),
        ('{"dependencies": [{"name": "a", "skip_reason": "not found"}]}', "", []),
        ('{"dependencies": [{"name": "a", "version": "1", "vulns": []}]}', "pip-audit", []),
        ('{"dependencies": [{"name": "a", "version": "1", "vulns": [{"id": "V"}]}]}', "pip-audit", ["a 1: V"]),
    ],
)
def test_an_answer_that_leaves_something_out_is_none(output: str, where: str, found: list[str]) -> None:
    looked = advisories.answered(output)
    assert (looked.where, looked.found) == (where, found)
    assert bool(looked.why) is not bool(where)


# The whole


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copies of the locks, where no pip-audit is to be found."""
    monkeypatch.setenv("PATH", str(tmp_path))
    for file in ROOT.glob("requirements*.lock"):
        (tmp_path / file.name).write_text(file.read_text())
    return tmp_path


def test_our_own_locks_pass_and_it_is_said_that_nobody_was_asked(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main({}, folder) == 0
    assert re.search(r"advisories NOT looked up: pip-audit is not installed; 0 wrong$", capsys.readouterr().out.strip())


def test_where_advisories_are_required_not_to_ask_is_wrong(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main({"REQUIRE_ADVISORIES": "1"}, folder) == 1
    assert "advisories were not looked up" in capsys.readouterr().out


def test_a_known_vulnerability_of_what_runs_is_wrong(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = folder / "advisories.json"
    file.write_text(json.dumps([record("httpx", versions=[version("httpx")])]))
    asked = {"ADVISORIES": str(file), "REQUIRE_ADVISORIES": "1"}
    assert main(asked, folder) == 1
    assert "httpx" in capsys.readouterr().out
    file.write_text("[]")
    assert main(asked, folder) == 0
    file.write_text("no JSON")
    assert main(asked, folder) == 1


def test_without_the_lock_of_what_runs_nothing_passes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "requirements.lock").unlink()
    assert main({}, folder) == 1
    assert "requirements.lock is not there" in capsys.readouterr().out


def test_a_hash_that_is_gone_is_wrong(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock = folder / "requirements.lock"
    lock.write_text(lock.read_text() + "loose==1.0\n")
    assert main({}, folder) == 1
    assert "is not name==version" in capsys.readouterr().out
