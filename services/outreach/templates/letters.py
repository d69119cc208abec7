"""Letters as PDF: A4, an address for the window of an envelope, page numbers, an embedded subset of the font.

The same letter gives the same bytes: its date and its id are arguments, nothing else comes from outside.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from fpdf import FPDF
from pylopdf_fonts_zh_cn import sans_path

from services.outreach.templates.domain.lines import lines
from services.outreach.templates.domain.money import date_in_words
from services.outreach.templates.domain.rendering import Rendered, plain

MOST_ADDRESS_LINES = 6

_FONT = "letter"
_MARGIN, _WIDTH = 25.0, 165.0
_WINDOW = (20.0, 45.0, 85.0)  # left, top and width in mm: DIN 5008, form B; an address may also be stuck on
_SUBJECT_AT, _FOOT = 103.0, 20.0
_FOLDS = (105.0, 210.0)
_LINE = 6.0

_WORDS = {
    "zh-CN": {"date": "日期", "reference": "编号", "page": "第 {page} 页 / 共 {of} 页"},
    "en": {"date": "Date", "reference": "Reference", "page": "Page {page} of {of}"},
}


class UnprintableError(ValueError):
    """A letter cannot be printed as it is; the text names the part, not what it says."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A rendered text on paper; `created` and `id` are written into the file."""

    rendered: Rendered
    reference: str
    sender: str
    recipient: tuple[str, ...]
    created: datetime
    id: UUID


class _Paper(FPDF):
    """Pages with a foot, and the id of the letter as that of the file."""

    def __init__(self, letter: Letter, font: Path) -> None:
        super().__init__(format="A4")
        self.letter = letter
        self.words = _WORDS[letter.rendered.language]
        self.set_creation_date(letter.created)
        self.set_title(letter.rendered.subject)
        self.set_lang(letter.rendered.language)
        self.set_margin(_MARGIN)
        self.set_auto_page_break(auto=True, margin=_FOOT + _LINE)
        self.add_font(_FONT, "", font)

    def file_id(self) -> str:
        return f"<{self.letter.id.hex.upper()}><{self.letter.id.hex.upper()}>"

    def footer(self) -> None:
        """The reference and the number of the page."""
        self.set_font(_FONT, size=8)
        self.set_y(-_FOOT)
        page = self.words["page"].format(page=self.page_no(), of=self.str_alias_nb_pages)
        self.cell(_WIDTH / 2, _LINE, f"{self.words['reference']} {self.letter.reference}")
        self.cell(_WIDTH / 2, _LINE, page, align="R")


def pdf(letter: Letter, font: Path | None = None) -> bytes:
    """The letter as a file. Raises UnprintableError, WrongFieldError."""
    _check(letter)
    paper = _Paper(letter, font or sans_path())
    try:
        _refuse_missing_signs(paper)
        paper.add_page()
        _head(paper)
        _body(paper)
        return bytes(paper.output())
    finally:
        paper.fonts[_FONT].close()  # type: ignore[union-attr]  # a font from a file, which it holds open


def _check(letter: Letter) -> None:
    if letter.created.tzinfo is None:
        raise UnprintableError("created has no time zone")
    if not letter.rendered.subject:
        raise UnprintableError("the text has no subject")
    if not 1 <= len(letter.recipient) <= MOST_ADDRESS_LINES:
        raise UnprintableError(f"recipient has not between 1 and {MOST_ADDRESS_LINES} lines")
    for name, text in _parts(letter):
        plain(name, text)


def _parts(letter: Letter) -> Iterator[tuple[str, str]]:
    yield from (("reference", letter.reference), ("sender", letter.sender))
    yield from (("recipient", line) for line in letter.recipient)


def _refuse_missing_signs(paper: _Paper) -> None:
    """A letter with a box in place of a name is worse than none."""
    letter, has = paper.letter, paper.fonts[_FONT].cmap  # type: ignore[union-attr]  # a font from a file has one
    for name, text in (*_parts(letter), ("text", letter.rendered.whole)):
        if any(ord(sign) not in has for sign in text if sign != "\n"):
            raise UnprintableError(f"{name} has a character that the font lacks")


def _head(paper: _Paper) -> None:
    letter, (left, top, width) = paper.letter, _WINDOW
    for fold in _FOLDS:
        paper.line(5, fold, 9, fold)
    _write(paper, letter.sender, left, top, width, size=7)
    for number, line in enumerate(letter.recipient):
        _write(paper, line, left, top + 8 + number * _LINE, width, size=11)
    dated = date_in_words(letter.created.date(), letter.rendered.language)
    _write(paper, f"{paper.words['date']} {dated}", 125, top, 65, size=9)
    _write(paper, f"{paper.words['reference']} {letter.reference}", 125, top + _LINE, 65, size=9)


def _write(paper: _Paper, text: str, x: float, y: float, width: float, *, size: float) -> None:
    """One line, in smaller letters where it is long."""
    paper.set_font(_FONT, size=size)
    needed = paper.get_string_width(text)
    if needed > width:
        paper.set_font(_FONT, size=size * width / needed * 0.99)
    paper.set_xy(x, y)
    paper.cell(width, _LINE, text)


def _body(paper: _Paper) -> None:
    paper.set_xy(_MARGIN, _SUBJECT_AT)
    _paragraph(paper, paper.letter.rendered.subject, size=13)
    for paragraph in paper.letter.rendered.text.split("\n\n"):
        _paragraph(paper, paragraph, size=10.5)


def _paragraph(paper: _Paper, text: str, *, size: float) -> None:
    paper.set_font(_FONT, size=size)
    room = _WIDTH - 2 * paper.c_margin
    for line in list(lines(text, room, paper.get_string_width)):
        paper.set_x(_MARGIN)
        paper.cell(_WIDTH, _LINE, line, new_x="LMARGIN", new_y="NEXT")
        paper.set_font(_FONT, size=size)  # a page break has printed the foot in another size
    paper.ln(_LINE / 2)
