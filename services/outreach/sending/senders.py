"""Reads who writes to debtors, and fills in what a text says from what is known of one."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

import msgspec

from services.outreach.templates.domain.rendering import LONGEST_VALUE, Fields, WrongFieldError, plain
from services.outreach.templates.domain.template import Language
from services.outreach.templates.store import LANGUAGES
from shared.data_files import Form, WrongDataError, read

FILE = Path(__file__).parent / "senders.yaml"
_NAME = "{name}"

Words = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_VALUE)]
Days = Annotated[int, msgspec.Meta(ge=1, le=90)]


class Names(Form, frozen=True):
    """How the sender calls itself in one language, and how it addresses its reader."""

    salutation: Words
    agency: Words
    lender: Words
    collector: Words
    phone_line: Words
    complaint_line: Words
    opt_out: Words
    address: Words


class Sender(Form, frozen=True):
    """Who writes for a lender; `email` is what stands under From."""

    lender_id: str
    pay_within_days: Days
    reply_within_days: Days
    email: Words
    names: Mapping[Language, Names]


class _SendersForm(Form, frozen=True):
    version: str
    senders: tuple[Sender, ...]


@dataclass(frozen=True, slots=True)
class Owed:
    """What a text may say of the debt: minor units of `currency`, and since when something of it is due."""

    reference: str
    amount: int
    currency: str
    due_on: date | None


def read_senders(file: Path = FILE) -> Mapping[str, Sender]:
    """The senders by lender. Raises WrongDataError, one line with the lender."""
    senders: dict[str, Sender] = {}
    for sender in read(file, _SendersForm).senders:
        problem = "occurs more than once" if sender.lender_id in senders else _problem(sender)
        if problem:
            raise WrongDataError(f"{file.name}: {sender.lender_id} {problem}")
        senders[sender.lender_id] = sender
    return senders


def _problem(sender: Sender) -> str:
    lacking = [language for language in LANGUAGES if language not in sender.names]
    if lacking:
        return f"has no names in {lacking[0]}"
    for language, names in sender.names.items():
        if names.salutation.count(_NAME) != 1:
            return f"addresses nobody by name in {language}"
        try:
            for field, value in msgspec.structs.asdict(names).items():
                plain(field, value.replace(_NAME, "x"))
        except WrongFieldError as error:
            return f"cannot be shown in {language}: {error}"
    return ""


def language_of(spoken: str) -> Language:
    """The language of ours that is nearest to the one that the debtor reads."""
    return "zh-CN" if spoken.lower().startswith("zh") else "en"


def fields_of(sender: Sender, language: Language, name: str, owed: Owed, today: date) -> Fields:
    """What a text may show. What is not known is left out, so that a text which needs it is refused."""
    names = sender.names[language]
    values = {
        "salutation": names.salutation.replace(_NAME, name) if name else None,
        "debtor": name or None,
        "agency": names.agency,
        "lender": names.lender,
        "collector": names.collector,
        "phone_line": names.phone_line,
        "complaint_line": names.complaint_line,
        "opt_out": names.opt_out,
        "reference": owed.reference,
        "amount": owed.amount if owed.amount > 0 else None,
        "currency": owed.currency or None,
        "due_on": owed.due_on,
        "pay_by": today + timedelta(days=sender.pay_within_days),
        "reply_by": today + timedelta(days=sender.reply_within_days),
    }
    return {name: value for name, value in values.items() if value is not None}
