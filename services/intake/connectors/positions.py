"""Where a run of a connector stands, in a file that is replaced as a whole: after a crash it is the old or the new."""

import os
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

FormT = TypeVar("FormT")


class PositionError(ValueError):
    """A file of a position cannot be used; the text is one line."""


class PositionFile(Generic[FormT]):
    """Keeps one position."""

    def __init__(self, path: Path, form: type[FormT]) -> None:
        self._path, self._form = path, form

    def read(self) -> FormT | None:
        """The position, None where none was kept yet. Raises PositionError."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=self._form)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError):
            raise PositionError(f"{self._path}: is no position of a connector") from None

    def keep(self, position: FormT) -> None:
        """Replace the position; once this returns it survives a loss of power."""
        beside = self._path.with_name(f"{self._path.name}.new")
        with beside.open("wb") as file:
            file.write(msgspec.json.encode(position))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)
