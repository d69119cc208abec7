"""A template: an approved text of one version in each language, with placeholders from a closed list."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum, auto
from typing import Literal, TypeAlias

Language: TypeAlias = Literal["zh-CN", "en"]
Channel: TypeAlias = Literal["sms", "phone", "email", "letter", "visit"]
Audience: TypeAlias = Literal["debtor", "third_person"]
Tone: TypeAlias = Literal["service", "neutral", "formal"]
Purpose: TypeAlias = Literal[
    "remind",
    "collect",
    "plan",
    "advice",
    "hardship",
    "consequences",
    "interview",
    "legal_notice",
    "visit",
    "balance",
    "locate",
]

PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


class Kind(Enum):
    """What the value of a placeholder is."""

    TEXT = auto()
    AMOUNT = auto()
    CURRENCY = auto()
    DATE = auto()


PLACEHOLDERS: Mapping[str, Kind] = {
    "salutation": Kind.TEXT,      # how the reader is addressed, with the name
    "debtor": Kind.TEXT,          # the debtor's name, where others are asked to relay a message
    "agency": Kind.TEXT,          # the organisation that writes or calls
    "lender": Kind.TEXT,          # the principal lender
    "collector": Kind.TEXT,       # name or number of the member of staff or the robot
    "phone_line": Kind.TEXT,
    "complaint_line": Kind.TEXT,
    "opt_out": Kind.TEXT,         # what to send in order to get no more messages
    "reference": Kind.TEXT,
    "amount": Kind.AMOUNT,        # integer minor units of `currency`
    "currency": Kind.CURRENCY,
    "due_on": Kind.DATE,
    "pay_by": Kind.DATE,
    "reply_by": Kind.DATE,
}  # fmt: skip
"""All placeholders that a template may have."""

ABOUT_THE_DEBT = frozenset({"reference", "amount", "currency", "due_on", "pay_by", "reply_by"})
"""Placeholders that no text for a third person may have."""


class FlawedTemplateError(ValueError):
    """A template contradicts itself; the text is the end of a sentence that begins with its id."""


@dataclass(frozen=True, slots=True)
class Text:
    """The subject, empty where the channel has none, and the body of a template in one language."""

    subject: str
    body: str

    @property
    def placeholders(self) -> frozenset[str]:
        """Those that occur."""
        return frozenset(PLACEHOLDER.findall(f"{self.subject}\n{self.body}"))


@dataclass(frozen=True, slots=True)
class Template:
    """One version of a template. `clauses` are those that it must contain beside what its channel demands."""

    id: str
    version: int
    channel: Channel
    audience: Audience
    purpose: Purpose
    tone: Tone
    effective_from: date
    valid_until: date | None
    approved_by: tuple[str, str]
    clauses: frozenset[str]
    texts: Mapping[Language, Text]

    def __post_init__(self) -> None:
        """Refuse what contradicts itself. Raises FlawedTemplateError."""
        if self.approved_by[0] == self.approved_by[1]:
            raise FlawedTemplateError("is approved by one person only")
        if self.valid_until is not None and self.valid_until < self.effective_from:
            raise FlawedTemplateError("ends before it is effective")
        for language, text in self.texts.items():
            flaw = _flaw(text, with_subject=self.channel in {"letter", "email"})
            if flaw:
                raise FlawedTemplateError(f"{flaw} ({language})")

    def is_effective(self, on: date) -> bool:
        """Whether it may be used on a day."""
        return self.effective_from <= on and (self.valid_until is None or on <= self.valid_until)


def _flaw(text: Text, *, with_subject: bool) -> str:
    unknown = sorted(text.placeholders - PLACEHOLDERS.keys())
    if unknown:
        return f"has a placeholder {{{unknown[0]}}} that is not in the list"
    if re.search("[{}]", PLACEHOLDER.sub("", f"{text.subject}{text.body}")):
        return "has a brace that belongs to no placeholder"
    if "amount" in text.placeholders and "currency" not in text.placeholders:
        return "has an {amount} without its {currency}"
    if bool(text.subject) is not with_subject:
        return "lacks a subject" if with_subject else "has a subject that its channel does not show"
    return ""
