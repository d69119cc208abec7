"""Documents of ISO 20022 read part by part: XML without document types or entities, or the same as JSON; all bounded.

A part is an element without namespaces, so that every version of a message reads alike. One part is held at a time.
"""

from collections.abc import Collection, Iterator
from io import BytesIO
from typing import Any, Final
from xml.etree.ElementTree import Element, ParseError

import msgspec
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from shared.contracts.reading import UnreadableError, parsed
from shared.service import Rejected

MAX_BYTES: Final = 64 << 20
MAX_JSON: Final = 1 << 20
MAX_ELEMENTS: Final = 50_000
"""Elements that one part may have, and all that stands between parts: a real part has some hundred."""

MAX_DEPTH: Final = 40
LONGEST_TEXT: Final = 32_768
"""Bytes without the end of a tag: expat takes a time that grows with the square of one that it has in pieces."""


def parts(data: bytes, message: str, names: Collection[str]) -> Iterator[Element]:
    """The parts of these names, in order; `message` is the element below the root. Raises Rejected where it ends."""
    if len(data) > MAX_BYTES:
        raise Rejected(f"is larger than {MAX_BYTES} bytes")
    if data.lstrip()[:1] == b"{":
        yield from _of_json(data, message, names)
    else:
        yield from _of_xml(data, message, names)


def text(part: Element, *paths: str) -> str:
    """The text at the first path that has one, without blanks around it; "" where none has."""
    for path in paths:
        found = (part.findtext(path) or "").strip()
        if found:
            return found
    return ""


def _of_xml(data: bytes, message: str, names: Collection[str]) -> Iterator[Element]:
    _refuse_long_texts(data)
    walk = _Walk(message, names)
    try:
        for event, element in iterparse(BytesIO(data), events=("start", "end"), forbid_dtd=True):
            if event == "start":
                walk.start(element)
            elif walk.end(element):
                yield element
                walk.forget(element)
    except DefusedXmlException:
        raise Rejected("declares a document type or entities, which are not read") from None
    except ParseError as error:
        line, column = error.position
        raise Rejected(f"is not XML (line {line}, column {column + 1})") from None
    except (LookupError, ValueError):
        raise Rejected("is in an encoding that is not read") from None


def _refuse_long_texts(data: bytes) -> None:
    for start in range(0, len(data) - LONGEST_TEXT, LONGEST_TEXT):
        if data.find(b">", start, start + LONGEST_TEXT) < 0:
            raise Rejected("holds a text that is longer than any real one")


class _Walk:
    """Where in a document we are; what has been handed out is forgotten."""

    def __init__(self, message: str, names: Collection[str]) -> None:
        self._message, self._names = message, names
        self._open: list[Element] = []
        self._part: Element | None = None
        self._inside = self._outside = 0

    def start(self, element: Element) -> None:
        """Go into an element. Raises Rejected where there are too many, or the wrong one."""
        element.tag = _local(element.tag)
        self._open.append(element)
        if len(self._open) == 2 and element.tag != self._message:  # noqa: PLR2004  # the root has one child
            raise Rejected(f"holds no {self._message}")
        if self._part is None and element.tag in self._names:
            self._part, self._inside = element, 0
        self._inside += self._part is not None
        self._outside += self._part is None
        if max(self._inside, self._outside) > MAX_ELEMENTS or len(self._open) > MAX_DEPTH:
            raise Rejected("is larger or deeper than any real message")

    def end(self, element: Element) -> bool:
        """Come out of an element; whether it was a part."""
        self._open.pop()
        return element is self._part

    def forget(self, part: Element) -> None:
        """Let go of a part that has been read."""
        self._part = None
        if self._open:
            self._open[-1].remove(part)


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


# -- the same as JSON: "@" is an element's text, "@Name" an attribute, a list the same element again and again ---------


def _of_json(data: bytes, message: str, names: Collection[str]) -> Iterator[Element]:
    if len(data) > MAX_JSON:
        raise Rejected(f"is larger than {MAX_JSON} bytes")
    try:
        document: Any = parsed(msgspec.json.decode, data)
    except UnreadableError as error:
        raise Rejected(error.reason, field=error.field) from None
    if "Document" in document:
        document = document["Document"]
    if not isinstance(document, dict) or message not in document:
        raise Rejected(f"holds no {message}")
    yield from _named(_element(message, document[message], 0), names)


def _named(element: Element, names: Collection[str]) -> Iterator[Element]:
    for child in element:
        if child.tag in names:
            yield child
        else:
            yield from _named(child, names)


def _element(tag: str, value: Any, depth: int) -> Element:
    if depth > MAX_DEPTH:
        raise Rejected("is larger or deeper than any real message")
    element = Element(tag)
    for name, inner in value.items() if isinstance(value, dict) else [("@", value)]:
        if name == "@":
            element.text = (
                inner if isinstance(inner, str) else "" if inner is None else msgspec.json.encode(inner).decode()
            )
        elif name.startswith("@"):
            element.set(name[1:], inner if isinstance(inner, str) else "")
        else:
            for each in inner if isinstance(inner, list) else [inner]:
                element.append(_element(name, each, depth + 1))
    return element
