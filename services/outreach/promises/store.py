"""The file of the terms of promises, and the queries of the routes."""

from collections.abc import Mapping
from datetime import time
from pathlib import Path
from typing import Annotated

import msgspec
from sqlalchemy import text

from services.outreach.plans.domain.window import Window
from services.outreach.promises.domain import Limits, Reminder, Terms
from shared.data_files import Form, WrongDataError, read

FILE = Path(__file__).parent / "promises.yaml"
EVERYWHERE = "*"

_Days = Annotated[int, msgspec.Meta(ge=0, le=366)]
_Percent = Annotated[int, msgspec.Meta(ge=0, le=100)]


class _LimitsForm(Form, frozen=True):
    most_days: _Days
    least_percent: _Percent
    most_broken: Annotated[int, msgspec.Meta(ge=0)]


class _ReminderForm(Form, frozen=True):
    days_before: _Days
    opens: time
    closes: time
    texts: Annotated[Mapping[str, str], msgspec.Meta(min_length=1)]

    def reminder(self, zone: str) -> Reminder:
        return Reminder(self.days_before, Window(zone, self.opens, self.closes), self.texts)


class _TermsForm(Form, frozen=True):
    jurisdiction: str
    grace_days: _Days
    tolerance_percent: _Percent
    remembered_days: _Days
    limits: Mapping[str, _LimitsForm]
    reminder: _ReminderForm | None = None


class _PromisesForm(Form, frozen=True):
    version: str
    terms: Annotated[tuple[_TermsForm, ...], msgspec.Meta(min_length=1)]


def read_terms(zones: Mapping[str, str], file: Path = FILE) -> Mapping[str, Terms]:
    """The terms of each jurisdiction of which a zone is known. Raises WrongDataError, which names it."""
    forms: dict[str, _TermsForm] = {}
    for form in read(file, _PromisesForm).terms:
        problem = "occurs more than once" if form.jurisdiction in forms else _problem(form, zones)
        if problem:
            raise WrongDataError(f"{file.name}: {form.jurisdiction} {problem}")
        forms[form.jurisdiction] = form
    found = {code: forms.get(code) or forms.get(EVERYWHERE) for code in zones}
    return {code: _terms(form, zones[code]) for code, form in found.items() if form is not None}


def _problem(form: _TermsForm, zones: Mapping[str, str]) -> str:
    if form.jurisdiction != EVERYWHERE and form.jurisdiction not in zones:
        return "has no zone"
    if form.reminder is not None and form.reminder.opens >= form.reminder.closes:
        return "has hours of reminders that close before they open"
    return "" if form.limits else "has no limits for any role"


def _terms(form: _TermsForm, zone: str) -> Terms:
    limits = {role: Limits(each.most_days, each.least_percent, each.most_broken) for role, each in form.limits.items()}
    reminder = None if form.reminder is None else form.reminder.reminder(zone)
    return Terms(zone, form.grace_days, form.tolerance_percent, form.remembered_days, limits, reminder)


PROMISES = text("SELECT * FROM promise WHERE debtor_id = :debtor_id ORDER BY made_at DESC, promise_id LIMIT 100")
