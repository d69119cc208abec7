"""The image: pinned, small, and nobody's root. `make image-steps` carries its steps out."""

import re
from pathlib import Path

import pytest

from tests.unit.deploy.composing import ROOT
from tests.unit.deploy.dockerfile import FILE, IGNORED, Step, stages, steps

BUILD, LAST = stages()


def test_there_are_two_stages_on_one_exact_base() -> None:
    assert BUILD.base == LAST.base
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-[a-z]+", LAST.base)
    assert BUILD.name == "build"


def test_nothing_runs_as_root() -> None:
    assert [step.rest for step in LAST.of("USER")] == ["10001:10001"]
    assert LAST.steps.index(LAST.of("USER")[0]) > max(LAST.steps.index(step) for step in LAST.of("RUN"))


def test_what_is_installed_is_what_was_locked() -> None:
    (installing,) = [step.rest for step in BUILD.of("RUN") if "pip install" in step.rest]
    assert {"--require-hashes", "--only-binary :all:", "-r requirements.lock"} <= {
        option for option in ("--require-hashes", "--only-binary :all:", "-r requirements.lock") if option in installing
    }
    assert "pip uninstall" in installing
    assert not [step for step in LAST.of("RUN") if "pip" in step.rest]


def test_a_signal_reaches_the_product_itself() -> None:
    assert [step.form for step in LAST.of("ENTRYPOINT")] == [["python", "-m", "services"]]
    assert [step.form for step in LAST.of("CMD")] == [["--help"]]


@pytest.mark.parametrize("stage", [BUILD, LAST], ids=["build", "last"])
def test_nothing_is_fetched_by_hand_and_no_secret_is_baked_in(stage: object) -> None:
    text = FILE.read_text()
    assert not re.findall(r"^(ADD|ARG)\b", text, re.MULTILINE)
    assert not re.findall(r"curl|wget|https?://|apt-get", text)
    assert not re.findall(r"(?i)(password|token|secret|_key)=", text)


def test_only_what_runs_is_in_the_context() -> None:
    lines = [line for line in IGNORED.read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    let_in = {line.removeprefix("!") for line in lines if line.startswith("!")}
    copied = {word for step in BUILD.of("COPY") for word in step.words[:-1]}
    assert let_in == copied
    assert all((ROOT / name).exists() for name in copied)


def test_the_last_stage_takes_from_the_first_only() -> None:
    assert all(step.words[0] == "--from=build" for step in LAST.of("COPY"))


def test_lines_that_go_on_are_one_instruction(tmp_path: Path) -> None:
    assert steps("# a\nRUN one \\\n    && two\nUSER 1:1\n") == [Step("RUN", "one && two"), Step("USER", "1:1")]
