"""The linter: what of a text the conduct book refuses, what it lacks, and where.

It does not understand; it knows turns of phrase. A text without findings is not thereby lawful, which is why two
persons approve each template. Where it cannot tell a lawful denial from a threat it refuses (see `denials`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from services.outreach.compliance.domain.figures import Conduct
from services.outreach.templates.domain.denials import is_denied
from services.outreach.templates.domain.folding import Folded, folded
from services.outreach.templates.domain.phrases import Occurrence, occurrences
from services.outreach.templates.domain.rendering import Rendered
from services.outreach.templates.domain.template import ABOUT_THE_DEBT, Audience, Channel, Purpose, Template

UNREADABLE = ("TXT-1", "HOUSE: letters that the linter cannot read may hide what it would refuse")
NOT_FOR_OTHERS = (
    "CN-P1",
    "GB/T 45251-2025 cl. 5.3; CBA collection guideline 2026: nothing about a debt to third persons",
)

_BOOK_LANGUAGES = ("zh", "en")


@dataclass(frozen=True, slots=True)
class Clause:
    """Something that texts must say: the values of `shows`, with one of the turns of phrase in `says`.

    Empty channels, audiences or purposes mean all; none of the placeholders in `before` may be shown earlier than it.
    """

    id: str
    citation: str
    title: Mapping[str, str]
    channels: frozenset[Channel]
    audiences: frozenset[Audience]
    purposes: frozenset[Purpose]
    shows: tuple[str, ...]
    says: Mapping[str, tuple[str, ...]]
    before: tuple[str, ...]

    def is_demanded(self, template: Template) -> bool:
        """Whether a template must have it."""
        kinds = (
            (self.channels, template.channel),
            (self.audiences, template.audience),
            (self.purposes, template.purpose),
        )
        return self.id in template.clauses or all(not some or one in some for some, one in kinds)


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a text: the rule, what it is drawn from, the words and where they begin, -1 if they lack."""

    rule: str
    citation: str
    words: str
    position: int


@dataclass(frozen=True, slots=True)
class Book:
    """What texts are held against; `simplified` has the simplified character of each traditional one."""

    conduct: tuple[Conduct, ...]
    clauses: tuple[Clause, ...]
    simplified: Mapping[str, str]


def wrong_words(text: str, audience: Audience, book: Book) -> tuple[Finding, ...]:
    """Everything in a text that may not be said to its reader, in the order of the text."""
    read = folded(text, book.simplified)
    found = list(_found(read, audience, book))
    words = [span for _, occurrence in found for span in occurrence.words]
    findings = {
        Finding(rule.id, rule.citation, said, position)
        for rule, occurrence in found
        for position, said in (read.span(occurrence.whole.begin, occurrence.whole.end),)
        if not (rule.may_be_denied and is_denied(read.text, occurrence.whole, words))
    }
    unreadable = {Finding(*UNREADABLE, text[place], place) for place in read.unreadable[:1]}
    return tuple(sorted(findings | unreadable, key=lambda each: (each.position, each.rule, each.words)))


def _found(read: Folded, audience: Audience, book: Book) -> Iterator[tuple[Conduct, Occurrence]]:
    for rule in book.conduct:
        if audience == "third_person" or not rule.only_to_third_persons:
            for language in _BOOK_LANGUAGES:
                for phrase in rule.looks_for.get(language, ()):
                    yield from ((rule, each) for each in occurrences(phrase, language, read.text))


def lint(template: Template, rendered: Rendered, book: Book) -> tuple[Finding, ...]:
    """All findings on a rendered text of a template: what it lacks, then what it may not say."""
    read = folded(rendered.whole, book.simplified)
    missing = (_missing(clause, read, rendered) for clause in book.clauses if clause.is_demanded(template))
    return (
        *(each for each in missing if each is not None),
        *(_disclosed(rendered.shown) if template.audience == "third_person" else ()),
        *wrong_words(rendered.whole, template.audience, book),
    )


def _disclosed(shown: Mapping[str, str]) -> Iterator[Finding]:
    return (Finding(*NOT_FOR_OTHERS, f"{{{name}}}", -1) for name in sorted(ABOUT_THE_DEBT & shown.keys()))


def _missing(clause: Clause, read: Folded, rendered: Rendered) -> Finding | None:
    """What a clause lacks, if anything."""
    shown = rendered.shown
    unshown = [f"{{{name}}}" for name in clause.shows if not shown.get(name) or shown[name] not in read.source]
    said = _first_said(clause.says.get(rendered.language[:2], ()), rendered.language[:2], read)
    if unshown or said is None:
        return Finding(clause.id, clause.citation, " ".join(unshown) or clause.title["en"], -1)
    earlier = [name for name in clause.before if name in shown and -1 < read.source.find(shown[name]) < said]
    if earlier:
        return Finding(clause.id, clause.citation, f"{{{earlier[0]}}} before it", read.source.find(shown[earlier[0]]))
    return None


def _first_said(phrases: Sequence[str], language: str, read: Folded) -> int | None:
    """Where in the source one of the phrases stands first; 0 where there are none to look for."""
    if not phrases:
        return 0
    places: Sequence[int] = [
        read.span(each.whole.begin, each.whole.end)[0]
        for phrase in phrases
        for each in occurrences(phrase, language, read.text)
    ]
    return min(places, default=None)
