"""Whatever a panel file holds: rows, or one line that names the place and shows no value."""

import io
import time
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.intake.connectors.card_panel_file import STATUSES, Columns, PanelFileError, read
from tests.unit.fuzz.anything import CANARY, with_odd_bytes

GOOD = b"ID,MONTHS_BALANCE,STATUS\n5001711,0,X\n5001711,-1,0\n5001712,-2,C\n"


def packed(name: str, content: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip with one file in it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def check(file: Path) -> Columns | PanelFileError:
    """Rows or a complaint; every other exception passes."""
    columns = _read(file)
    if isinstance(columns, PanelFileError):
        assert "\n" not in str(columns)
        assert CANARY not in str(columns)
        return columns
    assert all(chr(status) in STATUSES for rows in columns.months.values() for status in rows.statuses)
    return columns


def _read(file: Path) -> Columns | PanelFileError:
    try:
        return read(file)
    except PanelFileError as error:
        return error


def written(folder: Path, suffix: str, content: bytes) -> Path:
    file = folder / f"panel{suffix}"
    file.write_bytes(content)
    return file


CELLS = st.sampled_from(
    [CANARY, "0", "-1", "-600", "-601", "X", "5", "", '"', "\x00", "é", "9" * 5000, "٣", "5001711", "a\rb"]
)
LINES = st.lists(st.lists(CELLS, max_size=4).map(",".join), max_size=6).map("\n".join)


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    with_odd_bytes(GOOD)
    | st.binary(max_size=200)
    | LINES.map(lambda lines: b"ID,MONTHS_BALANCE,STATUS\n" + lines.encode())
    | st.permutations(GOOD.split(b"\n")).map(b"\n".join)
)
def test_any_csv_gives_rows_or_a_complaint(tmp_path: Path, content: bytes) -> None:
    check(written(tmp_path, ".csv", content))
    check(written(tmp_path, ".zip", packed("a.csv", content)))


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]).flatmap(
        lambda method: with_odd_bytes(packed("a.csv", GOOD * 20, method))
    )
    | st.binary(max_size=100)
)
def test_any_zip_gives_rows_or_a_complaint(tmp_path: Path, content: bytes) -> None:
    check(written(tmp_path, ".zip", content))


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        pytest.param(".csv", b"x" * 5_000_000, id="a line without end"),
        pytest.param(".csv", b'ID,MONTHS_BALANCE,STATUS\n"' + b"x\n" * 2_500_000, id="a quoted cell without end"),
        pytest.param(".csv", b"ID,MONTHS_BALANCE,STATUS\n" + b"\n" * 500_000, id="lines of nothing"),
        pytest.param(".zip", packed("a.csv", b"x" * 50_000_000), id="a zip that unpacks to a line without end"),
        pytest.param(
            ".zip", packed("a.csv", b'ID,MONTHS_BALANCE,STATUS\n"' + b"x\n" * 25_000_000), id="and to one cell"
        ),
    ],
)
def test_a_hostile_file_is_refused_in_little_memory(tmp_path: Path, suffix: str, content: bytes) -> None:
    file = written(tmp_path, suffix, content)
    tracemalloc.start()
    try:
        started = time.process_time()
        assert isinstance(check(file), PanelFileError)
        seconds = time.process_time() - started
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20_000_000
    assert seconds < 10


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_zip_that_is_packed_in_another_way_is_refused(tmp_path: Path, method: int) -> None:
    with pytest.raises(PanelFileError, match="is packed in a way other than stored or deflated"):
        read(written(tmp_path, ".zip", packed("a.csv", GOOD, method)))
