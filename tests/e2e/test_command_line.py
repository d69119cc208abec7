"""A wrong word on the command line, in the environment or in a file: exit code 2, and one line that names it."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.running import ROOT, environment

GOOD = "ID,MONTHS_BALANCE,STATUS\na,0,0\na,-1,C\n"


Said = Callable[..., str]


@pytest.fixture(scope="module")
def said() -> Iterator[Said]:
    """What a refused command says. One process has everything imported and forks for each, which saves seconds."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.forking"], cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as forking:
        assert forking.stdin is not None
        assert forking.stdout is not None
        asked, answers = forking.stdin, forking.stdout

        def say(data: Path, *arguments: str | Path, **variables: str) -> str:
            request = {"arguments": [*map(str, arguments)], "environment": environment(data, **variables)}
            asked.write(f"{json.dumps(request)}\n")
            asked.flush()
            return refusal(*json.loads(answers.readline()))

        yield say
        forking.stdin.close()


def said_by_a_program(data: Path, *arguments: str | Path, where: Path = ROOT) -> str:
    """The same, from a program of its own."""
    ended = subprocess.run(
        [sys.executable, "-m", "services", *map(str, arguments)],
        cwd=where, env=environment(data), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return refusal(ended.returncode, ended.stdout, ended.stderr)


def refusal(code: int, out: str, err: str) -> str:
    """The one line of a refusal, which is all that is said."""
    assert (code, out) == (2, ""), err
    (line,) = err.splitlines()
    assert line.startswith("fairdue: ")
    assert "Traceback" not in line
    return line.removeprefix("fairdue: ")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        pytest.param([], "command", id="no command"),
        pytest.param(["dmeo"], "dmeo", id="an unknown command"),
        pytest.param(["demo", "--lones", "5"], "--lones", id="an unknown option"),
        pytest.param(["demo", "--loans", "0"], "--loans: needs a whole number from 1 on, not '0'", id="no loans"),
        pytest.param(["demo", "--loans", "abc"], "--loans: needs a whole number from 1 on, not 'abc'", id="no number"),
        pytest.param(["demo", "--days", "-3"], "--days", id="days below zero"),
        pytest.param(["demo", "--seed", "x"], "--seed: invalid int value: 'x'", id="a seed that is no number"),
        pytest.param(["replay"], "--file", id="a replay of nothing"),
        pytest.param(
            ["replay", "--file", ""], "--file: there is no file ''", id="an empty file name, as make gives it"
        ),
        pytest.param(["replay", "--file", "no.zip"], "there is no file 'no.zip'", id="a file that is missing"),
        pytest.param(["replay", "--file", "."], "there is no file '.'", id="a folder for a file"),
        pytest.param(
            ["replay", "--file", "README.md", "--broker", "x"], "--broker: invalid choice: 'x'", id="a broker"
        ),
        pytest.param(["run", "intak"], "there is no service 'intak'", id="an unknown service"),
    ],
)
def test_a_wrong_word_is_named(said: Said, tmp_path: Path, arguments: list[str], word: str) -> None:
    assert word in said(tmp_path, *arguments)


def test_a_program_of_its_own_says_the_same(said: Said, tmp_path: Path) -> None:
    words = ("demo", "--loans", "none")
    assert said_by_a_program(tmp_path, *words) == said(tmp_path, *words)


