"""Letters on paper: the same bytes for the same letter, Chinese that can be read back, nothing printed as a box."""

import hashlib
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import pypdfium2
import pytest

from services.outreach.templates.domain.lines import lines
from services.outreach.templates.domain.rendering import WrongFieldError
from services.outreach.templates.domain.template import Language
from services.outreach.templates.letters import Letter, UnprintableError, pdf
from services.outreach.templates.store import samples, shipped

ROOT = Path(__file__).parents[4]


def letter(name: str = "consequences_letter", language: Language = "zh-CN") -> Letter:
    return Letter(
        rendered=shipped().say(name, samples()[language], language, date(2026, 11, 26)),
        reference="FD-2026-000123",
        sender="示例信用管理有限公司 · 上海市示例路1号 · 200120",
        recipient=("张三 先生收", "上海市徐汇区示例路100弄5号602室", "200030 上海"),
        created=datetime(2026, 11, 26, 10, tzinfo=timezone(timedelta(hours=8))),
        id=UUID(int=7),
    )


@cache
def printed() -> bytes:
    return pdf(letter())


def long_letter() -> Letter:
    once = letter()
    return replace(once, rendered=replace(once.rendered, text="\n\n".join([once.rendered.text] * 4)))


def pages(content: bytes) -> list[str]:
    document = pypdfium2.PdfDocument(content)
    return [page.get_textpage().get_text_bounded() for page in document]


def squeezed(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_all_that_a_letter_says_can_be_read_back_from_the_file(language: Language) -> None:
    written = letter("legal_notice", language)
    [read] = pages(pdf(written))
    for part in (written.rendered.subject, *written.rendered.text.split("\n\n"), written.sender, *written.recipient):
        assert squeezed(part) in squeezed(read)


def test_the_same_letter_gives_the_same_bytes_in_another_process() -> None:
    program = (
        "import hashlib; from tests.unit.outreach.templates.test_letters import letter, pdf;"
        "print(hashlib.sha256(pdf(letter())).hexdigest())"
    )
    said = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONHASHSEED": "17", "TZ": "America/New_York", "LC_ALL": "C"},
    )
    assert said.stdout.strip() == hashlib.sha256(printed()).hexdigest()


@pytest.mark.parametrize(
    "changed",
    [
        {"id": UUID(int=8)},
        {"created": datetime(2026, 11, 26, 10, tzinfo=UTC)},
        {"recipient": ("李四",)},
        {"reference": "FD-2026-000124"},
    ],
    ids=["id", "date", "recipient", "reference"],
)
def test_another_letter_gives_other_bytes(changed: dict[str, Any]) -> None:
    assert pdf(replace(letter(), **changed)) != printed()


def test_a_page_is_a4_and_the_font_is_embedded_as_a_subset() -> None:
    content = printed()
    width, height = pypdfium2.PdfDocument(content)[0].get_size()
    assert (round(width * 25.4 / 72), round(height * 25.4 / 72)) == (210, 297)
    assert b"/FontFile3" in content
    assert b"+NotoSansSC" in content
    assert len(content) < 100_000


def test_every_page_has_its_number_and_the_reference() -> None:
    read = pages(pdf(long_letter()))
    assert len(read) == 3
    for number, page in enumerate(read, 1):
        assert f"第 {number} 页 / 共 3 页" in page
        assert "编号 FD-2026-000123" in page


def test_the_address_stands_in_the_window() -> None:
    page = pypdfium2.PdfDocument(printed())[0]
    text = page.get_textpage()
    seen = squeezed(text.get_text_bounded(left=56, right=312, top=842 - 127, bottom=842 - 255))
    assert seen == squeezed("".join((letter().sender, *letter().recipient)))


def test_a_page_is_not_empty_when_it_is_drawn() -> None:
    drawn = pypdfium2.PdfDocument(printed())[0].render(scale=1).to_pil().convert("L")
    dark = sum(drawn.histogram()[:128])
    assert 0.005 < dark / (drawn.width * drawn.height) < 0.2


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"created": datetime(2026, 11, 26)}, "created has no time zone"),  # noqa: DTZ001  # just that
        ({"recipient": ()}, "recipient has not between 1 and 6 lines"),
        ({"recipient": ("x",) * 7}, "recipient has not between 1 and 6 lines"),
        ({"recipient": ("\U0001f600",)}, "recipient has a character that the font lacks"),
        ({"reference": "\u13a0"}, "reference has a character that the font lacks"),
    ],
)
def test_what_cannot_be_printed_is_refused_by_the_name_of_the_part(changed: dict[str, Any], expected: str) -> None:
    with pytest.raises(UnprintableError) as refused:
        pdf(replace(letter(), **changed))
    assert str(refused.value) == expected


def test_an_address_brings_no_line_break_and_no_markup() -> None:
    with pytest.raises(WrongFieldError, match="^recipient has a line break"):
        pdf(replace(letter(), recipient=("张三\n李四",)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one two three", ["one two", "three"]),
        ("一二三四五六七八九", ["一二三四五六七八", "九"]),
        ("一二三四五六七八。九", ["一二三四五六七", "八。九"]),
        ("一二三四五六七“八”", ["一二三四五六七", "“八”"]),
        ("一二三四五 CNY 12", ["一二三四五", "CNY 12"]),
        ("abcdefghijk", ["abcdefgh", "ijk"]),
        ("one\ntwo", ["one", "two"]),
        ("", [""]),
    ],
)
def test_lines_break_where_a_reader_expects_it(text: str, expected: list[str]) -> None:
    assert list(lines(text, 8, len)) == expected


def test_a_text_without_a_subject_is_no_letter() -> None:
    without = replace(letter().rendered, subject="")
    with pytest.raises(UnprintableError, match="^the text has no subject$"):
        pdf(replace(letter(), rendered=without))
