"""Reads templates and what they are held against, and refuses a template that the linter refuses."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated

import msgspec

from services.outreach.compliance.store import read_conduct
from services.outreach.templates.domain.linting import Book, Clause, Finding, lint
from services.outreach.templates.domain.rendering import Fields, Rendered, render
from services.outreach.templates.domain.template import (
    PLACEHOLDERS,
    Audience,
    Channel,
    FlawedTemplateError,
    Language,
    Purpose,
    Template,
    Text,
    Tone,
)
from shared.data_files import Form, WrongDataError, read

FOLDER = Path(__file__).parent
TEXTS = FOLDER / "texts"
LANGUAGES: tuple[Language, ...] = ("zh-CN", "en")

Name = Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_]*$")]
Words = Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]


class RefusedWordingError(ValueError):
    """A text may not be sent; `findings` say why, and the text names their rules only."""

    def __init__(self, template: str, findings: tuple[Finding, ...]) -> None:
        super().__init__(f"{template} is refused: {', '.join(sorted({each.rule for each in findings}))}")
        self.findings = findings


class UnknownTemplateError(LookupError):
    """No version of a template may be used on a day."""


# -- the book ----------------------------------------------------------------------------------------------------------


class _TitleForm(Form, frozen=True):
    en: str
    zh: str


class _SaysForm(Form, frozen=True):
    en: Words
    zh: Words


class _ClauseForm(Form, frozen=True):
    id: Name
    title: _TitleForm
    citation: Annotated[str, msgspec.Meta(min_length=1)]
    channels: frozenset[Channel] = frozenset()
    audiences: frozenset[Audience] = frozenset()
    purposes: frozenset[Purpose] = frozenset()
    shows: tuple[str, ...] = ()
    says: _SaysForm | None = None
    before: tuple[str, ...] = ()

    def clause(self) -> Clause:
        return Clause(
            self.id,
            self.citation,
            {"en": self.title.en, "zh": self.title.zh},
            self.channels,
            self.audiences,
            self.purposes,
            self.shows,
            {"en": self.says.en, "zh": self.says.zh} if self.says else {},
            self.before,
        )


class _ClausesForm(Form, frozen=True):
    version: str
    clauses: tuple[_ClauseForm, ...]


class _TraditionalForm(Form, frozen=True):
    pairs: str


def read_clauses(file: Path = FOLDER / "clauses.yaml") -> tuple[Clause, ...]:
    """The clauses of a file. Raises WrongDataError."""
    form = read(file, _ClausesForm)
    for each in form.clauses:
        unknown = sorted({*each.shows, *each.before} - PLACEHOLDERS.keys())
        if unknown:
            raise WrongDataError(f"{file.name}: {each.id} has a placeholder {unknown[0]} that is not in the list")
    _refuse_doubles(file, (each.id for each in form.clauses))
    return tuple(each.clause() for each in form.clauses)


def read_traditional(file: Path = FOLDER / "traditional.yaml") -> Mapping[str, str]:
    """The simplified character of each traditional one. Raises WrongDataError."""
    pairs = read(file, _TraditionalForm).pairs.split()
    return {traditional: pair[0] for pair in pairs for traditional in pair[1:]}


@cache
def book() -> Book:
    """What texts are held against. Raises WrongDataError."""
    return Book(read_conduct(), read_clauses(), read_traditional())


# -- templates ---------------------------------------------------------------------------------------------------------


class _TextForm(Form, frozen=True):
    body: Annotated[str, msgspec.Meta(min_length=1)]
    subject: str = ""


class _TemplateForm(Form, frozen=True):
    id: Name
    version: Annotated[int, msgspec.Meta(ge=1)]
    channel: Channel
    audience: Audience
    purpose: Purpose
    tone: Tone
    effective_from: date
    approved_by: tuple[Name, Name]
    texts: Mapping[Language, _TextForm]
    clauses: frozenset[str] = frozenset()
    valid_until: date | None = None

    def template(self) -> Template:
        texts = {language: Text(text.subject, text.body.strip()) for language, text in self.texts.items()}
        fields = {name: getattr(self, name) for name in self.__struct_fields__ if name != "texts"}
        return Template(**fields, texts=texts)


def read_template(file: Path) -> Template:
    """The template of a file, whatever the linter says of it. Raises WrongDataError."""
    form = read(file, _TemplateForm)
    lacking = [language for language in LANGUAGES if language not in form.texts]
    unknown = sorted(form.clauses - {clause.id for clause in book().clauses})
    if lacking:
        raise WrongDataError(f"{file.name}: {form.id} has no text in {lacking[0]}")
    if unknown:
        raise WrongDataError(f"{file.name}: {form.id} has a clause {unknown[0]} that is not known")
    if file.name != f"{form.id}.v{form.version}.yaml":
        raise WrongDataError(f"{file.name}: {form.id} of version {form.version} is in a file of another name")
    try:
        return form.template()
    except FlawedTemplateError as error:
        raise WrongDataError(f"{file.name}: {form.id} {error}") from None


def read_templates(folder: Path = TEXTS) -> tuple[Template, ...]:
    """All versions of all templates of a folder. Raises WrongDataError."""
    return tuple(read_template(file) for file in sorted(folder.glob("*.yaml")))


def _refuse_doubles(file: Path, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise WrongDataError(f"{file.name}: {name} occurs more than once")
        seen.add(name)


class _SampleForm(Form, frozen=True):
    salutation: str
    debtor: str
    agency: str
    lender: str
    collector: str
    phone_line: str
    complaint_line: str
    opt_out: str
    reference: str
    amount: int
    currency: str
    due_on: date
    pay_by: date
    reply_by: date


@cache
def samples() -> Mapping[Language, Fields]:
    """Made-up fields for every placeholder, by language. Raises WrongDataError."""
    forms = read(FOLDER / "samples.yaml", dict[Language, _SampleForm])
    return {language: msgspec.structs.asdict(form) for language, form in forms.items()}


def sample_findings(template: Template) -> Mapping[Language, tuple[Finding, ...]]:
    """What the linter says of a template with made-up fields, by language."""
    made = {language: render(template, samples()[language], language) for language in template.texts}
    return {language: lint(template, each, book()) for language, each in made.items()}


# -- what is said ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wordings:
    """The templates that may be used: none of them has a finding."""

    templates: tuple[Template, ...]

    def effective(self, name: str, on: date) -> Template:
        """The latest version that is effective on a day. Raises UnknownTemplateError."""
        usable = [each for each in self.templates if each.id == name and each.is_effective(on)]
        if not usable:
            raise UnknownTemplateError(f"no version of {name} is effective on {on}")
        return max(usable, key=lambda each: (each.effective_from, each.version))

    def say(self, name: str, fields: Fields, language: Language, on: date) -> Rendered:
        """A text that may be sent. Raises UnknownTemplateError, WrongFieldError, and RefusedWordingError."""
        template = self.effective(name, on)
        rendered = render(template, fields, language)
        findings = lint(template, rendered, book())
        if findings:
            raise RefusedWordingError(name, findings)
        return rendered


def wordings(folder: Path = TEXTS) -> Wordings:
    """The templates of a folder, each linted in every language. Raises WrongDataError, for the first with a finding."""
    templates = read_templates(folder)
    for template in templates:
        for language, findings in sample_findings(template).items():
            if findings:
                first = findings[0]
                raise WrongDataError(
                    f"{template.id}.v{template.version}.yaml: {first.rule} in {language}: {first.words}"
                )
    return Wordings(templates)


@cache
def shipped() -> Wordings:
    """The shipped templates. Raises WrongDataError."""
    return wordings()
