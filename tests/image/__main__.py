"""Carries the steps of deploy/Dockerfile out in an empty folder, without a container engine, and runs what comes of it.

`python -m tests.image`, or `make image-steps`. Paths of the image lie below the folder; the base image is the Python
that runs this; owners are left out where only root may give them. First hadolint looks at the file.
"""

import fnmatch
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.unit.deploy.composing import ROOT
from tests.unit.deploy.dockerfile import FILE, IGNORED, Step, stages

_PLACES = re.compile(r"(?<![\w./-])/(?=(?:opt/fairdue|app|build|var/lib/fairdue)\b)")
_EVERY_MODULE = """
import importlib, pkgutil, services, shared
for package in (services, shared):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not {"__main__", "migrations", "environment"} & set(module.name.split(".")):
            importlib.import_module(module.name)
"""


class BrokenImageError(Exception):
    """A step fails, or what comes of it does not work."""


@dataclass
class Built:
    """One stage, below a folder."""

    root: Path
    others: Mapping[str, "Built"]
    directory: str = "/"
    environment: dict[str, str] = field(default_factory=dict)

    def carry_out(self, step: Step) -> None:
        """Do one instruction; those that only say how a container starts change nothing here."""
        if step.word == "WORKDIR":
            self.directory = step.rest
            self.path(self.directory).mkdir(parents=True, exist_ok=True)
        elif step.word == "ENV":
            self.environment |= {name: self._placed(value) for name, _, value in (w.partition("=") for w in step.words)}
        elif step.word == "COPY":
            self._copy(step.words)
        elif step.word == "RUN":
            self.run(["sh", "-ec", self._placed(_without_owners(step.rest))])

    def path(self, inside: str) -> Path:
        """Where a path of the image is."""
        return self.root / inside.lstrip("/")

    def run(self, command: list[str], expected: int = 0) -> str:
        """Run a program as in the image; what it says. Raises BrokenImageError."""
        base = {"PATH": f"{self.root.parent / 'base'}:/usr/bin:/bin", "HOME": os.environ.get("HOME", "/")}
        pip = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "REQUESTS_"))}
        done = subprocess.run(
            command, cwd=self.path(self.directory), env={**base, **pip, **self.environment},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != expected:
            raise BrokenImageError(
                f"{' '.join(command)}: {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
            )
        return done.stdout + done.stderr

    def _placed(self, text: str) -> str:
        return _PLACES.sub(f"{self.root}/", text)

    def _copy(self, words: list[str]) -> None:
        options = [word for word in words if word.startswith("--")]
        *sources, target = [word for word in words if not word.startswith("--")]
        stage = next((option.partition("=")[2] for option in options if option.startswith("--from")), "")
        destination = self.path(target if target.startswith("/") else f"{self.directory}/{target}")
        for source in sources:
            origin = self.others[stage].path(source) if stage else ROOT / source
            if not stage and not _is_let_in(source):
                raise BrokenImageError(f"{source} is not in the context")
            if origin.is_dir():
                shutil.copytree(origin, destination, symlinks=True, ignore=None if stage else _ignored)
            else:
                destination.mkdir(parents=True, exist_ok=True)
                shutil.copy(origin, destination)


def _without_owners(command: str) -> str:
    """A command that anybody may run; pip may use what it has fetched before."""
    command = command.replace("--no-cache-dir", "")
    return command if os.geteuid() == 0 else re.sub(r" -[og] \d+", "", command)


def _is_let_in(source: str) -> bool:
    return f"!{source}" in IGNORED.read_text().splitlines()


def _ignored(_folder: str, names: list[str]) -> set[str]:
    patterns = [line.removeprefix("**/") for line in IGNORED.read_text().splitlines() if line.startswith("**/")]
    return {name for name in names for pattern in patterns if fnmatch.fnmatch(name, pattern)}


def _base_image(folder: Path) -> None:
    """A `python` as the base image has one: distributions call theirs python3 only."""
    folder.mkdir()
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nexec "{Path(sys.executable).resolve()}" "$@"\n')
    python.chmod(0o755)


def _built(folder: Path) -> Built:
    _base_image(folder / "base")
    done: dict[str, Built] = {}
    last = None
    for number, stage in enumerate(stages()):
        last = Built(folder / str(number), dict(done))
        last.root.mkdir()
        for step in stage.steps:
            began = time.monotonic()
            last.carry_out(step)
            print(f"{time.monotonic() - began:6.1f} s  {step.word} {step.rest[:90]}", flush=True)
        done[stage.name] = last
    assert last is not None
    return last


def _try(built: Built) -> None:
    """What the image must be able to do."""
    last = stages()[-1]
    (entrypoint,), (command,) = last.of("ENTRYPOINT"), last.of("CMD")
    if "migrate" not in built.run([*entrypoint.form, *command.form]):
        raise BrokenImageError("it does not say what it can do")
    said = built.run([*entrypoint.form, "run", "intake", "--role", "worker"], expected=2)
    if "BROKER_URL" not in said or len(said.splitlines()) != 1:
        raise BrokenImageError(f"started with nothing it says {said!r}")
    built.run(["python", "-c", _EVERY_MODULE])
    built.run(["python", "-m", "pip", "--version"], expected=1)
    if strange := {path.name for path in built.path("/app").iterdir()} - {"services", "shared"}:
        raise BrokenImageError(f"it holds {strange}")


def main() -> int:
    """0 where the file is well written and every step works, else 1."""
    hadolint = shutil.which("hadolint", path=Path(sys.executable).parent) or shutil.which("hadolint")
    if hadolint is None:
        print("there is no hadolint: make image-steps installs it")
        return 1
    if subprocess.run([hadolint, FILE], check=False).returncode:
        return 1
    with TemporaryDirectory(prefix="fairdue-image-") as folder:
        try:
            built = _built(Path(folder))
            _try(built)
        except BrokenImageError as error:
            print(error)
            return 1
        size = sum(path.stat().st_size for path in built.root.rglob("*") if path.is_file() and not path.is_symlink())
        print(f"every step works; {size >> 20} MB beside the base image")
    return 0


if __name__ == "__main__":
    sys.exit(main())
