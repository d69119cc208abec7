"""`python -m services.outreach.compliance`: a line of output for each line of input, whatever the input is."""

import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from services.outreach.compliance import __main__ as program
from services.outreach.compliance.domain.verdict import Finding
from services.outreach.compliance.wording import reason, wording

ROOT = Path(__file__).parents[4]
CHINA = Path(__file__).with_name("china.jsonl")
GOOD = {"id": "good", "pack": ["CN-W1"], "at": "2026-12-01T22:00:00+08:00", "ch": "sms"}
ANSWER = {"id": "good", "verdict": "deny", "next": "2026-12-02T08:00:00+08:00", "rules": ["CN-W1"]}

STANDING = {"on_published_list": True, "contract_valid": True, "training_current": True}
AGENCY = {"by": "AG1", "pack": ["CN-A1"]}


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[Any]]:
    code = program.main(arguments)
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def file_of(folder: Path, *lines: dict[str, Any] | bytes) -> str:
    file = folder / "some.jsonl"
    file.write_bytes(b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines))
    return str(file)


def test_every_vector_of_china_is_answered(capsys: pytest.CaptureFixture[str]) -> None:
    code, answers = run(capsys, "check", str(CHINA))
    vectors = [json.loads(line) for line in CHINA.read_text("utf-8").splitlines()]
    asked = [vector for vector in vectors if "id" in vector]
    assert code == 0
    assert [(a["id"], a["verdict"], a["next"]) for a in answers if "verdict" in a] == [
        (vector["id"], vector["exp"], vector.get("next")) for vector in asked
    ]
    assert [answer["result"] for answer in answers if "result" in answer] == [
        vector["exp"] for vector in vectors if "fn" in vector
    ]


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        pytest.param({**GOOD, "pack": ["CN-W1", "XX-1"]}, "no rule XX-1", id="an unknown rule"),
        pytest.param({**GOOD, "pack": []}, "pack: names no rules", id="no rule"),
        pytest.param({**GOOD, "pack": [1]}, "pack: names no rules", id="a rule that is no name"),
        pytest.param({**GOOD, "pack": 7}, "pack: not a list", id="a pack that is no list"),
        pytest.param({**GOOD, "at": "2026-12-01T22:00:00"}, "at: not an instant with an offset", id="no offset"),
        pytest.param({**GOOD, "at": None}, "at: not an instant with an offset", id="no instant"),
        pytest.param(
            {**GOOD, "at": "9999-12-31T23:00:00Z"}, "at: not an instant with an offset", id="beyond the calendar"
        ),
        pytest.param({**GOOD, "ch": "fax"}, "ch: 'fax' is none of ", id="an unknown channel"),
        pytest.param({**GOOD, "to": "friend:F1"}, "to: 'friend' is none of ", id="an unknown party"),
        pytest.param({**GOOD, "mode": "shout"}, "mode: 'shout' is none of ", id="an unknown mode"),
        pytest.param({**GOOD, "tz": ["Asia/Atlantis"]}, "tz: not a zone", id="an unknown zone"),
        pytest.param({**GOOD, "holidays": ["Christmas"]}, "holidays: not a date", id="a holiday that is no date"),
        pytest.param({**GOOD, "num": 5}, "num: not text", id="a number that is no text"),
        pytest.param({**GOOD, "ctx": []}, "", id="an empty context"),
        pytest.param({**GOOD, "ctx": [1]}, "ctx: not an object", id="a context that is none"),
        pytest.param({**GOOD, "ctx": {"flags": 1}}, "flags: not an object", id="flags that are none"),
        pytest.param({**GOOD, "ctx": {"flags": {"x": 1}}}, "flags.x: not a span", id="a flag that is no span"),
        pytest.param({**GOOD, "ctx": {"flags": {"x": {"to": "now"}}}}, "to: not an instant", id="a flag's wrong end"),
        pytest.param({**GOOD, "ctx": {"agreed": [["19:00"]]}}, "agreed: not a range", id="half a range"),
        pytest.param({**GOOD, "ctx": {"agreed": [["19:00", "19:00"]]}}, "agreed: not a range", id="an empty range"),
        pytest.param({**GOOD, "hist": [{"t": "x"}]}, "hist[0].t: not an instant", id="a wrong entry"),
        pytest.param(
            {**GOOD, "hist": [{"t": GOOD["at"], "ch": "sms", "o": "read"}]},
            "hist[0].o: 'read' is none",
            id="an unknown outcome",
        ),
        pytest.param({**GOOD, "hist": ["x"]}, "hist[0]: not an object", id="an entry that is none"),
        pytest.param({"id": "good", "fn": "cn_weather"}, "no function cn_weather", id="an unknown function"),
        pytest.param(
            {"id": "good", "fn": "bucket", "in": {"j": "CN", "dpd": 30}},
            "no function bucket: no verdict on a contact; intake answers it",
            id="a function of another service",
        ),
        pytest.param(
            {"id": "good", "fn": "cn_five_tier", "in": {"dpd": -1}},
            "cn_five_tier: cannot be answered",
            id="a loan that is not due",
        ),
        pytest.param(
            {"id": "good", "fn": "cn_limitation", "in": {"last_due": "2023-06-15", "interruptions": [1], "on": "x"}},
            "cn_limitation: cannot be answered",
            id="an interruption that is no date",
        ),
        pytest.param(
            {"id": "good", "fn": "plan_months_ok", "in": {}},
            "plan_months_ok: cannot be answered",
            id="a function without its input",
        ),
        pytest.param(b'{"id": "good"', "not JSON", id="half an object"),
        pytest.param(b"\xff\xfe", "not JSON", id="no text"),
        pytest.param(b"[1]", "not an object", id="no object"),
        pytest.param(b"[" * 100_000, "not JSON", id="too deep"),
    ],
)
def test_a_line_that_cannot_be_answered_says_so_and_the_others_are(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, bad: dict[str, Any] | bytes, error: str
) -> None:
    code, answers = run(capsys, "check", file_of(tmp_path, GOOD, bad, b"", GOOD))
    assert (answers[0], answers[2], len(answers)) == (ANSWER, ANSWER, 3)
    assert answers[1].get("error", "").startswith(error)
    assert code == (1 if error else 0)
    assert answers[1]["id"] == (2 if isinstance(bad, bytes) else "good")


