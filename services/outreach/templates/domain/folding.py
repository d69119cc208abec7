"""Reduces a text to letters and the places between them, so that disguises fall away, and remembers where each was."""

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

SEPARATORS = " 、,\n?"
"""What may stand between letters, weakest first: a gap, a list, a comma, the end of a sentence, of a question."""

_ENDS = {"。": "\n", "!": "\n", ";": "\n", "?": "?", ",": ",", ":": ",", "、": "、"}
_CURRENCIES = "¥$€£"
_DROPPED = {"Mn", "Me", "Cf", "Cc"}


@dataclass(frozen=True, slots=True)
class Folded:
    """The folded text, the index in `source` of each of its characters, and what nobody can read of it."""

    source: str
    text: str
    places: tuple[int, ...]
    unreadable: tuple[int, ...]

    def span(self, begin: int, end: int) -> tuple[int, str]:
        """Where in the source a part of the folded text stands, and how it is written there."""
        first, last = self.places[begin], self.places[end - 1]
        return first, self.source[first : last + 1]


def folded(source: str, simplified: Mapping[str, str]) -> Folded:
    """NFKD without marks and without what has no width, small letters, simplified characters, one sign for each gap."""
    kept: list[tuple[str, int]] = []
    unreadable: list[int] = []
    for index, sign in _signs(source):
        if sign in SEPARATORS:
            _separate(kept, sign, index)
        elif _is_readable(sign):
            kept.append((simplified.get(sign, sign), index))
        elif not unreadable or unreadable[-1] != index:
            unreadable.append(index)
    text = "".join(sign for sign, _ in kept)
    return Folded(source, text, tuple(index for _, index in kept), tuple(unreadable))


def _signs(source: str) -> Iterator[tuple[int, str]]:
    for index, character in enumerate(source):
        following = source[index + 1 : index + 2]
        if character == "\n":
            yield index, "\n" if following == "\n" else " "
            continue
        for sign in unicodedata.normalize("NFKD", character).casefold():
            read = _read(sign, following)
            if read:
                yield index, read


def _read(sign: str, following: str) -> str:
    """What a sign counts as: itself, a separator or nothing."""
    category = unicodedata.category(sign)
    if sign == ".":
        return " " if following.strip() else "\n"
    if sign in _ENDS or sign.isspace():
        return _ENDS.get(sign, " ")
    if category in _DROPPED:
        return ""
    return sign if category[0] in "LN" or sign in _CURRENCIES else " "


def _separate(kept: list[tuple[str, int]], sign: str, index: int) -> None:
    """Of several separators in a row the strongest stays."""
    if not kept or kept[-1][0] not in SEPARATORS:
        kept.append((sign, index))
    elif SEPARATORS.index(sign) > SEPARATORS.index(kept[-1][0]):
        kept[-1] = (sign, index)


def _is_readable(sign: str) -> bool:
    """Latin letters, digits and Chinese characters; a letter of another script may only look like one of them."""
    return sign.isascii() or sign in _CURRENCIES or "\u3400" <= sign <= "\u9fff" or sign >= "\U00020000"
