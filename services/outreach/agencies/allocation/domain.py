"""Which agency is offered which case: the rule, its caps, and the part that is drawn. Pure, and the same in any order.

The rule gives a case to the agency that holds the fewest for its weight. A part of all cases, drawn by the debtor's id
alone, goes to any agency that may have it, so that what agencies make of these can be compared: nothing about a case
has led it to one of them rather than another. Capacity and caps hold for both.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

from services.outreach.agencies.placements.domain.agency import AgencyStanding
from services.outreach.agencies.placements.domain.placement import Chosen
from services.outreach.allocator.domain.waiting import largest_first

MILLION = 1_000_000

NOBODY = "no agency may work the case that has not had it"


@dataclass(frozen=True, slots=True)
class AllocationRule:
    """One version of the rule.

    days: how long a placement lasts. random_share_ppm: the part that is drawn. most_a_day: cases that one agency is
    given on one business day. most_share_ppm: of all cases that agencies hold, the part that one may hold. weights: of
    agencies by id, others count 1. The parts are in millionths.
    """

    version: str
    effective_from: date
    days: int
    random_share_ppm: int
    most_a_day: int
    most_share_ppm: int
    weights: Mapping[str, int]

    def weight_of(self, agency_id: str) -> int:
        """How many cases an agency is to hold for each one of an agency of weight 1."""
        return self.weights.get(agency_id, 1)

    def draws(self, debtor_id: str) -> bool:
        """Whether a case is one of those that are drawn: the same whenever it is asked for under this version."""
        return _drawn(self.version, debtor_id, "share") % MILLION < self.random_share_ppm


def _drawn(*of: str) -> int:
    return int.from_bytes(hashlib.sha256("/".join(of).encode()).digest()[:8])


def in_force(rules: Iterable[AllocationRule], on: date) -> AllocationRule | None:
    """The rule that holds on a business date: the one that came into force last; None before the first."""
    return max(
        (each for each in rules if each.effective_from <= on), key=lambda each: each.effective_from, default=None
    )


@dataclass(frozen=True, slots=True)
class PlacementRequest:
    """A case that waits for an agency. `past_due` is a weight in minor units; `carried` counts days without room."""

    debtor_id: str
    plan_number: int
    step_number: int
    past_due: int
    currency: str
    tier: int
    tried: tuple[str, ...]
    requested_on: date
    case_version: int
    carried: int = 0


@dataclass(frozen=True, slots=True)
class AgencyLoad:
    """So many cases more, or fewer, that an agency holds; counted in what is allotted after that business date."""

    agency_id: str
    counted_after: date
    cases: int


@dataclass(frozen=True, slots=True)
class AllottedCase:
    """A case and the agency that is to be offered it."""

    request: PlacementRequest
    agency_id: str
    chosen: Chosen
    reason: str


@dataclass(frozen=True, slots=True)
class Allotment:
    """What has become of a day's requests: allotted, left for another day, and those that nobody may have."""

    allotted: list[AllottedCase] = field(default_factory=list)
    left: list[PlacementRequest] = field(default_factory=list)
    refused: list[PlacementRequest] = field(default_factory=list)


@dataclass
class Room:
    """What each agency holds while a day is allotted, and what it may still take."""

    rule: AllocationRule
    capacity: Mapping[str, int]
    held: Counter[str]
    given: Counter[str] = field(default_factory=Counter)

    def has(self, agency_id: str) -> bool:
        """Whether one case more is within its capacity and the caps of the rule."""
        more = self.held[agency_id] + 1
        # Rounded up, or the first case of all would be more than any share of it.
        most = -(-self.rule.most_share_ppm * (self.held.total() + 1) // MILLION)
        return more <= min(self.capacity[agency_id], most) and self.given[agency_id] < self.rule.most_a_day

    def take(self, agency_id: str) -> None:
        """Count a case for an agency."""
        self.held[agency_id] += 1
        self.given[agency_id] += 1


def allot(
    rule: AllocationRule,
    agencies: Mapping[str, AgencyStanding],
    held: Mapping[str, int],
    requests: Iterable[PlacementRequest],
    on: date,
) -> Allotment:
    """One day's cases, the largest debt first, then by debtor, plan and step. held: cases by agency, with offers."""
    room = Room(rule, {name: each.capacity for name, each in agencies.items()}, Counter(held))
    made = Allotment()
    for request in largest_first(requests):
        able = sorted(name for name, each in agencies.items() if _may_have(each, request, on))
        with_room = [name for name in able if room.has(name)]
        if with_room:
            made.allotted.append(_chosen(room, with_room, request))
        else:
            (made.left if able else made.refused).append(request)
    return made


def _may_have(agency: AgencyStanding, request: PlacementRequest, on: date) -> bool:
    if agency.agency_id in request.tried or agency.refusal(on):
        return False
    return agency.commission_of(request.tier) is not None and agency.capacity > 0


def _chosen(room: Room, able: list[str], request: PlacementRequest) -> AllottedCase:
    rule = room.rule
    if rule.draws(request.debtor_id):
        place = _drawn(rule.version, request.debtor_id, str(request.tier)) % len(able)
        made = AllottedCase(request, able[place], Chosen.AT_RANDOM, f"drawn, out of {len(able)} with room")
    else:
        least = min(able, key=lambda name: (Fraction(room.held[name], rule.weight_of(name)), name))
        holds = f"holds {room.held[least]} cases at a weight of {rule.weight_of(least)}"
        made = AllottedCase(request, least, Chosen.BY_RULE, f"{holds}, the fewest of {len(able)} with room")
    room.take(made.agency_id)
    return made
