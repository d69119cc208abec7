"""Reads test vectors, one JSON object a line: what is attempted, what was before, by which rules it is judged.

    {"id": "one", "pack": ["CN-W1"], "at": "2026-12-01T22:00:00+08:00", "ch": "sms", "exp": "deny"}

`pack` names rules, or whole packs. What was expected is not read here.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, TypeVar
from zoneinfo import ZoneInfoNotFoundError

from services.outreach.compliance.domain.attempt import LENDER, Attempt, Contact, Span
from services.outreach.compliance.domain.counting import Cap
from services.outreach.compliance.domain.hours import Range, across_midnight, second_of_day
from services.outreach.compliance.domain.pack import Pack
from services.outreach.compliance.domain.words import Channel, Direction, Force, Mode, Outcome, Party
from services.outreach.compliance.domain.zones import second_of, zone_named
from services.outreach.compliance.store import read_claims, read_figures, shipped
from shared.frozen import replace

WordT = TypeVar("WordT", bound=StrEnum)

LENDERS = frozenset({"FI", "lender", "creditor"})
"""Who acts, in vectors, where it is no agency."""

ALWAYS = Span()


class VectorError(ValueError):
    """A vector cannot be read; the text is one line that names the field at fault."""


@dataclass(frozen=True, slots=True)
class Vector:
    """What a vector asks."""

    attempt: Attempt
    history: tuple[Contact, ...]
    pack: Pack


def read_line(line: bytes) -> dict[str, Any]:
    """A line as an object. Raises VectorError."""
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        raise VectorError("not JSON") from None
    if not isinstance(content, dict):
        raise VectorError("not an object")
    return content


def read_vector(content: Mapping[str, Any]) -> Vector:
    """What an object asks. Raises VectorError, and UnknownRuleError for rules that no shipped pack has."""
    names = _list(content, "pack")
    if not names or not all(isinstance(name, str) for name in names):
        raise VectorError("pack: names no rules")
    pack = _pack(tuple(names), content.get("house") is not False, content.get("interp") == "rolling")
    return Vector(read_attempt(content), read_history(content), pack)


@lru_cache(maxsize=4096)
def _pack(names: Sequence[str], house: bool, rolling: bool) -> Pack:  # noqa: FBT001  # keys of a cache
    packs = list(shipped().values())
    whole = {name: [rule.id for rule in pack.rules] for name, pack in shipped().items()}
    chosen = packs[0].overlaid(*packs[1:]).only(rule for name in names for rule in whole.get(name, [name]))
    rules = (rule for rule in chosen.rules if house or rule.force is not Force.HOUSE)
    return replace(
        chosen,
        rules=tuple(replace(rule, rolling=True) if rolling and isinstance(rule, Cap) else rule for rule in rules),
    )


def read_history(content: Mapping[str, Any]) -> tuple[Contact, ...]:
    """What was before. Raises VectorError."""
    return tuple(_contact(entry, f"hist[{index}]") for index, entry in enumerate(_list(content, "hist")))


def read_attempt(content: Mapping[str, Any]) -> Attempt:
    """What is attempted. Raises VectorError."""
    context = content.get("ctx") or {}
    if not isinstance(context, dict):
        raise VectorError("ctx: not an object")
    party, person = _to(content)
    by = _text(content, "by", None)
    return Attempt(
        at=_instant(content, "at"),
        channel=_word(Channel, content, "ch"),
        party=party,
        person=person,
        debt=_text(content, "debt", "D1"),
        number=_text(content, "num", "A"),
        creditor=_text(content, "creditor", "") or "",
        by=LENDER if by in LENDERS else by,
        direction=_word(Direction, content, "dir", Direction.OUT),
        mode=_word(Mode, content, "mode") if content.get("mode") is not None else None,
        purpose=_text(content, "purpose", "") or "",
        zones=_zones(content),
        flags=_flags(context),
        optouts=frozenset(_word(Channel, {"optouts": word}, "optouts") for word in _list(context, "optouts")),
        holidays=frozenset(_date(day) for day in _list(content, "holidays")),
        attributes=_attributes(context),
    )


def _attributes(context: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is known; a name may say what its value is (`last_evaluation_at`), and an agency may have its own object."""
    agency = context.get("agency")
    stated = {**context, **(agency if isinstance(agency, dict) else {})}
    values = {name: _value(value, name) for name, value in stated.items() if name not in {"flags", "optouts", "agency"}}
    plain = {re.sub("_(at|on|date|days)$", "", name): value for name, value in values.items()}
    return {**plain, **values}


def _contact(entry: object, place: str) -> Contact:
    if not isinstance(entry, dict):
        raise VectorError(f"{place}: not an object")
    try:
        party, person = _to(entry)
        by = _text(entry, "by", None)
        return Contact(
            at=_instant(entry, "t"),
            channel=_word(Channel, entry, "ch"),
            outcome=_word(Outcome, entry, "o"),
            party=party,
            person=person,
            debt=_text(entry, "debt", "D1") or "",
            number=_text(entry, "num", "A") or "",
            creditor=_text(entry, "creditor", "") or "",
            by=LENDER if by is None or by in LENDERS else by,
            direction=_word(Direction, entry, "dir", Direction.OUT),
            mode=_word(Mode, entry, "mode") if entry.get("mode") is not None else None,
            marks=frozenset(name for name, value in entry.items() if value is True),
        )
    except VectorError as error:
        raise VectorError(f"{place}.{error}") from None


