"""Says verdicts in plain words, in English and in Chinese."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

from services.outreach.compliance.domain.pack import Pack
from services.outreach.compliance.domain.verdict import Finding, Verdict
from services.outreach.compliance.domain.words import Force
from services.outreach.compliance.forms.base import Title
from shared.data_files import Form, read

FILE = Path(__file__).parent / "wording.yaml"

Language: TypeAlias = Literal["en", "zh"]


class Wording(Form, frozen=True):
    """The sentences, each in both languages."""

    allowed: Title
    denied: Title
    denied_until: Title
    overridden: Title
    line: Title
    instead: Title
    substitutes: Mapping[str, Title]
    nothing_open: Title
    force: Mapping[Force, Title]
    reasons: Mapping[str, Title]
    names: Mapping[str, Title]


@cache
def wording() -> Wording:
    """The sentences of the file. Raises WrongDataError."""
    return read(FILE, Wording)


def explained(name: str | int, verdict: Verdict, pack: Pack, language: Language) -> str:
    """A verdict in words: a line that says it, then one for each rule in the way."""
    return "\n".join(_lines(name, verdict, pack, language))


def _lines(name: str | int, verdict: Verdict, pack: Pack, language: Language) -> Iterator[str]:
    said = wording()
    following = verdict.next_allowed
    if verdict.allowed:
        yield _in(said.allowed, language).format(id=name)
    elif following is None:
        yield _in(said.denied, language).format(id=name)
    else:
        yield _in(said.denied_until, language).format(id=name, next=following.isoformat(timespec="seconds"))
    rules = {rule.id: rule for rule in pack.rules}
    for finding in verdict.failing:
        rule = rules[finding.rule]
        yield _in(said.line, language).format(
            rule=rule.id,
            title=rule.title[language],
            reason=reason(finding, language),
            citation=rule.citation,
            force=_in(said.force[rule.force], language),
        )
        instead = substitute(rule.id).get(language)
        if instead:
            yield _in(said.instead, language).format(instead=instead)
    for finding in verdict.overridden:
        yield _in(said.overridden, language).format(rule=finding.rule)


def substitute(name: str) -> Mapping[str, str]:
    """What may be done in the place of what a rule or an entry of the conduct book refuses, by language."""
    title = wording().substitutes.get(name)
    return {} if title is None else title.words()


def reason(finding: Finding, language: Language) -> str:
    """Why a rule fails."""
    kind = finding.reason.partition(":")[0]
    read = dict(finding.read)
    if kind == "cap" and not read["days"]:
        kind = "cap_ever"
    shown = {name: _named(value, language) for name, value in read.items()}
    names = ", ".join(_named(value, language) for _, value in finding.read)
    if not shown.get("open", "open"):
        shown["open"] = _in(wording().nothing_open, language)
    return _in(wording().reasons[kind], language).format(**{**shown, "names": names})


def _named(value: str | int, language: Language) -> str:
    title = wording().names.get(str(value))
    return str(value) if title is None else _in(title, language)


def _in(title: Title, language: Language) -> str:
    return title.en if language == "en" else title.zh