def test_a_vector_without_a_name_has_its_line_number(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    unnamed = {name: value for name, value in GOOD.items() if name != "id"}
    assert run(capsys, "check", file_of(tmp_path, b"", unnamed)) == (0, [{**ANSWER, "id": 2}])


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        pytest.param({"pack": "CN-W1"}, ["CN-W1"], id="one rule as text"),
        pytest.param(
            {"pack": ["CN"], "by": "FI", "ctx": {"identity_disclosed": True}}, ["CN-W1", "CN-W2"], id="a whole pack"
        ),
        pytest.param({"ctx": {"plan_active": True}, "pack": ["CN-S1"]}, ["CN-S1"], id="a flag beside the flags"),
        pytest.param({"ctx": {"flags": ["plan_active"]}, "pack": ["CN-S1"]}, ["CN-S1"], id="flags as a list"),
        pytest.param(
            {"ctx": {"flags": {"plan_active": False}}, "pack": ["CN-S1"]}, [], id="a flag that does not stand"
        ),
        pytest.param(
            {"ctx": {"plan_active": {"from": "2026-01-01T00:00:00Z"}}, "pack": ["CN-S1"]},
            ["CN-S1"],
            id="a span beside the flags",
        ),
        pytest.param(
            {
                "to": "contact:K1",
                "hist": [{"t": "2026-12-01T09:00:00+08:00", "ch": "im", "o": "sent", "to": "contact:K1"}],
                "pack": ["CN-H1"],
            },
            ["CN-H1"],
            id="a house rule",
        ),
        pytest.param(
            {
                "to": "contact:K1",
                "house": False,
                "hist": [{"t": "2026-12-01T09:00:00+08:00", "ch": "im", "o": "sent", "to": "contact:K1"}],
                "pack": ["CN-H1"],
            },
            [],
            id="no house rules",
        ),
        pytest.param({"ctx": {"agreed": [["21:00", "02:00"]]}}, [], id="agreed hours past midnight"),
        pytest.param({"dir": "in"}, [], id="they write"),
        pytest.param(
            {**AGENCY, "ctx": {**STANDING, "last_evaluation_at": "2025-12-01"}}, [], id="an agency's last date"
        ),
        pytest.param({**AGENCY, "ctx": {**STANDING, "last_evaluation_days": 366}}, ["CN-A1"], id="days ago"),
        pytest.param({**AGENCY, "ctx": {"agency": {**STANDING, "last_evaluation": 365}}}, [], id="an agency's object"),
        pytest.param({**AGENCY, "ctx": STANDING}, ["CN-A1"], id="an agency that was never evaluated"),
    ],
)
def test_ways_to_write_a_vector(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, changes: dict[str, Any], rules: list[str]
) -> None:
    _, [answer] = run(capsys, "check", file_of(tmp_path, {**GOOD, **changes}))
    assert answer["rules"] == rules


