"""Files of rows: what is good is sent once under lasting names, what is bad is named, and a killed run goes on."""

import csv
import json
import random
import tracemalloc
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.intake.connectors.csv_files.examining import CsvFileError, Encoding
from services.intake.connectors.csv_files.running import Job, Position, run
from services.intake.connectors.positions import PositionError
from shared.messaging.broker import BrokerUnavailableError, Outgoing

ZONE = ZoneInfo("Asia/Shanghai")
PAYMENTS = "loan_id,payment_id,amount,currency,posted_at,party_id"
OVERDUE = "loan_id,party_id,as_of,posting_cut_off,currency,number,due_on,principal,interest,outstanding"
PROFILES = "party_id,updated_at,name,id_number,mobile,address,language"
NAME = "张伟"


@dataclass
class Topic:
    """Takes what is appended, and goes away when told: before it has taken a batch, or after."""

    taken: list[Outgoing] = field(default_factory=list)
    fails: int = 0
    after: bool = False

    async def append(self, records: Sequence[Outgoing]) -> None:
        self.fails -= 1
        if self.fails == 0 and not self.after:
            raise BrokerUnavailableError
        self.taken += records
        if self.fails == 0:
            raise BrokerUnavailableError

    @property
    def data(self) -> list[dict[str, Any]]:
        return [json.loads(record.value) for record in self.taken]

    @property
    def ids(self) -> list[str]:
        return [dict(record.headers)["ce_id"].decode() for record in self.taken]


def written(folder: Path, header: str, *rows: str, encoding: str = "utf-8", end: str = "\n") -> Path:
    file = folder / "file.csv"
    file.write_bytes(("\n".join([header, *rows]) + end).encode(encoding))
    return file


def payment(number: int, amount: str = "10.50") -> str:
    return f"L-{number},p-{number},{amount},CNY,2031-05-06 10:00:00,"


def job(file: Path, encoding: Encoding = "utf-8", **others: Any) -> Job:
    return Job(file, "bank", file.with_name("report.csv"), encoding, ZONE, **others)


def report(file: Path, name: str = "report.csv") -> list[list[str]]:
    with file.with_name(name).open(newline="") as opened:
        return list(csv.reader(opened))[1:]


async def sent(file: Path, encoding: Encoding = "utf-8") -> Topic:
    topic = Topic()
    await run(job(file, encoding), topic.append)
    return topic


# -- kinds of files ------------------------------------------------------------------------------------------------


async def test_a_row_of_payments_is_a_payment_in_the_zone_of_the_bank(tmp_path: Path) -> None:
    topic = await sent(written(tmp_path, PAYMENTS, payment(1)))
    assert topic.data == [
        {
            "lender_id": "bank",
            "loan_id": "L-1",
            "party_id": "",
            "payment_id": "p-1",
            "amount": 1050,
            "currency": "CNY",
            "posted_at": "2031-05-06T10:00:00+08:00",
            "settled_due_on": None,
        }
    ]
    [record] = topic.taken
    assert record.key == b"L-1"
    assert dict(record.headers)["ce_type"] == b"core-banking.payment-posted.v1"
    assert dict(record.headers)["ce_time"] == b"2031-05-06T10:00:00+08:00"


async def test_reversals_and_closings_are_known_by_their_columns(tmp_path: Path) -> None:
    taken_back = await sent(
        written(tmp_path, f"{PAYMENTS},reversed_at", f"{payment(1)},2031-05-07T09:00:00Z".replace("00,,", "00,P-1,"))
    )
    assert taken_back.data[0]["reversed_at"] == "2031-05-07T09:00:00Z"
    (tmp_path / "closings").mkdir()
    closed = await sent(written(tmp_path / "closings", "Loan_ID, reason ,closed_at", "L-1,sold,2031-05-07"))
    assert (closed.data[0]["reason"], closed.data[0]["closed_at"]) == ("sold", "2031-05-07T00:00:00+08:00")


