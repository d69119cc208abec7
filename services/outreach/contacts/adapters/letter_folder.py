"""Letters for a printer that watches a folder: one file per key, which is there whole or not at all.

The printer may move a file to `printed/` beside it, and must not delete it before: there it is still known.
"""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from services.outreach.contacts.ports import Message, NotTakenError, Receipt, RefusedError, UnansweredError

PRINTED = "printed"
_ALPHABET = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class LetterFolder:
    """The folder. Two processes that hand over the same key at once leave one letter."""

    folder: Path
    takes_once: bool = True

    async def send(self, message: Message) -> Receipt:
        """Put a letter there. Raises RefusedError, NotTakenError, UnansweredError."""
        if not message.pdf:
            raise RefusedError("there is no letter")
        return await asyncio.to_thread(self._put, message.key, message.pdf)

    def _put(self, key: str, pdf: bytes) -> Receipt:
        place = self._place(key)
        try:
            if not self._is_known(key):
                _linked(pdf, place)
        except FileExistsError:
            pass  # another was faster
        except OSError as error:
            raise NotTakenError(f"the folder for letters cannot be used ({type(error).__name__})") from None
        _made_durable(self.folder)
        return _receipt(key)

    async def look_up(self, key: str) -> Receipt | None:
        """Whether a letter is there, or was printed. Raises UnansweredError."""
        return _receipt(key) if await asyncio.to_thread(self._looked, key) else None

    def _looked(self, key: str) -> bool:
        try:
            if self.folder.is_dir():
                return self._is_known(key)
        except OSError:
            pass
        raise UnansweredError

    async def pull(self, key: str) -> bool:
        """Take a letter back that the printer has not taken yet. Raises UnansweredError."""
        return await asyncio.to_thread(self._pulled, key)

    def _pulled(self, key: str) -> bool:
        try:
            self._place(key).unlink()
        except FileNotFoundError:
            return False
        except OSError:
            raise UnansweredError from None
        _made_durable(self.folder)
        return True

    def _is_known(self, key: str) -> bool:
        place = self._place(key)
        return place.exists() or (self.folder / PRINTED / place.name).exists()

    def _place(self, key: str) -> Path:
        if not key or not _ALPHABET.issuperset(key):
            raise RefusedError("a letter cannot be named so")
        return self.folder / f"{key}.pdf"


def _linked(content: bytes, place: Path) -> None:
    """Write a file beside its place, and let it appear there at once. Raises FileExistsError, OSError."""
    with NamedTemporaryFile(dir=place.parent, prefix=".", suffix=".part") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        place.hardlink_to(file.name)


def _made_durable(folder: Path) -> None:
    """Have the folder keep what was changed in it. Raises UnansweredError."""
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError:
        raise UnansweredError from None


def _receipt(key: str) -> Receipt:
    return Receipt(reference=f"letter/{key}", outcome="sent")
