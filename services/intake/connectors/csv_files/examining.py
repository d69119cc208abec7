"""A file is examined before anything of it is sent: its digest, its encoding, and that it was not cut off."""

import codecs
import csv
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TextIO

Encoding = Literal["utf-8", "gb18030"]
LONGEST_LINE: Final = 65_536
_CHUNK: Final = 1 << 20
_UTF16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class CsvFileError(ValueError):
    """A file cannot be used; the text is one line that names the place and shows nothing of what stands there."""

    def __init__(self, path: Path, problem: str, *, row: int = 0, line: int = 0) -> None:
        place = f", row {row}" if row else f", line {line}" if line else ""
        super().__init__(f"{path.name}{place}: {problem}")


@dataclass(frozen=True, slots=True)
class Examined:
    """A file that can be read to its end. Rows are counted from 1, without the header."""

    path: Path
    encoding: Encoding
    digest: str
    header: tuple[str, ...]
    rows: int

    def read(self) -> Iterator[tuple[int, list[str]]]:
        """Every row with its number. Raises CsvFileError."""
        with _opened(self.path, self.encoding) as file:
            yield from _numbered(self.path, file)


def examine(path: Path, encoding: Encoding) -> Examined:
    """Read a file through. Raises CsvFileError."""
    digest, ends = _digest(path, encoding)
    rows, header = 0, list[str]()
    with _opened(path, encoding) as file:
        for rows, row in _numbered(path, file, from_header=True):  # noqa: B007  # the last number is their count
            header = header or [name.strip().lower() for name in row]
    if not header:
        raise CsvFileError(path, "has no header")
    if not ends:
        raise CsvFileError(path, "does not end with the end of a line, so the file may have been cut off", row=rows)
    return Examined(path, encoding, digest, tuple(header), rows)


def _digest(path: Path, encoding: Encoding) -> tuple[str, bool]:
    """The digest of all bytes, which are in this encoding, and whether the last line has an end."""
    digest, last, line = hashlib.sha256(), b"", 1
    chosen, utf8 = codecs.getincrementaldecoder(encoding)(), _Utf8()
    for chunk in _chunks(path):
        if not last and chunk.startswith(_UTF16):
            raise CsvFileError(path, f"is not {encoding.upper()}: it is UTF-16")
        digest.update(chunk)
        utf8.take(chunk)
        line = _decoded(path, encoding, chosen, chunk, line)
        last = chunk
    _decoded(path, encoding, chosen, b"", line)
    if encoding != "utf-8" and utf8.is_likely:
        raise CsvFileError(path, f"is not {encoding.upper()}: it is UTF-8")
    return digest.hexdigest(), last.endswith((b"\n", b"\r"))


def _decoded(path: Path, encoding: Encoding, decoder: codecs.IncrementalDecoder, chunk: bytes, line: int) -> int:
    """The line that a chunk ends on, if it can be decoded."""
    try:
        decoder.decode(chunk, final=not chunk)
    except UnicodeDecodeError as error:
        at = line + error.object[: error.start].count(b"\n")
        other = "gb18030" if encoding == "utf-8" else "utf-8"
        raise CsvFileError(path, f"is not {encoding.upper()}: try --encoding {other}", line=at) from None
    return line + chunk.count(b"\n")


class _Utf8:
    """Whether bytes are UTF-8 and not plain ASCII: by chance, a Chinese text in another encoding never is."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._valid, self._beyond_ascii = True, False

    def take(self, chunk: bytes) -> None:
        """Look at the next bytes."""
        self._beyond_ascii = self._beyond_ascii or not chunk.isascii()
        try:
            self._decoder.decode(chunk)
        except UnicodeDecodeError:
            self._valid = False

    @property
    def is_likely(self) -> bool:
        """Whether all of it was."""
        return self._valid and self._beyond_ascii


def _chunks(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk
    except OSError as error:
        raise CsvFileError(path, f"cannot be read: {error.strerror or type(error).__name__}") from None


@contextmanager
def _opened(path: Path, encoding: Encoding) -> Iterator[TextIO]:
    with path.open(encoding="utf-8-sig" if encoding == "utf-8" else encoding, newline="") as file:
        yield file


def _numbered(path: Path, file: TextIO, *, from_header: bool = False) -> Iterator[tuple[int, list[str]]]:
    """The rows that hold something; the header is row 0."""
    rows = csv.reader(_short_lines(path, file), strict=True)
    number = -1
    try:
        for row in rows:
            if row:
                number += 1
                if number or from_header:
                    yield number, row
    except csv.Error as error:
        raise CsvFileError(path, _explained(error), row=number + 1) from None


def _explained(error: csv.Error) -> str:
    """What is wrong in words; the reader's own text may quote what it read."""
    if "unexpected end of data" in str(error):
        return "ends inside a quoted field, so the file may have been cut off"
    return "is not written as CSV writes rows"


def _short_lines(path: Path, file: TextIO) -> Iterator[str]:
    for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE), ""), start=1):
        if len(line) == LONGEST_LINE:
            raise CsvFileError(path, "is too long for a row", line=number)
        yield line
