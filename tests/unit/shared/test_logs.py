"""What a log line holds, and what it must never hold."""

import json
import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
import structlog

from shared import logs
from shared.environment import SettingsError


@pytest.fixture
def stream() -> Iterator[StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = StringIO()
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


def lines(stream: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_holds_the_event_the_debtor_and_the_trace(stream: StringIO) -> None:
    logs.configure("production", stream=stream)
    with logs.bound(event_id="e1", debtor_id="d1", trace="t1", lane=""):
        logs.get("intake").info("case opened", case_version=3)
    logs.get("intake").info("idle")
    first, second = lines(stream)
    assert first["event"] == "case opened"
    assert (first["event_id"], first["debtor_id"], first["trace"], first["case_version"]) == ("e1", "d1", "t1", 3)
    assert (first["level"], first["logger"]) == ("info", "intake")
    assert first["at"].endswith("Z")
    assert "lane" not in first
    assert "event_id" not in second


def test_libraries_write_the_same_form(stream: StringIO) -> None:
    logs.configure("production", stream=stream)
    with logs.bound(event_id="e1"):
        logging.getLogger("uvicorn.error").warning("port %s is taken", 8101)
    (line,) = lines(stream)
    assert (line["event"], line["event_id"], line["level"]) == ("port 8101 is taken", "e1", "warning")


class RowRefusedError(Exception):
    """Looks like the database's error, which quotes the row that it refused."""

    sqlstate = "23505"
    table_name = "person"
    constraint_name = "person_pkey"


PHONE = "+49 30 1234567"
ERRORS = [
    pytest.param(ValueError(f"invalid literal: {PHONE!r}"), "", id="of a library: no text"),
    pytest.param(
        RowRefusedError(f"Key (phone)=({PHONE}) exists"), "23505 person person_pkey", id="of the database: code, place"
    ),
    pytest.param(ConnectionRefusedError(111, "Refused"), "[Errno 111] Refused", id="of the system: all"),
    pytest.param(SettingsError("BROKER_URL", f"is wrong\n{PHONE}"), "BROKER_URL: is wrong", id="our own: first line"),
]


@pytest.mark.parametrize("log", [logs.get("fairdue"), logging.getLogger("library")], ids=["our logger", "a library's"])
@pytest.mark.parametrize(("error", "reason"), ERRORS)
def test_an_error_is_logged_without_the_values_that_it_quotes(
    stream: StringIO, log: Any, error: Exception, reason: str
) -> None:
    logs.configure("production", stream=stream)
    log.error("commit failed", exc_info=error)
    (line,) = lines(stream)
    assert (line["event"], line["error"], line["reason"]) == ("commit failed", type(error).__name__, reason)
    assert PHONE not in stream.getvalue()


def test_an_error_is_logged_with_its_place_and_its_cause(stream: StringIO) -> None:
    logs.configure("production", stream=stream)
    try:
        try:
            json.loads(PHONE)
        except ValueError as error:
            raise SettingsError("FAIRDUE_LENDERS", "is no JSON") from error
    except SettingsError:
        logs.get("fairdue").exception("cannot start")
    (line,) = lines(stream)
    assert line["places"][-1].startswith("test_logs.py:")
    assert line["places"][-1].endswith(" test_an_error_is_logged_with_its_place_and_its_cause")
    assert line["cause"] == "JSONDecodeError"
    assert PHONE not in stream.getvalue()


def test_the_demo_writes_lines_for_people(stream: StringIO) -> None:
    logs.configure("demo", stream=stream)
    logs.get("intake").info("case opened", case_version=3)
    assert "case opened" in stream.getvalue()
    assert "case_version=3" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_what_is_below_the_level_is_left_out(stream: StringIO) -> None:
    logs.configure("production", stream=stream)
    logs.get("intake").debug("detail")
    logging.getLogger("aiokafka.consumer").info("chatter")
    assert lines(stream) == []