async def test_the_rows_of_a_loan_are_one_snapshot(tmp_path: Path) -> None:
    loan = "L-1,P-1,2031-05-06,2031-05-06T22:00:00+08:00,CNY"
    rows = [f"{loan},1,2031-03-01,100,2.50,900", f"{loan},2,2031-04-01,100,,900"]
    other = "L-2,P-2,2031-05-06,2031-05-06T22:00:00+08:00,CNY,7,2031-04-01,1,,1"
    topic = await sent(written(tmp_path, OVERDUE, *rows, other))
    first, second = topic.data
    assert [(each["number"], each["due_on"], each["principal"], each["interest"]) for each in first["instalments"]] == [
        (1, "2031-03-01", 10000, 250),
        (2, "2031-04-01", 10000, 0),
    ]
    assert (first["outstanding"], first["as_of"]) == (90000, date(2031, 5, 6).isoformat())
    assert second["loan_id"] == "L-2"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
async def test_a_profile_is_read_in_both_encodings(tmp_path: Path, encoding: str) -> None:
    row = f"P-1,2031-05-06T10:00:00Z,{NAME},,13800000000;13900000000,上海市,zh-CN"
    file = written(tmp_path, PROFILES, row, encoding=encoding)
    topic = await sent(file, "gb18030" if encoding == "gb18030" else "utf-8")
    [profile] = topic.data
    assert profile["name"] == NAME
    assert [(each["kind"], each["value"]) for each in profile["contacts"]] == [
        ("mobile", "13800000000"),
        ("mobile", "13900000000"),
        ("address", "上海市"),
    ]


# -- files that cannot be used -------------------------------------------------------------------------------------


async def complaint(file: Path, encoding: Encoding = "utf-8") -> str:
    topic = Topic()
    with pytest.raises(CsvFileError) as error:
        await run(job(file, encoding), topic.append)
    assert topic.taken == []
    assert "\n" not in str(error.value)
    assert NAME not in str(error.value)
    return str(error.value)


async def test_a_wrong_encoding_is_named_with_the_right_one(tmp_path: Path) -> None:
    rows = [*(f"P-{n},2031-05-06T10:00:00Z,Li,,,,en" for n in range(50)), f"P-1,2031-05-06T10:00:00Z,{NAME},,,,zh-CN"]
    file = written(tmp_path, PROFILES, *rows, encoding="gb18030")
    assert await complaint(file) == "file.csv, line 52: is not UTF-8: try --encoding gb18030"
    file = written(tmp_path, PROFILES, *rows)
    assert await complaint(file, "gb18030") == "file.csv: is not GB18030: it is UTF-8"
    file = written(tmp_path, PROFILES, *rows, encoding="utf-16")
    assert await complaint(file) == "file.csv: is not UTF-8: it is UTF-16"
    file.write_bytes(written(tmp_path, PROFILES, *rows).read_bytes() + b"\xff\xff\n")
    assert "is not GB18030" in await complaint(file, "gb18030")


async def test_a_file_that_was_cut_off_is_refused_and_the_row_named(tmp_path: Path) -> None:
    rows = [payment(number) for number in range(1, 8)]
    cut = written(tmp_path, PAYMENTS, *rows, end="")
    assert "file.csv, row 7: does not end with the end of a line" in await complaint(cut)
    in_quotes = written(tmp_path, PAYMENTS, *rows, 'L-8,"p-8,10')
    assert "file.csv, row 8: ends inside a quoted field" in await complaint(in_quotes)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "file.csv: has no header"),
        ("a,b\n1,2\n", "file.csv: is no file of reversals, payments, closings, overdue instalments, profiles: for "),
        (f"{PAYMENTS},sum\n", "file.csv: column 7: is none that a file of payments has"),
        (f"{PAYMENTS},amount\n", "file.csv: column 7: occurs twice"),
        (f"P-1,{NAME},{NAME}\n", "file.csv: column 3: occurs twice"),
        (PAYMENTS + "\n" + "x" * 70_000 + "\n", "file.csv, line 2: is too long for a row"),
        (f'{PAYMENTS}\n"a"b,1\n', "file.csv, row 1: is not written as CSV writes rows"),
        (f"{OVERDUE}\nL-1,P\n,P\n", "file.csv, row 2: names no loan, and so might belong to any"),
        (f"{OVERDUE}\nL-1,P\nL-2,P\nL-1,P\n", "file.csv, row 3: is apart from the other rows of its loan"),
    ],
)
async def test_a_file_that_is_none_of_these_is_refused_whole(tmp_path: Path, content: str, told: str) -> None:
    file = tmp_path / "file.csv"
    file.write_text(content)
    assert (await complaint(file)).startswith(told)


