"""The files about senders and providers, and how each contradiction in them is told in one line."""

from datetime import date
from pathlib import Path

import pytest

from services.outreach.sending import providers, senders
from services.outreach.templates.domain.linting import lint
from services.outreach.templates.domain.rendering import render
from services.outreach.templates.store import LANGUAGES, book, shipped
from shared.data_files import WrongDataError


def changed(file: Path, tmp_path: Path, old: str, new: str) -> Path:
    text = file.read_text("utf-8")
    assert old in text
    copy = tmp_path / file.name
    copy.write_text(text.replace(old, new, 1), "utf-8")
    return copy


def test_the_shipped_senders_can_be_named_in_every_text() -> None:
    owed = senders.Owed("FD-0123", 123_456, "CNY", date(2026, 2, 1))
    sender = senders.read_senders()["synthetic-bank"]
    for template in shipped().templates:
        for language in LANGUAGES:
            fields = senders.fields_of(
                sender, language, "张三" if language == "zh-CN" else "Anna", owed, date(2026, 3, 2)
            )
            assert lint(template, render(template, fields, language), book()) == (), (template.id, language)


SENDERS = [
    ("lender_id: demo-bank", "lender_id: synthetic-bank", "synthetic-bank occurs more than once"),
    ("salutation: 尊敬的{name}", "salutation: 尊敬的先生", "synthetic-bank addresses nobody by name in zh-CN"),
    ("agency: Example Servicing Ltd", "agency: see www.example.com", "synthetic-bank cannot be shown in en: agency"),
    ("zh-CN: &chinese", "en-GB: &chinese", "Invalid enum value|Invalid value"),
    ("opt_out: TD", "opt_in: TD", "unknown field"),
    ("pay_within_days: 10", "pay_within_days: 0", ">= 1"),
]


@pytest.mark.parametrize(("old", "new", "problem"), SENDERS)
def test_senders_that_contradict_themselves_are_refused(old: str, new: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(WrongDataError, match=problem):
        senders.read_senders(changed(senders.FILE, tmp_path, old, new))


PROVIDERS = [
    ("provider: smtp", "provider: sms", "sms occurs more than once"),
    ("provider: letters", "provider: lettres", "letters is missing"),
    ("per_second: 50", "per_second: 0", ">= 1"),
    ("failures: 3", "failures: 0", ">= 1"),
    ("seconds: 60", "seconds: 0", "> 0"),
    ("paces: [", "paces: [{ channel: sms, per_second: 1, per_minute: 1 }, ", "sms has two paces for one channel"),
]


@pytest.mark.parametrize(("old", "new", "problem"), PROVIDERS)
def test_providers_that_contradict_themselves_are_refused(old: str, new: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(WrongDataError, match=problem):
        providers.read_providers(changed(providers.FILE, tmp_path, old, new))
