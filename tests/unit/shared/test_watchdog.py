"""A process whose worker stands still ends itself, so that others take its shards; one whose workers move does not."""

import subprocess
import sys

from shared.runtime import WATCHDOG_EXIT

PROGRAM = """
import threading, time
from types import SimpleNamespace
from shared.runtime import _watch

loop = SimpleNamespace(ended={ended}, moved_at=time.monotonic() + {moves_in}, worker=SimpleNamespace(name="one"))
_watch([loop], 0.2)
threading.Event().wait({longest})
"""


def exit_code(*, ended: bool = False, moves_in: float = -10.0, longest: float = 2.0) -> int:
    """How a process ends whose one worker last moved so many seconds from now."""
    program = PROGRAM.format(ended=ended, moves_in=moves_in, longest=longest)
    return subprocess.run([sys.executable, "-c", program], timeout=60, check=False, capture_output=True).returncode


def test_a_worker_that_stands_still_ends_the_process() -> None:
    assert exit_code(longest=30.0) == WATCHDOG_EXIT


def test_a_worker_that_moves_lets_it_be() -> None:
    assert exit_code(moves_in=60.0) == 0


def test_a_worker_that_has_ended_lets_it_be() -> None:
    assert exit_code(ended=True) == 0
