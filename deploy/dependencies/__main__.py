"""`make audit`: locks, what is installed, licences and known vulnerabilities; exit code 1 where anything is wrong.

ADVISORIES names a file of OSV records to be asked in place of pip-audit. Where no source can be asked this is said, and
is wrong only with REQUIRE_ADVISORIES=1.
"""

import os
import sys
from collections.abc import Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Final

from deploy.dependencies import advisories, licences
from deploy.dependencies.advisories import Looked
from deploy.dependencies.locks import Pin, not_locked, plain, read

ROOT: Final = Path(__file__).parents[2]
RUNTIME: Final = "requirements.lock"


def main(environ: Mapping[str, str], folder: Path = ROOT) -> int:
    """Audit the locks of a folder and the environment of this very program."""
    locks = {file.name: read(file) for file in sorted(folder.glob("requirements*.lock"))}
    wrong = [each for _, found in locks.values() for each in found]
    pinned = {name: pins for name, (pins, _) in locks.items()}
    installed = {plain(each.metadata["Name"]): each for each in distributions()}
    wrong += not_locked([Pin(name, each.version) for name, each in installed.items()], pinned)
    runtime = pinned.get(RUNTIME, [])
    wrong += [] if runtime else [f"{RUNTIME} is not there"]
    wrong += _licences(runtime, installed)
    looked = _advisories(environ, runtime, folder)
    wrong += looked.found
    if not looked.where and environ.get("REQUIRE_ADVISORIES") == "1":
        wrong.append(f"advisories were not looked up: {looked.why}")
    _say(wrong, looked, len(runtime), len(locks))
    return 1 if wrong else 0


def _licences(runtime: list[Pin], installed: Mapping[str, Distribution]) -> list[str]:
    """Those of everything that runs; what is for another platform is not installed, and not looked at."""
    rules = licences.allowed()
    ours = [pin.name for pin in runtime if pin.name in installed]
    found = [licences.problem(name, licences.said_by(installed[name]), rules) for name in ours]
    return [each for each in found if each is not None]


def _advisories(environ: Mapping[str, str], runtime: list[Pin], folder: Path) -> Looked:
    file = environ.get("ADVISORIES")
    if not file:
        return advisories.by_pip_audit(folder / RUNTIME)
    try:
        return advisories.in_file(runtime, Path(file))
    except (OSError, ValueError) as error:
        return Looked([f"ADVISORIES: {file} cannot be used: {type(error).__name__}"], file)


def _say(wrong: list[str], looked: Looked, runtime: int, locks: int) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in wrong))
    told = f"looked up in {looked.where}" if looked.where else f"NOT looked up: {looked.why}"
    sys.stdout.write(f"{locks} locks, {runtime} distributions at run time; advisories {told}; {len(wrong)} wrong\n")


if __name__ == "__main__":
    sys.exit(main(os.environ))
