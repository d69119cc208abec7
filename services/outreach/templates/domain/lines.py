"""Breaks a paragraph into lines: anywhere between Chinese characters, between Latin words, never before a full stop."""

import re
from collections.abc import Callable, Iterator

_CLOSING = "，。、；：？！）》」』】”’…,.;:?!)%"  # noqa: RUF001  # these are meant
_OPENING = "（《「『【“‘("  # noqa: RUF001  # these too
_CHINESE = "\u2e80-\uffef"
_PARTS = re.compile(
    f"[{re.escape(_OPENING)}]*(?:[^{_CHINESE}\\s{re.escape(_OPENING)}]+|[{_CHINESE}])[{re.escape(_CLOSING)}]*"
    f"|[{re.escape(_OPENING)}]+|\\s+"
)

WidthOf = Callable[[str], float]


def lines(paragraph: str, width: float, width_of: WidthOf) -> Iterator[str]:
    """The paragraph in lines of at most `width`; line breaks in it stay."""
    for part in paragraph.split("\n"):
        yield from _wrapped(part, width, width_of)


def _wrapped(text: str, width: float, width_of: WidthOf) -> Iterator[str]:
    line = ""
    for part in (piece for found in _PARTS.findall(text) for piece in _fitting(found, width, width_of)):
        if line and width_of((line + part).rstrip()) > width:
            yield line.rstrip()
            line = part.lstrip()
        else:
            line += part
    yield line.rstrip()


def _fitting(part: str, width: float, width_of: WidthOf) -> Iterator[str]:
    """A part, in pieces where it is longer than a line."""
    while width_of(part) > width and len(part) > 1:
        size = next((size for size in range(len(part) - 1, 1, -1) if width_of(part[:size]) <= width), 1)
        yield part[:size]
        part = part[size:]
    yield part
