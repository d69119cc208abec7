"""Programs of the harness that say where they stand, one word a line, and end when their input does."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


class ChildError(Exception):
    """A program has ended or stands still; its text has its last words."""


@dataclass
class Child:
    """One running program; what it logs goes to a file."""

    name: str
    process: asyncio.subprocess.Process
    log: Path

    @classmethod
    async def start(cls, name: str, command: Sequence[str], folder: Path, cwd: Path, *, quiet: bool = False) -> "Child":
        """Start a program; what a `quiet` one says goes to its log, too."""
        log = folder / f"{name}.log"
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                *command, cwd=cwd, stderr=errors, stdin=asyncio.subprocess.PIPE,
                stdout=errors if quiet else asyncio.subprocess.PIPE,
            )  # fmt: skip
        return cls(name, process, log)

    async def says(self, word: str, within: float) -> None:
        """Wait for a word. Raises ChildError."""
        try:
            async with asyncio.timeout(within):
                while line := await self._line():
                    if line == word:
                        return
        except TimeoutError:
            raise ChildError(f"{self.name} has not said {word} within {within:g} s: {self.last_words()}") from None
        raise ChildError(f"{self.name} has ended: {self.last_words()}")

    async def _line(self) -> str:
        out = self.process.stdout
        return (await out.readline()).decode().strip() if out is not None else ""

    def last_words(self) -> str:
        """The end of what it has logged."""
        return self.log.read_text(errors="replace")[-1500:]

    async def end(self, within: float = 15.0) -> None:
        """Close its input, and kill it where that does not end it."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            async with asyncio.timeout(within):
                await self.process.wait()
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """End it as a crash would."""
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()
