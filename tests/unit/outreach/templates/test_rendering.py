"""A rendered text holds no placeholder, and no value brings in anything but plain words."""

from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.outreach.templates.domain.money import amount_in_words
from services.outreach.templates.domain.rendering import Value, WrongFieldError, plain, render
from services.outreach.templates.domain.template import FlawedTemplateError, Language, Template, Text

BODY = "{lender}: {currency} {amount}, {due_on}"
FIELDS: dict[str, Value] = {
    "lender": "示例银行",
    "currency": "CNY",
    "amount": 123456,
    "due_on": date(2026, 12, 1),
}


def template(body: str = BODY, **other: object) -> Template:
    values: dict[str, object] = {
        "id": "sample",
        "version": 3,
        "channel": "sms",
        "audience": "debtor",
        "purpose": "remind",
        "tone": "service",
        "effective_from": date(2026, 1, 1),
        "valid_until": None,
        "approved_by": ("one", "two"),
        "clauses": frozenset(),
        "texts": {"zh-CN": Text("", body), "en": Text("", body)},
    }
    return Template(**{**values, **other})  # type: ignore[arg-type]  # each test gives what fits


@pytest.mark.parametrize(
    ("language", "expected"),
    [("zh-CN", "示例银行: CNY 1,234.56, 2026年12月1日"), ("en", "示例银行: CNY 1,234.56, 1 December 2026")],
)
def test_fields_are_written_as_the_language_writes_them(language: Language, expected: str) -> None:
    assert render(template(), FIELDS, language).text == expected


def test_the_same_fields_give_the_same_digest_and_others_another() -> None:
    first, again = (render(template(), dict(FIELDS), "en") for _ in range(2))
    assert first == again
    assert first.sha256 != render(template(), {**FIELDS, "amount": 123457}, "en").sha256
    assert first.sha256 != render(template(version=4), FIELDS, "en").sha256
    assert first.sha256 != render(template(), FIELDS, "zh-CN").sha256


@pytest.mark.parametrize(
    ("minor", "currency", "expected"),
    [
        (123456, "CNY", "1,234.56"),
        (5, "EUR", "0.05"),
        (0, "USD", "0.00"),
        (123456, "JPY", "123,456"),
        (1234567, "KWD", "1,234.567"),
        (100000000000, "CNY", "1,000,000,000.00"),
    ],
)
def test_an_amount_has_the_digits_of_its_currency(minor: int, currency: str, expected: str) -> None:
    assert amount_in_words(minor, currency) == expected


@pytest.mark.parametrize(("minor", "currency"), [(1, "XXX"), (1, "cny"), (-1, "CNY")])
def test_what_is_no_amount_is_refused(minor: int, currency: str) -> None:
    with pytest.raises(ValueError, match="amount|currency"):
        amount_in_words(minor, currency)


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_a_missing_field_is_named(name: str) -> None:
    fields = {other: value for other, value in FIELDS.items() if other != name}
    with pytest.raises(WrongFieldError, match=name):
        render(template(), fields, "en")


def test_an_unknown_field_is_named() -> None:
    with pytest.raises(WrongFieldError, match="^lenders is no placeholder$"):
        render(template(), {**FIELDS, "lenders": "x"}, "en")


def test_a_known_field_that_the_text_does_not_use_does_no_harm() -> None:
    assert render(template(), {**FIELDS, "phone_line": "1"}, "en") == render(template(), FIELDS, "en")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("amount", "123456"),
        ("amount", True),
        ("amount", -1),
        ("amount", date(2026, 1, 1)),
        ("currency", "XXX"),
        ("due_on", "2026-12-01"),
        ("due_on", datetime(2026, 12, 1)),  # noqa: DTZ001  # refused whatever its zone
        ("lender", 5),
        ("lender", ""),
        ("lender", " Bank"),
        ("lender", "x" * 121),
        ("lender", "a\nb"),
        ("lender", "a\u2028b"),
        ("lender", "a\tb"),
        ("lender", "a\x00b"),
        ("lender", "a\u200bb"),
        ("lender", "a\u202eb"),
        ("lender", "<b>Bank</b>"),
        ("lender", "\uff1cb\uff1e"),
        ("lender", "{amount}"),
        ("lender", "Bank &lt; Co"),
        ("lender", "https://example.test"),
        ("lender", "www.example.test"),
        ("lender", "[Bank](x)"),
        ("lender", "**Bank**"),
    ],
)
def test_a_value_that_is_not_what_it_has_to_be_is_refused_by_the_name_of_its_field(name: str, value: Value) -> None:
    with pytest.raises(WrongFieldError) as refused:
        render(template(), {**FIELDS, name: value}, "en")
    assert str(refused.value).startswith(name)
    assert not isinstance(value, str) or len(value) < 3 or value not in str(refused.value) or value == "XXX"


@pytest.mark.parametrize("value", ["Smith & Co", "O'Neill", "示例银行(上海)", "Flat 3, No. 5", "阿依古丽·买买提", "#5"])
def test_plain_names_and_addresses_pass(value: str) -> None:
    assert plain("lender", value) == value


@given(st.text(max_size=130))
def test_whatever_a_value_is_it_adds_no_line_and_no_placeholder(value: str) -> None:
    try:
        text = render(template("A {lender}."), {"lender": value}, "en").text
    except WrongFieldError:
        return
    assert text == f"A {value}."
    assert len(text.splitlines()) == 1
    assert not set("{}<>") & set(text)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"body": "{lendr}"}, "has a placeholder {lendr} that is not in the list (zh-CN)"),
        ({"body": "{lender"}, "has a brace that belongs to no placeholder (zh-CN)"),
        ({"body": "{}"}, "has a placeholder {} that is not in the list (zh-CN)"),
        ({"body": "{{lender}}"}, "has a brace that belongs to no placeholder (zh-CN)"),
        ({"body": "{amount}"}, "has an {amount} without its {currency} (zh-CN)"),
        ({"channel": "letter"}, "lacks a subject (zh-CN)"),
        ({"texts": {"en": Text("About", "x")}}, "has a subject that its channel does not show (en)"),
        ({"approved_by": ("one", "one")}, "is approved by one person only"),
        ({"valid_until": date(2025, 12, 31)}, "ends before it is effective"),
    ],
)
def test_a_template_that_contradicts_itself_is_refused(changed: dict[str, object], expected: str) -> None:
    with pytest.raises(FlawedTemplateError) as refused:
        template(**changed)  # type: ignore[arg-type]  # the body is a string
    assert str(refused.value) == expected