def _to(content: Mapping[str, Any]) -> tuple[Party, str]:
    person = _text(content, "to", "debtor") or "debtor"
    return _word(Party, {"to": person.partition(":")[0]}, "to"), person


def _instant(content: Mapping[str, Any], field: str) -> datetime:
    try:
        instant = datetime.fromisoformat(content.get(field, ""))
        second_of(instant)
    except (TypeError, ValueError, OverflowError):
        raise VectorError(f"{field}: not an instant with an offset") from None
    return instant


def _date(text: object) -> date:
    try:
        return date.fromisoformat(str(text))
    except ValueError:
        raise VectorError("holidays: not a date") from None


def _word(words: type[WordT], content: Mapping[str, Any], field: str, otherwise: WordT | None = None) -> WordT:
    value = content.get(field, otherwise)
    try:
        return words(value)
    except ValueError:
        raise VectorError(f"{field}: {value!r} is none of {', '.join(words)}") from None


def _text(content: Mapping[str, Any], field: str, otherwise: str | None) -> str | None:
    value = content.get(field, otherwise)
    if value is not None and not isinstance(value, str):
        raise VectorError(f"{field}: not text")
    return value


def _list(content: Mapping[str, Any], field: str) -> list[Any]:
    value = content.get(field)
    if isinstance(value, str):
        return [value]
    if value is not None and not isinstance(value, list):
        raise VectorError(f"{field}: not a list")
    return value or []


def _zones(content: Mapping[str, Any]) -> tuple[str, ...]:
    names = _list(content, "tz")
    try:
        return tuple(zone_named(name).name for name in names)
    except (ZoneInfoNotFoundError, ValueError, TypeError):
        raise VectorError("tz: not a zone of the IANA database") from None


def _flags(context: Mapping[str, Any]) -> Mapping[str, Span]:
    """Flags with their spans; also what the context says beside them: a plain `true`, or a span."""
    flags = context.get("flags") or {}
    if isinstance(flags, list):
        flags = dict.fromkeys(flags, True)
    if not isinstance(flags, dict):
        raise VectorError("flags: not an object")
    beside = {name: value for name, value in context.items() if value is True or _is_span(value)}
    stated = {name: value for name, value in {**beside, **flags}.items() if name != "flags"}
    return {name: _span(value, name) for name, value in stated.items() if value is not None and value is not False}


def _is_span(value: object) -> bool:
    return isinstance(value, dict) and bool(value) and value.keys() <= {"from", "to"}


def _span(value: object, name: str) -> Span:
    if value is True:
        return ALWAYS
    if not isinstance(value, dict) or not value.keys() <= {"from", "to"}:
        raise VectorError(f"flags.{name}: not a span")
    since, until = (_instant(value, key) if value.get(key) is not None else None for key in ("from", "to"))
    return Span(since, until)


def _value(value: object, name: str) -> object:
    """A value of the context; a list of pairs of times becomes ranges of the day."""
    if not isinstance(value, list):
        return value
    pairs = [each for each in value if isinstance(each, list)]
    return tuple(sorted(r for pair in pairs for r in _ranges(pair, name))) if pairs else tuple(value)


def _ranges(pair: Sequence[object], name: str) -> Iterable[Range]:
    match [second_of_day(each) if isinstance(each, str) else None for each in pair]:
        case [int(opens), int(closes)] if opens != closes:
            return across_midnight(opens, closes)
        case _:
            raise VectorError(f"{name}: not a range of times")


# -- functions ---------------------------------------------------------------------------------------------------------


def call(content: Mapping[str, Any]) -> object:
    """What a function of the books answers. Raises VectorError."""
    name = str(content.get("fn"))
    function = FUNCTIONS.get(name)
    if function is None:
        raise VectorError(f"no function {name}" + (f": {ELSEWHERE[name]}" if name in ELSEWHERE else ""))
    try:
        return function(content.get("in") or {})
    except (KeyError, TypeError, ValueError) as error:
        raise VectorError(f"{name}: cannot be answered ({type(error).__name__} {error})") from None


def _plan_months_ok(given: Mapping[str, Any]) -> bool:
    return read_figures().plan_months_ok(int(given["months"]))


def _retention_until(given: Mapping[str, Any]) -> str:
    retention = read_figures().retention[given["rule"]]
    return retention.until(date.fromisoformat(given[retention.since])).isoformat()


def _cn_five_tier(given: Mapping[str, Any]) -> str:
    return read_claims().class_of(int(given["dpd"]))


def _cn_limitation(given: Mapping[str, Any]) -> str:
    interruptions = [date.fromisoformat(each) for each in given["interruptions"]]
    due_on, on = (date.fromisoformat(given[name]) for name in ("last_due", "on"))
    return "time_barred" if read_claims().limitation.is_over(due_on, interruptions, on) else "open"


FUNCTIONS: Mapping[str, Callable[[Mapping[str, Any]], object]] = {
    "plan_months_ok": _plan_months_ok,
    "retention_until": _retention_until,
    "cn_five_tier": _cn_five_tier,
    "cn_limitation": _cn_limitation,
}
"""What a vector with `fn` may ask: what the books of this package answer."""

ELSEWHERE: Mapping[str, str] = {"bucket": "no verdict on a contact; intake answers it by its reporting schemes"}
"""Questions that belong to another service, which nothing here may call."""