def as_text(content: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        file = folder / "panel.csv"
        file.write_text(content)
        return file

    return write


def no_zip(folder: Path) -> Path:
    file = folder / "panel.zip"
    file.write_text(GOOD)
    return file


def truncated_zip(folder: Path) -> Path:
    file = folder / "panel.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("panel.csv", GOOD * 100)
    file.write_bytes(file.read_bytes()[:-40])
    return file


def broken_inside(folder: Path) -> Path:
    file = folder / "panel.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("panel.csv", os.urandom(5000).hex())
    content = bytearray(file.read_bytes())
    content[200:260] = bytes(60)
    file.write_bytes(content)
    return file


@pytest.mark.parametrize(
    ("made", "word"),
    [
        pytest.param(no_zip, "panel.zip: is not a whole .zip file", id="not a zip"),
        pytest.param(truncated_zip, "panel.zip: is not a whole .zip file", id="a truncated zip"),
        pytest.param(broken_inside, "panel.zip", id="a zip that is damaged inside"),
        pytest.param(as_text("ID,MONTHS,STATUS\n"), "line 1, column MONTHS_BALANCE: is missing", id="a wrong column"),
        pytest.param(as_text(GOOD + "b,0,7\n"), "line 4, column STATUS", id="a status that there is not"),
        pytest.param(as_text(GOOD + "b,1,0\n"), "line 4, column MONTHS_BALANCE", id="a month in the future"),
        pytest.param(as_text(GOOD + "a,0,1\n"), "another row for this month", id="a month that occurs twice"),
        pytest.param(as_text(""), "panel.csv", id="an empty file"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_place(
    said: Said, tmp_path: Path, made: Callable[[Path], Path], word: str
) -> None:
    assert word in said(tmp_path / "data", "replay", "--file", made(tmp_path))
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("variables", "word"),
    [
        pytest.param({"FAIRDUE_BATCH_SIZE": "0"}, "FAIRDUE_BATCH_SIZE: '0' is not", id="a number out of range"),
        pytest.param({"FAIRDUE_PORT_INTAKE": "http"}, "FAIRDUE_PORT_INTAKE: 'http'", id="a port that is no number"),
        pytest.param({"FAIRDUE_PERSONAL_DATA_KEY": "short"}, "FAIRDUE_PERSONAL_DATA_KEY", id="a key of a wrong length"),
        pytest.param({"FAIRDUE_DISPATCH": "maybe"}, "FAIRDUE_DISPATCH: 'maybe' is none of on, off", id="no choice"),
        pytest.param({"FAIRDUE_HOST": "0.0.0.0"}, "FAIRDUE_HOST", id="the demo's tokens for everybody"),
        pytest.param({"BROKER_URL": "kafka:9092"}, "BROKER_URL", id="an address that is none"),
        pytest.param({"FAIRDUE_LENDERS": "{"}, "FAIRDUE_LENDERS", id="JSON that is none"),
        pytest.param({"FAIRDUE_DATA": "/dev/null/x"}, "/dev/null/x", id="a data directory that cannot be made"),
    ],
)
def test_a_wrong_variable_is_named(said: Said, tmp_path: Path, variables: dict[str, str], word: str) -> None:
    assert word in said(tmp_path, "demo", "--loans", "1", "--days", "1", **variables)


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        pytest.param(["demo", "--loans", "1", "--days", "1"], "--summary", id="a summary"),
        pytest.param(["replay", "--file", "panel"], "--out", id="transitions"),
    ],
)
def test_a_place_that_cannot_be_written_to_is_named_before_anything_is_run(
    said: Said, tmp_path: Path, arguments: list[str], option: str
) -> None:
    panel = as_text(GOOD)(tmp_path)
    words = [str(panel) if word == "panel" else word for word in arguments]
    assert option in said(tmp_path / "data", *words, option, tmp_path / "nowhere" / "file")
    assert option in said(tmp_path / "data", *words, option, tmp_path)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("file", "old", "new", "word"),
    [
        pytest.param("intake/reporting_schemes.yaml", "first: 31", "first: 32", "reporting_schemes.yaml", id="a gap"),
        pytest.param("segmentation/stages.yaml", "from: 6,", "from: 5,", "stages.yaml", id="an overlap"),
        pytest.param("outreach/windows.yaml", "zone:", "zoen:", "windows.yaml", id="a misspelt field"),
        pytest.param("legal/screening.yaml", "years: 3", "years: no", "screening.yaml", id="a number that is none"),
    ],
)
def test_data_that_contradict_themselves_are_named_before_anything_is_made(
    tmp_path: Path, file: str, old: str, new: str, word: str
) -> None:
    for package in ("services", "shared"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    faulty = tmp_path / "services" / file
    assert old in faulty.read_text()
    faulty.write_text(faulty.read_text().replace(old, new, 1))
    assert word in said_by_a_program(tmp_path / "data", "demo", "--loans", "1", "--days", "1", where=tmp_path)
    assert not (tmp_path / "data").exists()