def test_days_may_be_counted_as_hours(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    calls = [{"t": f"2026-12-01T{hour}:00:00+08:00", "ch": "call", "o": "connected"} for hour in (19, 20, 21)]
    morning = {
        **GOOD,
        "pack": ["CN-F1"],
        "mode": "inform",
        "ch": "call",
        "at": "2026-12-02T08:00:00+08:00",
        "hist": calls,
    }
    _, answers = run(capsys, "check", file_of(tmp_path, morning, {**morning, "interp": "rolling"}))
    assert [answer["next"] for answer in answers] == [None, "2026-12-02T19:00:00+08:00"]


def test_a_verdict_is_explained_in_english_and_in_chinese(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert (
        program.main(["explain", file_of(tmp_path, GOOD, {**GOOD, "id": "by day", "at": "2026-12-01T12:00:00+08:00"})])
        == 0
    )
    said = capsys.readouterr().out.splitlines()
    assert said == [
        "good: denied. Allowed from 2026-12-02T08:00:00+08:00 on, if nothing else happens.",
        (
            "  CN-W1, from eight in the morning to ten at night, or as agreed: it is 22:00 in Asia/Shanghai, open is"
            " 08:00-22:00. [GB/T 45251-2025 cl. 5.3 (when to collect); recommended standard]"
        ),
        "    instead: the next hour that is allowed or agreed with the debtor; letters have no hours",
        *said[3:6],
        "",
        "by day: allowed.",
        said[8],
        "",
    ]
    chinese = [*said[3:6], said[8]]
    assert [bool(re.search("[\u4e00-\u9fff]{4}", line)) for line in chinese] == [True] * 4
    assert said[3].startswith("good\N{FULLWIDTH COLON}")


def test_every_reason_that_a_rule_can_give_has_its_words() -> None:
    domain = Path(program.__file__).parent / "domain"
    source = "".join(file.read_text("utf-8") for file in domain.glob("*.py"))
    given = set(re.findall(r'Finding\(self\.id, f?"(?:" if [^"]*else ")?([a-z_]+)', source)) | {
        "unmet",
        "cap",
        "cap_ever",
    }
    assert given == set(wording().reasons)


def test_what_counts_for_ever_is_said_so() -> None:
    read = (("count", 1), ("limit", 1), ("days", 0))
    assert reason(Finding("XX-F1", "cap", read), "en") == "1 of 1 contacts are used, once and for all"


def test_a_day_without_an_open_hour_is_said_so() -> None:
    read = (("clock", "09:00"), ("zone", "UTC"), ("open", ""))
    assert reason(Finding("XX-W1", "hours", read), "en") == "it is 09:00 in UTC, open is nothing"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check"], "the following arguments are required: FILE.jsonl"),
        (["chek", "x"], "invalid choice: 'chek'"),
        ([], "the following arguments are required"),
        (["check", "a", "b"], "unrecognized arguments: b"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        program.main(arguments)
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_file_that_is_not_there_is_refused_in_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert program.main(["check", str(tmp_path / "none.jsonl")]) == 2
    assert capsys.readouterr().err.endswith("none.jsonl: cannot be read (FileNotFoundError)\n")


def test_standard_input_is_read(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(GOOD).encode())))
    assert run(capsys, "check", "-") == (0, [ANSWER])


def test_the_program_runs_by_itself() -> None:
    command = [sys.executable, "-m", "services.outreach.compliance", "check", "-"]
    given = "\n".join((json.dumps(GOOD), "?"))
    ended = subprocess.run(command, input=given, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (ended.returncode, ended.stderr) == (1, "")
    assert [json.loads(line) for line in ended.stdout.splitlines()] == [ANSWER, {"id": 2, "error": "not JSON"}]
