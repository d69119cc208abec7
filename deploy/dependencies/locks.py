"""Lock files: every line names one version of one distribution and its hashes, and nothing else may stand in them."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

_PINNED: Final = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(\[[A-Za-z0-9,._-]+\])?==(?P<version>[A-Za-z0-9.!+_-]+)"
    r"(\s*;[^#]*?)?(?P<hashes>(\s+--hash=sha256:[0-9a-f]{64})+)"
)
_SEPARATORS: Final = re.compile(r"[-_.]+")
BROUGHT_ALONG: Final = frozenset({"pip", "setuptools", "wheel"})
"""What an environment has before anything is installed in it."""

_WHERE: Final = {True: "locked in another version", False: "in no lock"}


class Pin(NamedTuple):
    """One version of one distribution."""

    name: str
    version: str


def plain(name: str) -> str:
    """A distribution's name as all its spellings are compared."""
    return _SEPARATORS.sub("-", name).lower()


def read(file: Path) -> tuple[list[Pin], list[str]]:
    """What a lock file pins, and what is wrong with it."""
    pins, wrong = [], []
    for number, line in _lines(file.read_text()):
        found = _PINNED.fullmatch(line)
        if found is None:
            wrong.append(f"{file.name}:{number}: is not name==version with its sha256 hashes")
        else:
            pins.append(Pin(plain(found["name"]), found["version"]))
    twice = {pin.name for pin in pins if sum(pin.name == other.name for other in pins) > 1}
    wrong += [f"{file.name}: {name} is pinned more than once" for name in sorted(twice)]
    return pins, wrong if pins else [*wrong, f"{file.name}: pins nothing"]


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """The requirements, each with the number of its first line; a backslash goes on in the next."""
    kept, began = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        began = began if kept else number
        kept = f"{kept} {line.strip().removesuffix(chr(92)).strip()}".strip()
        if line.rstrip().endswith("\\"):
            continue
        if kept and not kept.startswith("#"):
            yield began, kept
        kept = ""
    if kept:
        yield began, kept


def not_locked(installed: Iterable[Pin], locks: Mapping[str, Iterable[Pin]]) -> list[str]:
    """What is installed, and in no lock, or not in that version."""
    known = {pin for pins in locks.values() for pin in pins}
    names = {pin.name for pin in known}
    return [
        f"{pin.name} {pin.version} is installed, and {_WHERE[pin.name in names]}"
        for pin in sorted(set(installed) - known)
        if pin.name not in BROUGHT_ALONG
    ]
