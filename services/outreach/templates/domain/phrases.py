"""Turns of phrase, as the conduct book writes them, looked for in folded text.

`(a|b)` is either; `…` is up to a few words of the same sentence. Spaces, punctuation and line breaks between the
letters of a phrase do not hide it. Latin words match whole, also with an ending (-s, -ed, -ing), and a long one inside
others as well.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from services.outreach.templates.domain.folding import SEPARATORS

_BETWEEN = f"[{SEPARATORS}]?"
_GAP = {"zh": "([^\n?]{0,10}?)", "en": "([^\n?]{0,32}?)"}
_ENDING = f"(?:{_BETWEEN}(?:e?{_BETWEEN}[sd]|i{_BETWEEN}n{_BETWEEN}g))?"
_LONG = 6


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a folded text, its end not included."""

    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Where a phrase stands: its words, without what stands in the gaps between them."""

    words: tuple[Span, ...]

    @property
    def whole(self) -> Span:
        """From its first word to its last."""
        return Span(self.words[0].begin, self.words[-1].end)


def occurrences(phrase: str, language: str, text: str) -> Iterator[Occurrence]:
    """Where a phrase occurs in a folded text; it begins and ends with one of its letters."""
    for found in pattern(phrase, language).finditer(text):
        gaps = [found.span(number + 1) for number in range(len(found.groups())) if found[number + 1] is not None]
        edges = [found.start(), *(edge for gap in gaps for edge in gap), found.end()]
        yield Occurrence(tuple(_trimmed(text, *edges[place : place + 2]) for place in range(0, len(edges), 2)))


def _trimmed(text: str, begin: int, end: int) -> Span:
    part = text[begin:end]
    return Span(begin + len(part) - len(part.lstrip(SEPARATORS)), begin + len(part.rstrip(SEPARATORS)))


@cache
def pattern(phrase: str, language: str) -> re.Pattern[str]:
    """The pattern of a phrase that is written in small letters and simplified characters."""
    pieces = [_piece(piece) for piece in phrase.split("…")]
    return re.compile("|".join((_GAP[language].join(pieces), *_glued(phrase))))


def _glued(phrase: str) -> Iterator[str]:
    """The long Latin words of a phrase that consists of one or some to choose from: they are found inside others."""
    if re.fullmatch(r"[a-z ]+|\([a-z |]+\)", phrase):
        words = (word.replace(" ", "") for word in phrase.strip("()").split("|"))
        yield from (word for word in words if len(word) >= _LONG)


def _piece(piece: str) -> str:
    signs = (sign if sign in "(|)" else _BETWEEN + re.escape(sign) for sign in piece if sign != " ")
    inside = "".join("(?:" if sign == "(" else sign for sign in signs)
    if not re.search("[a-z]", piece):
        return f"(?:{inside})"
    return f"(?<![a-z])(?:{inside}){_ENDING}(?![a-z])"
