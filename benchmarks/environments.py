"""The peers' own environments: each from a lock file of its own, since some of them cannot live with another's pins."""

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Final

LOCKS: Final = Path(__file__).with_name("peers")
PLACES: Final = Path(__file__).parents[1] / ".bench"


class NotInstalledError(Exception):
    """A peer cannot be run here; its text says why."""


def python_of(name: str, places: Path = PLACES) -> Path:
    """The interpreter of an environment. Blocks while it is made: where it is missing, its lock or our own is another.

    Raises NotInstalledError.
    """
    lock, place = LOCKS / f"{name}.lock", places / name
    python, mark = place / "bin" / "python", place / "lock.sha256"
    digest = hashlib.sha256(lock.read_bytes() + sys.base_prefix.encode()).hexdigest()
    if not mark.exists() or mark.read_text() != digest:
        _run(sys.executable, "-m", "venv", "--clear", str(place))
        _run(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes",
             "-r", str(lock))  # fmt: skip
        mark.write_text(digest)
    return python


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # our own arguments
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise NotInstalledError(said[-1] if said else f"{command[0]} ended with {done.returncode}")
