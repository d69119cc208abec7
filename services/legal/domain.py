"""Which claims may be pursued at law: the screen as rules over data, without I/O.

Amounts are integer minor units of one currency and never summed across currencies.
"""

import calendar
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date


class ContradictionError(ValueError):
    """The screening data contradicts itself; the text is one line that names the part at fault."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What is past due in one currency, and since when."""

    currency: str
    past_due: int
    oldest_due_on: date


@dataclass(frozen=True, slots=True)
class Screening:
    """One version of the screen: the least claim by currency, and the limitation period in years."""

    version: str
    minimum_claim: Mapping[str, int]
    limitation_years: int
    limitation_source: str

    def __post_init__(self) -> None:
        """Raise ContradictionError where a number cannot be meant."""
        if not self.minimum_claim:
            raise ContradictionError("minimum_claim: no currency is named")
        for currency, least in self.minimum_claim.items():
            if least < 1:
                raise ContradictionError(f"minimum_claim: {currency} {least} is below 1")
        if self.limitation_years < 1:
            raise ContradictionError(f"limitation_period: {self.limitation_years} years is below 1")


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a screen ended: the claims that passed, by which rule, and why in words; none passed means declined."""

    rule: str
    reason: str
    passed: tuple[Claim, ...] = ()


def claims_of(loans: Iterable[tuple[str, int, date | None]]) -> tuple[Claim, ...]:
    """What is past due by currency, in order of the currency, from (currency, past due, oldest due date) per loan."""
    claims: dict[str, Claim] = {}
    for currency, past_due, oldest_due_on in loans:
        if past_due <= 0 or oldest_due_on is None:
            continue
        before = claims.get(currency, Claim(currency, 0, oldest_due_on))
        oldest = min(before.oldest_due_on, oldest_due_on)
        claims[currency] = Claim(currency, before.past_due + past_due, oldest)
    return tuple(claims[currency] for currency in sorted(claims))


def last_day_to_sue(due_on: date, years: int, interruptions: Iterable[date] = ()) -> date:
    """The last day of a limitation period of whole years: the same day of the year, or the last day of its month.

    A demand that reached the debtor, or an acknowledgement, begins the period anew; after its end it changes nothing.
    """
    last = _years_later(due_on, years)
    for interruption in sorted(interruptions):
        if due_on <= interruption <= last:
            last = _years_later(interruption, years)
    return last


def _years_later(day: date, years: int) -> date:
    year = day.year + years
    return day.replace(year=year, day=min(day.day, calendar.monthrange(year, day.month)[1]))


def screen(
    screening: Screening, *, claims: Sequence[Claim], case_is_open: bool, matter_is_open: bool, on: date
) -> Verdict:
    """Pass each claim that is large enough and not time-barred on `on`; decline with the rule that stood in the way."""
    if matter_is_open:
        return Verdict("no_open_matter", "a matter is open")
    if not case_is_open:
        return Verdict("case_open", "the case is not open")
    large = [claim for claim in claims if _is_large(screening, claim)]
    if not large:
        return Verdict("minimum_claim", _too_small(screening, claims))
    timely = tuple(one for one in large if on <= last_day_to_sue(one.oldest_due_on, screening.limitation_years))
    if not timely:
        return Verdict("limitation_period", f"the claim is older than {screening.limitation_years} years")
    return Verdict("minimum_claim and limitation_period", "large enough and in time", timely)


def _is_large(screening: Screening, claim: Claim) -> bool:
    least = screening.minimum_claim.get(claim.currency)
    return least is not None and claim.past_due >= least


def _too_small(screening: Screening, claims: Sequence[Claim]) -> str:
    if not claims:
        return "nothing is past due"
    if all(claim.currency not in screening.minimum_claim for claim in claims):
        return "no minimum claim is set for the currency"
    return "the claim is below the minimum"
