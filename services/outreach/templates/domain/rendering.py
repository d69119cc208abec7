"""Fills a template: what comes out holds no placeholder, and no value can bring anything but plain words into it."""

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

from services.outreach.templates.domain.money import EXPONENTS, amount_in_words, date_in_words
from services.outreach.templates.domain.template import PLACEHOLDER, PLACEHOLDERS, Kind, Language, Template

Value: TypeAlias = str | int | date
Fields: TypeAlias = Mapping[str, Value]

LONGEST_VALUE = 120

_MARKUP = re.compile(r"[<>{}\[\]`\\|*_~^]|&#?\w+;|://|www\.", re.IGNORECASE)


class WrongFieldError(ValueError):
    """A field is missing, unknown or not what its placeholder takes; the text names the field, never its value."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """What is sent, from which version of which template; `shown` is what stands in place of each placeholder."""

    template: str
    version: int
    language: Language
    subject: str
    text: str
    sha256: str
    shown: Mapping[str, str]

    @property
    def whole(self) -> str:
        """Subject and text, as they are read and linted."""
        return f"{self.subject}\n\n{self.text}" if self.subject else self.text


def render(template: Template, fields: Fields, language: Language) -> Rendered:
    """The text with the fields in it. Raises WrongFieldError."""
    unknown = sorted(fields.keys() - PLACEHOLDERS.keys())
    if unknown:
        raise WrongFieldError(f"{unknown[0]} is no placeholder")
    text = template.texts[language]
    shown = {name: _shown(name, fields, language) for name in sorted(text.placeholders)}
    subject, body = (_filled(part, shown) for part in (text.subject, text.body))
    content = json.dumps([template.id, template.version, language, subject, body], ensure_ascii=False)
    digest = hashlib.sha256(content.encode()).hexdigest()
    return Rendered(template.id, template.version, language, subject, body, digest, shown)


def _filled(text: str, shown: Mapping[str, str]) -> str:
    return PLACEHOLDER.sub(lambda found: shown[found[1]], text)


def _shown(name: str, fields: Fields, language: Language) -> str:
    value, kind = fields.get(name), PLACEHOLDERS[name]
    if value is None:
        raise WrongFieldError(f"{name} is missing")
    if kind is Kind.DATE and type(value) is date:
        return date_in_words(value, language)
    if kind is Kind.AMOUNT and type(value) is int:
        return _amount(name, value, _shown("currency", fields, language))
    if kind is Kind.CURRENCY and value in EXPONENTS:
        return str(value)
    if kind is Kind.TEXT and isinstance(value, str):
        return plain(name, value)
    raise WrongFieldError(f"{name} is not what it has to be: {_EXPECTED[kind]}")


_EXPECTED = {
    Kind.TEXT: "text",
    Kind.AMOUNT: "a whole number of minor units",
    Kind.CURRENCY: "the code of a currency whose minor unit is known",
    Kind.DATE: "a date",
}


def _amount(name: str, value: int, currency: str) -> str:
    try:
        return amount_in_words(value, currency)
    except ValueError as error:
        raise WrongFieldError(f"{name} is not what it has to be: {error}") from None


def plain(name: str, value: str) -> str:
    """The value, if it is one line of plain words. Raises WrongFieldError."""
    if not value.strip() or value != value.strip():
        raise WrongFieldError(f"{name} is empty or begins or ends with a space")
    if len(value) > LONGEST_VALUE:
        raise WrongFieldError(f"{name} is longer than {LONGEST_VALUE} characters")
    if any(unicodedata.category(sign) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} for sign in value):
        raise WrongFieldError(f"{name} has a line break or a character that does not show")
    if _MARKUP.search(value) or _MARKUP.search(unicodedata.normalize("NFKC", value)):
        raise WrongFieldError(f"{name} has markup or a link in it")
    return value