# -- rows that are refused -----------------------------------------------------------------------------------------


async def test_a_bad_row_stands_in_the_report_and_the_others_are_sent(tmp_path: Path) -> None:
    rows = [payment(1), payment(2, "10.505"), "L-3,p-3", payment(4), payment(5).replace("10:00", "25:00")]
    topic = await sent(written(tmp_path, PAYMENTS, *rows))
    assert [each["loan_id"] for each in topic.data] == ["L-1", "L-4"]
    columns = "has 2 columns instead of 6: put it right in the source, and send it in a new file"
    assert report(tmp_path / "file.csv") == [
        ["2", "amount", "has more than the 2 decimal places of CNY", ""],
        ["3", "", columns, ""],
        ["5", "posted_at", "is no date with a time", ""],
    ]


async def test_a_report_shows_nobody(tmp_path: Path) -> None:
    rows = [f"P-1,never,{NAME},,,,zh-CN", f"P-2,2031-05-06T10:00:00Z,Li,,{NAME * 300},,zh-CN"]
    await sent(written(tmp_path, PROFILES, *rows, f"{NAME},2031-05-06T10:00:00Z,,,,,{NAME}"))
    assert NAME not in (tmp_path / "report.csv").read_text()
    assert [line[:2] for line in report(tmp_path / "file.csv")] == [
        ["1", "updated_at"],
        ["2", "mobile"],
        ["3", "party_id"],
    ]


async def test_a_bad_instalment_keeps_its_whole_loan_back(tmp_path: Path) -> None:
    loan = "L-1,P-1,2031-05-06,2031-05-06T22:00:00+08:00,CNY"
    rows = [f"{loan},1,2031-03-01,100,,900", f"{loan},2,soon,100,,900", f"{loan},3,2031-04-01,100,,900"]
    good = "L-2,P-2,2031-05-06,2031-05-06T22:00:00+08:00,CNY,7,2031-04-01,1,,1"
    short = "L-3,P-3,2031-05-06"
    unlike = [good.replace("L-2", "L-4"), good.replace("L-2", "L-4").replace("7,", "8,").replace("P-2", "P-9")]
    topic = await sent(written(tmp_path, OVERDUE, *rows, good, short, *unlike))
    assert [each["loan_id"] for each in topic.data] == ["L-2"]
    assert [line[:2] for line in report(tmp_path / "file.csv")] == [["2", "due_on"], ["5", ""], ["7", "party_id"]]


async def test_what_was_refused_is_sent_once_it_is_corrected_and_nothing_else(tmp_path: Path) -> None:
    file = written(tmp_path, PAYMENTS, payment(1), payment(2, "10.505"), payment(3, "x"), payment(4, "y"))
    first = await sent(file)
    lines = report(file)
    corrections = tmp_path / "corrected.csv"
    for line, corrected in zip(lines, ["10.50", "", "z"], strict=True):
        line[3] = corrected
    with corrections.open("w", newline="") as opened:
        csv.writer(opened).writerows([["row", "field", "reason", "corrected"], *lines])
    topic = Topic()
    again = Job(file, "bank", tmp_path / "again.csv", "utf-8", ZONE, corrections)
    done = await run(again, topic.append)
    assert [(each["loan_id"], each["amount"]) for each in topic.data] == [("L-2", 1050)]
    assert (done.sent, done.refused) == (1, 1)
    assert [line[:2] for line in report(file, "again.csv")] == [["4", "amount"]]
    assert not set(topic.ids) & set(first.ids)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a,b\n", "is no report: its columns are row, field, reason, corrected"),
        ("row,field,reason,corrected\nx,amount,,1\n", "is no row of a report"),
        ("row,field,reason,corrected\n1,sum,,1\n", "corrects what the file does not have"),
        ("row,field,reason,corrected\n9,amount,,1\n", "corrects what the file does not have"),
    ],
)
async def test_corrections_that_fit_no_row_are_refused(tmp_path: Path, content: str, told: str) -> None:
    file = written(tmp_path, PAYMENTS, payment(1))
    corrections = tmp_path / "corrected.csv"
    corrections.write_text(content)
    with pytest.raises(CsvFileError, match=told):
        await run(job(file, corrections=corrections), Topic().append)


