"""How a person is to be treated: three tiers by cause and course (S3.9), and the matrix of ability and willingness.

Rules are tried in order, and the first that holds decides. What is not known is "unknown": without a single contact
the tier follows from days past due and from history alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from services.segmentation.domain.ladder import ContradictionError, days_past_due
from shared.frozen import replace

UNKNOWN = "unknown"


class Tier(StrEnum):
    """How much stands in the way of repayment: a temporary cause, a business that may recover, or will and time."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class Known:
    """What contacts and history say of a person; `recorded_on` is the day of the last contact that said anything."""

    cause: str = UNKNOWN
    ability: str = UNKNOWN
    willingness: str = UNKNOWN
    result: str = ""
    recorded_on: date | None = None
    promises_kept: int = 0
    promises_broken: int = 0
    relapses: int = 0

    def forgotten(self) -> "Known":
        """The same without what contacts said; history stays."""
        return replace(self, cause=UNKNOWN, ability=UNKNOWN, willingness=UNKNOWN, result="", recorded_on=None)


@dataclass(frozen=True, slots=True)
class TierRule:
    """Puts into `tier` whoever fulfils every condition that is named; without a tier the matrix says it, if it does."""

    name: str
    tier: Tier | None
    causes: tuple[str, ...] = ()
    results: tuple[str, ...] = ()
    days_from: int | None = None
    broken_from: int = 0
    relapses_from: int = 0

    def holds(self, known: Known, days: int) -> bool:
        """Whether every condition named is fulfilled."""
        return (
            (not self.causes or known.cause in self.causes)
            and (not self.results or known.result in self.results)
            and (self.days_from is None or days >= self.days_from)
            and known.promises_broken >= self.broken_from
            and known.relapses >= self.relapses_from
        )

    @property
    def is_certain(self) -> bool:
        """Whether it decides about everybody."""
        return self.tier is not None and self.holds(Known(), -(10**6))


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the matrix: how people of that ability and willingness are approached; no tier where none follows."""

    segment: str
    tier: Tier | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The tier and the segment, by which rule."""

    tier: Tier
    segment: str
    rule: str


@dataclass(frozen=True, slots=True)
class Pauses:
    """How far a promise pauses: some days beyond its date, never longer than `longest_days` from when it was made.

    Who has broken `until_broken` promises pauses nothing with another.
    """

    grace_days: int
    longest_days: int
    until_broken: int


@dataclass(frozen=True, slots=True)
class Tiers:
    """One version of the rules and the matrix. What a contact said counts for `said_days`."""

    version: str
    source: str
    said_days: int
    pauses: Pauses
    rules: tuple[TierRule, ...]
    matrix: Mapping[tuple[str, str], Cell]

    def __post_init__(self) -> None:
        """Check that somebody of whom nothing is known gets a tier, and that no rule is out of reach."""
        certain = [rule.name for rule in self.rules if rule.is_certain]
        if not self.rules or certain != [self.rules[-1].name]:
            raise ContradictionError("rules: the last rule, and no other, must hold for everybody and name a tier")
        if len({rule.name for rule in self.rules}) < len(self.rules):
            raise ContradictionError("rules: a name occurs more than once")

    def decide(self, known: Known, days: int) -> Verdict:
        """The tier of somebody so many days past due."""
        cell = self.matrix[known.ability, known.willingness]
        for rule in self.rules:
            tier = rule.tier or cell.tier
            if tier is not None and rule.holds(known, days):
                return Verdict(tier, cell.segment, rule.name)
        raise AssertionError(self.version)  # the last rule holds for everybody

    def next_day(self, oldest_due_on: date, on: date) -> date | None:
        """The next date after `on` at which days past due alone may change the tier; None where there is none."""
        days = days_past_due(oldest_due_on, on)
        coming = [rule.days_from for rule in self.rules if rule.days_from is not None and rule.days_from > days]
        return oldest_due_on + timedelta(min(coming)) if coming else None

    def said_until(self, known: Known) -> date | None:
        """The first date on which what contacts said counts no more; None where they said nothing."""
        return None if known.recorded_on is None else known.recorded_on + timedelta(self.said_days)

    def pause_ends_on(self, made_on: date, promised_on: date) -> date:
        """The first date on which a promise that nobody has settled pauses nothing any more."""
        by_promise = promised_on + timedelta(self.pauses.grace_days)
        return min(by_promise, made_on + timedelta(self.pauses.longest_days)) + timedelta(1)
