"""Which crew visits whom: the nearest with room, largest debts first. Pure, and the same in any order of input."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from services.outreach.allocator.domain.waiting import largest_first

EARTH_METRES = 6_371_008.8
"""Mean radius of the earth (IUGG)."""

DETOUR = 1.3
"""Roads are longer than the straight line; 1.3 is the usual factor for large cities."""


@dataclass(frozen=True, slots=True)
class District:
    """An administrative district, placed at its seat, in degrees."""

    code: str
    jurisdiction: str
    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Crew:
    """Two people, known by their staff codes, who visit up to `capacity` debtors a day from their base."""

    code: str
    members: tuple[str, str]
    base: str
    latitude: float
    longitude: float
    capacity: int
    jurisdictions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a crew's base is from a district by road, in metres."""

    metres: int
    crew: str


@dataclass(frozen=True)
class Field:
    """The crews and districts of one version of the data, with every crew's way to every district that it serves."""

    version: str
    crews: tuple[Crew, ...]
    districts: tuple[District, ...]
    reach: Mapping[str, tuple[Reach, ...]] = field(init=False)

    def __post_init__(self) -> None:
        """Measure every way once; nearest first, then by the crew's code."""
        reach = {district.code: _reach(district, self.crews) for district in self.districts}
        object.__setattr__(self, "reach", reach)


def _reach(district: District, crews: Iterable[Crew]) -> tuple[Reach, ...]:
    serving = (crew for crew in crews if district.jurisdiction in crew.jurisdictions)
    ways = [Reach(road_metres(crew, district), crew.code) for crew in serving]
    return tuple(sorted(ways, key=lambda way: (way.metres, way.crew)))


def road_metres(crew: Crew, district: District) -> int:
    """The estimated way by road in metres: the great circle (haversine) times the detour factor."""
    south, north = math.radians(crew.latitude), math.radians(district.latitude)
    east = math.radians(district.longitude - crew.longitude)
    half = math.sin((north - south) / 2) ** 2 + math.cos(south) * math.cos(north) * math.sin(east / 2) ** 2
    return round(2 * EARTH_METRES * math.asin(math.sqrt(half)) * DETOUR)


@dataclass(frozen=True, slots=True)
class VisitRequest:
    """A visit that waits for a crew. `past_due` is a weight in minor units; `carried` counts days without room."""

    debtor_id: str
    plan_number: int
    step_number: int
    district: str
    past_due: int
    currency: str
    requested_on: date
    case_version: int
    carried: int = 0


@dataclass(frozen=True, slots=True)
class Allotted:
    """A request that a crew takes."""

    request: VisitRequest
    crew: str
    metres: int


def unreachable(plan: Field, district: str) -> str:
    """Why no crew could ever go there; empty where one can."""
    if district not in plan.reach:
        return "the district is not known" if district else "the case names no district"
    return "" if plan.reach[district] else "no crew serves the district"


def allot(plan: Field, requests: Iterable[VisitRequest]) -> tuple[list[Allotted], list[VisitRequest]]:
    """One day's visits, and the requests that found no room: largest debt first, then by debtor, plan and step."""
    room = {crew.code: crew.capacity for crew in plan.crews}
    allotted, left = [], []
    for request in largest_first(requests):
        way = next((way for way in plan.reach.get(request.district, ()) if room[way.crew] > 0), None)
        if way is None:
            left.append(request)
        else:
            room[way.crew] -= 1
            allotted.append(Allotted(request, way.crew, way.metres))
    return allotted, left