# -- killed and resumed --------------------------------------------------------------------------------------------


def mixed(rows: int) -> list[str]:
    return [payment(number, "bad" if number % 3 == 0 else "10.50") for number in range(1, rows + 1)]


@pytest.mark.parametrize("after", [False, True], ids=["before the broker took it", "after the broker took it"])
@pytest.mark.parametrize("fails", range(1, 9))
async def test_a_run_that_ends_anywhere_is_taken_up_with_nothing_lost_and_nothing_twice(
    tmp_path: Path,
    fails: int,
    after: bool,  # noqa: FBT001
) -> None:
    (tmp_path / "whole").mkdir()
    expected = Topic()
    await run(job(written(tmp_path / "whole", PAYMENTS, *mixed(70))), expected.append, at_once=10)
    file, topic = written(tmp_path, PAYMENTS, *mixed(70)), Topic(fails=fails, after=after)
    with pytest.raises(BrokerUnavailableError):
        await run(job(file), topic.append, at_once=10)
    with (tmp_path / "report.csv").open("a") as torn:
        torn.write("9999,amount,a line that a killed run")
    await run(job(file), topic.append, at_once=10)
    assert sorted(set(topic.ids)) == sorted(expected.ids)
    assert {i: data["loan_id"] for i, data in zip(topic.ids, topic.data, strict=True)} == {
        i: data["loan_id"] for i, data in zip(expected.ids, expected.data, strict=True)
    }
    assert len(topic.ids) <= len(expected.ids) + 10
    assert (tmp_path / "report.csv").read_bytes() == (tmp_path / "whole" / "report.csv").read_bytes()


async def test_a_file_that_was_sent_is_not_sent_again(tmp_path: Path) -> None:
    file, topic = written(tmp_path, PAYMENTS, *mixed(10)), Topic()
    first = await run(job(file), topic.append)
    count = len(topic.taken)
    assert await run(job(file), topic.append) == first
    assert len(topic.taken) == count == 7


async def test_the_same_file_gives_the_same_names_and_another_file_others(tmp_path: Path) -> None:
    ids = []
    for name, rows in (("a", mixed(10)), ("b", mixed(10)), ("c", mixed(11))):
        (tmp_path / name).mkdir()
        ids.append((await sent(written(tmp_path / name, PAYMENTS, *rows))).ids)
    assert ids[0] == ids[1]
    assert not set(ids[0]) & set(ids[2])


async def test_the_position_of_one_file_is_not_taken_for_another(tmp_path: Path) -> None:
    file = written(tmp_path, PAYMENTS, *mixed(30))
    with pytest.raises(BrokerUnavailableError):
        await run(job(file), Topic(fails=2).append, at_once=5)
    written(tmp_path, PAYMENTS, *mixed(31))
    with pytest.raises(CsvFileError, match="belongs to another file that was not sent to its end"):
        await run(job(file), Topic().append)


async def test_a_report_of_others_and_a_position_that_is_none_are_left_alone(tmp_path: Path) -> None:
    file = written(tmp_path, PAYMENTS, *mixed(3))
    (tmp_path / "report.csv").write_text("mine")
    with pytest.raises(CsvFileError, match="exists already, and is not overwritten"):
        await run(job(file), Topic().append)
    assert (tmp_path / "report.csv").read_text() == "mine"
    job(file).position.write_text("{")
    with pytest.raises(PositionError, match="is no position of a connector"):
        await run(job(file), Topic().append)


async def test_a_large_file_is_streamed_in_little_memory(tmp_path: Path) -> None:
    rows = [payment(random.Random(number).randrange(10**9)) for number in range(5_000)]
    file = written(tmp_path, PAYMENTS, *rows)
    del rows
    most = 0

    async def count(records: Sequence[Outgoing]) -> None:
        nonlocal most
        most = max(most, len(records))

    tracemalloc.start()
    try:
        done: Position = await run(job(file), count)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (done.sent, most) == (5_000, 500)
    assert peak < 5_000_000
