"""Reads packs of rules, figures, claims and conduct from their files, and refuses what contradicts itself."""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated

import msgspec

from services.outreach.compliance.domain.claims import ClaimClass, Claims, Limitation
from services.outreach.compliance.domain.figures import Conduct, Figures, Retention
from services.outreach.compliance.domain.pack import Pack
from services.outreach.compliance.domain.rule import Rule
from services.outreach.compliance.domain.words import Force
from services.outreach.compliance.forms import AnyRuleForm
from services.outreach.compliance.forms.base import ContradictionError, Positive, Setting, Title, Words, zone_of
from shared.data_files import Form, WrongDataError, read

PACKS = Path(__file__).parent / "packs"
BOOKS = Path(__file__).parent / "books"


class _PackForm(Form, frozen=True):
    pack: str
    version: str
    zone: str
    rules: Annotated[tuple[AnyRuleForm, ...], msgspec.Meta(min_length=1)]
    switches: Mapping[str, bool] = {}


def read_pack(file: Path, switches: Mapping[str, bool] | None = None) -> Pack:
    """The pack of a file, with some of its switches set otherwise. Raises WrongDataError, one line that names the rule.

    The rules of a pack that are not enabled are known, but do not count.
    """
    form = read(file, _PackForm)
    unknown = sorted(set(switches or ()) - set(form.switches))
    if unknown:
        raise WrongDataError(f"{file.name}: has no switch {unknown[0]}")
    rules = _rules(file, form, {**form.switches, **(switches or {})})
    off = frozenset(each.id for each in form.rules if not each.enabled)
    return Pack(form.pack, form.version, tuple(rule for rule in rules if rule.id not in off), off)


def _rules(file: Path, form: _PackForm, switches: Mapping[str, bool]) -> list[Rule]:
    rules: dict[str, Rule] = {}
    setting = _setting(file, form, switches)
    for each in form.rules:
        try:
            if each.id in rules:
                raise ContradictionError("occurs more than once")  # noqa: TRY301  # told like every other
            rules[each.id] = each.rule(setting)
        except ContradictionError as error:
            raise WrongDataError(f"{file.name}: {each.id} {error}") from None
    return list(rules.values())


def _setting(file: Path, form: _PackForm, switches: Mapping[str, bool]) -> Setting:
    try:
        return Setting(zone_of(form.zone), switches)
    except ContradictionError as error:
        raise WrongDataError(f"{file.name}: {form.pack} {error}") from None


@cache
def shipped() -> Mapping[str, Pack]:
    """The shipped packs by name. Raises WrongDataError."""
    packs = [read_pack(file) for file in sorted(PACKS.glob("*.yaml"))]
    return {pack.name: pack for pack in packs}


# -- figures and conduct -----------------------------------------------------------------------------------------------


class _MostForm(Form, frozen=True):
    most: Positive
    citation: str


class _RetentionForm(Form, frozen=True):
    id: str
    years: Positive
    since: str = msgspec.field(name="from")
    citation: str = ""


class _FiguresForm(Form, frozen=True):
    version: str
    plan_months: _MostForm
    retention: tuple[_RetentionForm, ...]


def read_figures(file: Path = BOOKS / "cn_figures.yaml") -> Figures:
    """The figures of a file. Raises WrongDataError."""
    form = read(file, _FiguresForm)
    _refuse_doubles(file, (each.id for each in form.retention))
    retention = {each.id: Retention(each.id, each.years, each.since, each.citation) for each in form.retention}
    return Figures(form.version, form.plan_months.most, retention)


class _ClassForm(Form, frozen=True):
    from_days: Annotated[int, msgspec.Meta(ge=0)]
    name: str = msgspec.field(name="class")


class _ClassesForm(Form, frozen=True):
    citation: str
    table: Annotated[tuple[_ClassForm, ...], msgspec.Meta(min_length=1)]


class _LimitationForm(Form, frozen=True):
    years: Positive
    outer_years: Positive
    citation: str


class _ClaimsForm(Form, frozen=True):
    version: str
    classes: _ClassesForm
    limitation: _LimitationForm


def read_claims(file: Path = BOOKS / "cn_claims.yaml") -> Claims:
    """The tables about claims of a file. Raises WrongDataError."""
    form = read(file, _ClaimsForm)
    days = [each.from_days for each in form.classes.table]
    if days[0] or days != sorted(set(days)):
        raise WrongDataError(f"{file.name}: classes do not begin at 0 and go up")
    if form.limitation.outer_years < form.limitation.years:
        raise WrongDataError(f"{file.name}: limitation has an outer limit that comes first")
    classes = tuple(ClaimClass(each.from_days, each.name) for each in form.classes.table)
    return Claims(form.version, classes, Limitation(form.limitation.years, form.limitation.outer_years))


class _ConductForm(Form, frozen=True):
    id: str
    title: Title
    citation: str
    force: Force
    looks_for: Mapping[str, Words]
    only_to_third_persons: bool = False
    may_be_denied: bool = True

    def conduct(self) -> Conduct:
        return Conduct(
            self.id,
            self.title.words(),
            self.citation,
            self.force,
            self.looks_for,
            only_to_third_persons=self.only_to_third_persons,
            may_be_denied=self.may_be_denied,
        )


class _ConductsForm(Form, frozen=True):
    version: str
    conduct: tuple[_ConductForm, ...]


def read_conduct(file: Path = BOOKS / "cn_conduct.yaml") -> tuple[Conduct, ...]:
    """The prohibited conduct of a file. Raises WrongDataError."""
    form = read(file, _ConductsForm)
    _refuse_doubles(file, (each.id for each in form.conduct))
    return tuple(each.conduct() for each in form.conduct)


def _refuse_doubles(file: Path, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise WrongDataError(f"{file.name}: {name} occurs more than once")
        seen.add(name)
