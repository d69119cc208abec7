"""The command says in one line what it cannot do, before it has done anything."""

from pathlib import Path

import pytest

from services.intake.connectors import commands
from services.intake.connectors.__main__ import main
from services.intake.connectors.iso20022.money import Collecting
from services.intake.connectors.iso20022.postings import Postings
from services.intake.connectors.sending import Refused


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BROKER_URL", "kafka://127.0.0.1:1")
    (tmp_path / "rows.csv").write_text("loan_id\n")
    (tmp_path / "schemas").mkdir()


BRIDGE = "--from t --lender b --position p"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("", "the following arguments are required: csv|iso20022|mambu|bridge"),
        ("excel", "invalid choice: 'excel'"),
        ("csv rows.csv --lender b", "the following arguments are required: --report"),
        ("csv none.csv --lender b --report r.csv", "there is no file 'none.csv'"),
        ("csv rows.csv --lender * --report r.csv", "'*' is no identifier"),
        ("csv rows.csv --lender b --report none/r.csv", "'none/r.csv' cannot be written"),
        ("csv rows.csv --lender b --report r.csv --zone Mars/Base", "'Mars/Base' is no time zone"),
        ("csv rows.csv --lender b --report r.csv --encoding latin1", "invalid choice: 'latin1'"),
        ("iso20022 rows.csv --lender b --payments p --loan (", "'(' is no regular expression"),
        ("bridge fineract --from a/b --lender b --position p --schemas schemas", "'a/b' is no name of a topic"),
        (f"bridge fineract {BRIDGE} --schemas none", "there is no folder 'none'"),
        (f"bridge fineract {BRIDGE}", "the following arguments are required: --schemas"),
        (f"bridge tables {BRIDGE} --map none", "there is no file 'none'"),
    ],
)
def test_wrong_arguments_are_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], arguments: str, told: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments.split())
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (f"bridge fineract {BRIDGE} --schemas schemas", "schemas: holds no Avro schemas (*.avsc)"),
        (f"bridge tables {BRIDGE} --map rows.csv", "rows.csv: Expected `object`, got `str`"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], arguments: str, told: str
) -> None:
    assert main(arguments.split()) == 2
    assert capsys.readouterr().err == f"{told}\n"


@pytest.mark.parametrize("url", ["", "embedded:", "127.0.0.1:9092"])
def test_without_a_kafka_it_says_how_to_name_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("BROKER_URL", url)
    assert main(["csv", "rows.csv", "--lender", "b", "--report", "r.csv"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("BROKER_URL: needs ")
    assert said.count("\n") == 1


def test_a_return_is_told_from_a_notice_by_what_stands_in_the_file() -> None:
    with Postings() as postings:
        read = [
            commands._read(f"<Document><{name}/></Document>".encode(), Collecting("bank"), postings)
            for name in ("PmtRtr", "BkToCstmrDbtCdtNtfctn", "Other")
        ]
    assert read == [[], [], [Refused("", "", "holds no BkToCstmrDbtCdtNtfctn")]]
