"""Whatever a file of rows holds: events that the edge takes, and a report or one line that shows no value."""

import asyncio
import csv
import time
import tracemalloc
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.intake.connectors.cloud_events import decode
from services.intake.connectors.csv_files.examining import CsvFileError, Encoding
from services.intake.connectors.csv_files.running import Append, Job, Position, run
from services.intake.connectors.csv_files.units import REPORT
from shared.contracts import core_banking
from shared.messaging.broker import Outgoing
from tests.unit.fuzz.anything import CANARY, record, with_odd_bytes
from tests.unit.fuzz.connecting import SEALER

HEADERS = [
    "loan_id,payment_id,amount,currency,posted_at",
    "loan_id,payment_id,amount,currency,posted_at,reversed_at",
    "loan_id,as_of,posting_cut_off,currency,number,due_on,principal",
    "loan_id,reason,closed_at",
    "party_id,updated_at,name,mobile,language,time_zones",
]
ROWS = [
    "L-1,p-1,10.50,CNY,2031-05-06T10:00:00Z",
    "L-1,p-1,10.50,CNY,2031-05-06T10:00:00Z,2031-05-07T10:00:00",
    "L-1,2031-05-06,2031-05-06 22:00:00,CNY,7,2031-04-06,100",
    "L-1,paid,2031-05-06T10:00:00Z",
    f"P-1,2031-05-06T10:00:00Z,{CANARY},{CANARY},en,Europe/Berlin",
]
FILES = [f"{header}\n{row}\n{row.replace('1', '2', 1)}\n".encode() for header, row in zip(HEADERS, ROWS, strict=True)]
CELLS = st.sampled_from([
    *(CANARY, "L-1", "2", "1e9", "-1", "NaN", "CNY", "paid", "Europe/Berlin", "=1+1", ";" * 60, "9" * 5_000, "\u0663"),
    *("2031-05-06", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "", '"', "\x00", "é", "a\rb"),
])  # fmt: skip
NUMBERS = count()


def check(folder: Path, content: bytes, encoding: Encoding = "utf-8") -> int:
    """How many events a file came to; every exception but a complaint passes."""
    file, report = folder / "file.csv", folder / f"{next(NUMBERS)}.csv"
    file.write_bytes(content)

    async def append(records: Sequence[Outgoing]) -> None:
        for each in records:
            decode(record(core_banking.TOPIC, each.value, each.headers), SEALER)

    done = _done(Job(file, "bank", report, encoding, ZoneInfo("Asia/Shanghai")), append)
    if isinstance(done, CsvFileError):
        assert "\n" not in str(done)
        assert CANARY not in str(done)
        return 0
    said = report.read_text()
    assert CANARY not in said
    assert len(list(csv.reader(said.splitlines()))) == done.refused + 1
    assert said.startswith(",".join(REPORT))
    return done.sent


def _done(job: Job, append: Append) -> Position | CsvFileError:
    try:
        return asyncio.run(run(job, append))
    except CsvFileError as error:
        return error


def test_every_example_is_sent(tmp_path: Path) -> None:
    assert [check(tmp_path, content) for content in FILES] == [2] * len(FILES)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), encoding=st.sampled_from(["utf-8", "gb18030"]))
def test_any_file_is_sent_or_refused(tmp_path: Path, data: st.DataObject, encoding: Encoding) -> None:
    header = data.draw(st.sampled_from(HEADERS))
    width = header.count(",") + 1
    rows = st.lists(st.lists(CELLS, min_size=width - 1, max_size=width).map(",".join), max_size=5)
    filled = rows.map(lambda lines: "\n".join([header, *lines, ""]).encode())
    check(
        tmp_path, data.draw(st.sampled_from(FILES).flatmap(with_odd_bytes) | filled | st.binary(max_size=200)), encoding
    )


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"x" * 5_000_000, id="a line without end"),
        pytest.param(HEADERS[0].encode() + b'\n"' + b"x\n" * 2_500_000, id="a quoted cell without end"),
        pytest.param(HEADERS[0].encode() + b"\n" + b"\n" * 500_000, id="lines of nothing"),
        pytest.param(HEADERS[0].encode() + b"\n" + b"\xff" * 5_000_000, id="no text"),
    ],
)
def test_a_hostile_file_is_refused_in_little_memory(tmp_path: Path, content: bytes) -> None:
    tracemalloc.start()
    try:
        started = time.process_time()
        assert check(tmp_path, content) == 0
        seconds = time.process_time() - started
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20_000_000
    assert seconds < 10
