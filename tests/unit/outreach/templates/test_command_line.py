"""`python -m services.outreach.templates` lists findings, shows a text, and says by its exit code what was wrong."""

import shutil
from pathlib import Path

import pytest

from services.outreach.templates.__main__ import main
from services.outreach.templates.store import TEXTS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TEXTS, tmp_path / "texts"))


def test_check_lists_every_shipped_template_without_findings(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == len(list(TEXTS.glob("*.yaml")))
    assert said[0] == "advice_call v1 phone zh-CN, en: no findings"


def test_check_tells_every_finding_with_rule_place_words_and_source(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "legal_notice.v1.yaml"
    text = (
        file.read_text("utf-8")
        .replace("不是司法文书", "否则我们将报警")
        .replace("Please pay by the usual way only.", "Or else.")
    )
    file.write_text(text, "utf-8")
    assert main(["--folder", str(folder), "check"]) == 1
    said = capsys.readouterr().out
    assert "legal_notice v1 letter zh-CN, en: 2 findings\n" in said
    assert "报警 (CBA collection guideline 2026; Criminal Law Art. 279)\n" in said
    assert "  en CN-X1 at " in said
    assert ": Or else (" in said


@pytest.mark.parametrize(
    ("arguments", "words"), [([], "示例银行股份有限公司"), (["--language", "en"], "Example Bank Ltd")]
)
def test_show_prints_one_with_made_up_fields(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", "consequences_letter", *arguments]) == 0
    said = capsys.readouterr().out
    assert said.startswith("consequences_letter v1 ")
    assert words in said
    assert "{" not in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "no_such"], "there is no template no_such"),
        (["show", "legal_notice", "--language", "fr"], "invalid choice"),
        (["show"], "required: ID"),
        ([], "required"),
        (["delete"], "invalid choice"),
        (["--folder", "/nowhere", "check"], "/nowhere is no folder"),
    ],
)
def test_a_bad_argument_ends_with_2_and_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = main(arguments)
    except SystemExit as ended:
        code = int(ended.code or 0)
    assert code == 2
    errors = capsys.readouterr().err
    assert said in errors
    assert errors.count("\n") == 1


def test_a_file_that_is_wrong_ends_with_2_and_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "remind_call.v1.yaml").write_text("id: [", "utf-8")
    assert main(["--folder", str(folder), "check"]) == 2
    assert capsys.readouterr().err.startswith("remind_call.v1.yaml: not YAML")
