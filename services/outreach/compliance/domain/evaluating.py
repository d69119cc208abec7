"""The engine: holds an attempt and its history against a pack.

The next allowed instant is found without trying instants out. Each failing rule says until when it certainly fails; the
latest of these is where all are asked again, until no rule moves it: the earliest instant at which all pass.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone, tzinfo

from services.outreach.compliance.domain.attempt import Attempt, Case, Contact, Override
from services.outreach.compliance.domain.hours import SEARCHED_DAYS
from services.outreach.compliance.domain.pack import Pack
from services.outreach.compliance.domain.rule import Rule
from services.outreach.compliance.domain.verdict import Finding, Verdict
from services.outreach.compliance.domain.words import Direction
from services.outreach.compliance.domain.zones import DAY, NEVER

SEARCHED = SEARCHED_DAYS * DAY
_ALLOWED_ALWAYS = Verdict(allowed=True)


def evaluate(attempt: Attempt, history: Sequence[Contact], pack: Pack, overrides: Iterable[Override] = ()) -> Verdict:
    """Whether a pack allows an attempt after this history, why not, and when next.

    What a person begins is never refused. An override waives the rule that it names where the rule allows that.
    """
    if attempt.direction is Direction.IN:
        return _ALLOWED_ALWAYS
    case = Case(attempt, history)
    rules = [rule for rule in pack.concerned(attempt) if not rule.conditions or rule.applies(case.attributes)]
    at = case.second
    evaluated = tuple([rule.look(case, at) for rule in rules if rule.begins <= at < rule.ends])
    failing = tuple([finding for finding in evaluated if finding.reason])
    if not failing:
        return Verdict(True, (), evaluated)
    waived = _waived(rules, overrides)
    standing = tuple(finding for finding in failing if finding.rule not in waived)
    overridden = tuple(finding for finding in failing if finding.rule in waived)
    if not standing:
        return Verdict(True, (), evaluated, None, overridden)
    next_second = _next([rule for rule in rules if rule.id not in waived], case)
    following = None if next_second is None else _told(next_second, _zone(rules, standing, case))
    return Verdict(False, standing, evaluated, following, overridden)


def _waived(rules: Iterable[Rule], overrides: Iterable[Override]) -> set[str]:
    """The rules that may be waived and are, each by its own right and with a reason."""
    given = {(each.rule, each.right) for each in overrides if each.by.strip() and each.reason.strip()}
    return {rule.id for rule in rules if rule.override and (rule.id, rule.override) in given} if given else set()


def _next(rules: Sequence[Rule], case: Case) -> int | None:
    """The first second, from the request on, at which all rules pass."""
    instant, last = case.second, case.second + SEARCHED
    while True:
        cleared = _cleared(rules, case, instant)
        if cleared is None or cleared[0] == instant:
            return None if cleared is None else instant
        instant, by_hours_alone = cleared
        last = last if by_hours_alone else instant + SEARCHED
        if instant > last:  # hours that do not meet in all that time do not until one of their rules is repealed
            instant = min(rule.ends for rule in rules if rule.ends > instant)
            last = instant + SEARCHED


def _cleared(rules: Iterable[Rule], case: Case, instant: int) -> tuple[int, bool] | None:
    """Until when some rule certainly fails, and whether only hours of the day say so; None where one fails for ever."""
    by_hours_alone = True
    for rule in rules:
        cleared = rule.clear(case, instant)
        if cleared is None or cleared >= NEVER:
            return None
        if cleared > instant and (cleared == rule.ends or not rule.recurs()):
            by_hours_alone = False
        instant = cleared
    return instant, by_hours_alone


def _told(second: int, zone: tzinfo | None) -> datetime:
    """An instant at its zone's offset: with the zone itself, an hour that comes twice equals nothing elsewhere."""
    local = datetime.fromtimestamp(second, zone)
    return local.replace(tzinfo=timezone(local.utcoffset() or timedelta()), fold=0)


def _zone(rules: Iterable[Rule], failing: Sequence[Finding], case: Case) -> tzinfo | None:
    """The zone to tell an instant in: of the first failing rule that has one, else of any rule, else the request's."""
    names = {finding.rule for finding in failing}
    by_failing = sorted(rules, key=lambda rule: rule.id not in names)
    zones = next((rule.zones_for(case) for rule in by_failing if rule.zones_for(case)), ())
    return zones[0].info if zones else case.attempt.at.tzinfo
