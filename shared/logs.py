"""Structured logs: one JSON object per line in production, readable lines in the demo.

    with bound(event_id=event.id, debtor_id=event.debtor_id, trace=event.trace):
        log.info("case opened", case_version=3)

Personal data never goes into a log call. Errors quote what they refuse (a database the row, a parser the text), so that
of an error its type, its places and its cause's type are logged, and its text only where we or the system wrote it.
"""

import logging
import sys
import traceback
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, TextIO

import structlog
from structlog.contextvars import bound_contextvars
from structlog.typing import EventDict, Processor, WrappedLogger

_QUIET: Final = {
    "aiokafka": logging.CRITICAL,  # what it says of a broker that is away comes to us as errors, and is said once
    "alembic": logging.WARNING,
    "httpx": logging.WARNING,
    "uvicorn.access": logging.WARNING,
}
_FRAMES = 12
_WITHOUT_VALUES: Final = {"shared", "services", "aiokafka", "alembic"}
"""Whose errors say what went wrong without quoting what they were given."""


def configure(mode: str, *, level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Send the logs of the product and of its libraries to `stream` (standard error), in the form of the mode."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_formatter(mode))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name, quieter in _QUIET.items():
        logging.getLogger(name).setLevel(max(level, quieter))
    structlog.configure(
        processors=[*_shared_steps(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def bound(**ids: str) -> AbstractContextManager[None]:
    """Put ids (event_id, debtor_id, trace, lane …) on every line logged inside the `with`; empty ones are left out."""
    return bound_contextvars(**{name: value for name, value in ids.items() if value})


def get(name: str) -> Any:  # structlog's own loggers are typed so: any method name is a level
    """A logger for one part of the product."""
    return structlog.stdlib.get_logger(name)


def _formatter(mode: str) -> logging.Formatter:
    final: Processor = (
        structlog.dev.ConsoleRenderer(colors=False) if mode == "demo" else structlog.processors.JSONRenderer()
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_shared_steps(),
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, final],
    )


def _shared_steps() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _brief_errors,
    ]


def _brief_errors(_logger: WrappedLogger, _method: str, entry: EventDict) -> EventDict:
    """Replace `exc_info` by the error's type, innermost places and what may be said of its reason."""
    error = _error_of(entry.pop("exc_info", None))
    if error is not None:
        entry["error"], entry["reason"] = type(error).__name__, _reason(error)
        if error.__cause__ is not None:
            entry["cause"] = type(error.__cause__).__name__
        frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
        entry["places"] = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
    return entry


def _reason(error: BaseException) -> str:
    if hasattr(error, "sqlstate"):
        parts = (error.sqlstate, getattr(error, "table_name", None), getattr(error, "constraint_name", None))
        return " ".join(part for part in parts if part)
    harmless = isinstance(error, OSError) or type(error).__module__.partition(".")[0] in _WITHOUT_VALUES
    return str(error).partition("\n")[0] if harmless else ""


def _error_of(exc_info: Any) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return exc_info[1]  # type: ignore[no-any-return]
    return sys.exc_info()[1] if exc_info else None
