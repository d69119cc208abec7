"""Figures of law that are no rule of contact, and the prohibited conduct that texts are held against."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from services.outreach.compliance.domain.words import Force


@dataclass(frozen=True, slots=True)
class Conduct:
    """Something that no contact may do or say; `looks_for` are turns of phrase that give it away, by language.

    may_be_denied: whether a text may say that it is not done.
    """

    id: str
    title: Mapping[str, str]
    citation: str
    force: Force
    looks_for: Mapping[str, tuple[str, ...]]
    only_to_third_persons: bool = False
    may_be_denied: bool = True


@dataclass(frozen=True, slots=True)
class Retention:
    """A least period for which a kind of record is kept, in years from the date that `since` names."""

    id: str
    years: int
    since: str
    citation: str

    def until(self, begins: date) -> date:
        """The first date on which the record need not be kept any more; of 29 February, 1 March."""
        year = begins.year + self.years
        try:
            return begins.replace(year=year)
        except ValueError:
            return date(year, 3, 1)


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one version."""

    version: str
    plan_months: int
    retention: Mapping[str, Retention]

    def plan_months_ok(self, months: int) -> bool:
        """Whether an instalment agreement may run that long."""
        return 1 <= months <= self.plan_months
