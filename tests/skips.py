"""No test may be skipped unnoticed: with `--only-allowed-skips` a skip outside tests/allowed_skips.txt fails the run.

A line of that file is `path::test: reason`; the path may end in `*`.
"""

from fnmatch import fnmatchcase
from pathlib import Path

import pytest

ALLOWED = Path(__file__).parent / "allowed_skips.txt"

_skipped: dict[str, str] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Know the option."""
    parser.addoption(
        "--only-allowed-skips", action="store_true", help="fail on a skipped test that tests/allowed_skips.txt lacks"
    )


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember each skipped test and why; an expected failure is not a skip."""
    if report.skipped and not hasattr(report, "wasxfail"):
        longrepr = report.longrepr
        _skipped[report.nodeid] = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run."""
    if session.config.getoption("--only-allowed-skips") and refused() and not session.exitstatus:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which."""
    if config.getoption("--only-allowed-skips"):
        for test, reason in sorted(refused().items()):
            terminalreporter.write_line(f"SKIP NOT ALLOWED {test}: {reason}", red=True)


def refused() -> dict[str, str]:
    """The skipped tests that nobody allowed, and why they were skipped."""
    patterns = allowed(ALLOWED.read_text())
    return {t: why for t, why in _skipped.items() if not any(fnmatchcase(t, pattern) for pattern in patterns)}


def allowed(text: str) -> list[str]:
    """The patterns of an allow-list. Raises ValueError for a line without a reason."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    for line in lines:
        if not line.partition(": ")[2].strip():
            message = f"allowed_skips.txt: {line!r} has no reason"
            raise ValueError(message)
    return [line.partition(": ")[0].strip() for line in lines]
