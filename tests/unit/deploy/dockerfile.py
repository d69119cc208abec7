"""deploy/Dockerfile, read: its stages, and the instructions of each."""

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.unit.deploy.composing import ROOT

FILE = ROOT / "deploy" / "Dockerfile"
IGNORED = ROOT / ".dockerignore"


class Step(NamedTuple):
    """One instruction and all that follows it."""

    word: str
    rest: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.rest)

    @property
    def form(self) -> list[str]:
        """The list of the exec form."""
        read: list[str] = json.loads(self.rest)
        return read


@dataclass(frozen=True)
class Stage:
    """What is built from one base image."""

    base: str
    name: str
    steps: tuple[Step, ...]

    def of(self, word: str) -> list[Step]:
        """The instructions of one kind."""
        return [step for step in self.steps if step.word == word]


def steps(text: str) -> list[Step]:
    """The instructions of a file, with lines that go on put together and comments left out."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [Step(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines())]


def stages(file: Path = FILE) -> list[Stage]:
    """The stages of the file."""
    found: list[Stage] = []
    for step in steps(file.read_text()):
        if step.word == "FROM":
            base, *named = step.words
            found.append(Stage(base, named[1] if named else "", ()))
        else:
            last = found.pop()
            found.append(Stage(last.base, last.name, (*last.steps, step)))
    return found
