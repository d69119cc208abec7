"""The allocator's part: cases wait until their day is over, and agencies' loads are counted by it.

A case that comes to an agency, or leaves it, counts from the next day that is allotted: whether the allocator hears of
it before or after other lanes have closed their day must make no difference.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import TypeAlias

from services.outreach.agencies.allocation.domain import (
    NOBODY,
    AgencyLoad,
    AllocationRule,
    Allotment,
    AllottedCase,
    PlacementRequest,
    allot,
    in_force,
)
from services.outreach.agencies.placements.register import standings
from services.outreach.allocator.domain.book import AllocationBook, LoadKey
from services.outreach.allocator.domain.waiting import MOST_CARRIES, is_given_up, ready, request_key, still_waiting
from shared.contracts import placements
from shared.contracts.envelope import Event, Moment, Told
from shared.frozen import replace
from shared.messaging.sharding import shard_of

Decision: TypeAlias = tuple[AllocationBook, Sequence[Told]]
Rules: TypeAlias = Sequence[AllocationRule]

NO_RULE = "no rule of allocation is in force"


def on_requested(state: AllocationBook, event: Event[placements.PlacementRequested], _now: Moment) -> Decision:
    """Let a case wait for the end of its day."""
    asked = event.data
    request = PlacementRequest(
        debtor_id=event.debtor_id,
        plan_number=asked.plan_number,
        step_number=asked.step_number,
        past_due=asked.past_due,
        currency=asked.currency,
        tier=asked.tier,
        tried=asked.tried,
        requested_on=asked.requested_on,
        case_version=event.case_version,
    )
    return replace(state, placement_requests={**state.placement_requests, request_key(request): request}), ()


# -- what agencies hold ------------------------------------------------------------------------------------------------


def on_offered(state: AllocationBook, event: Event[placements.PlacementOffered], _now: Moment) -> Decision:
    """Count a case that a supervisor has offered; one that was allotted was counted when it was."""
    by_supervisor = event.data.chosen is placements.Chosen.BY_SUPERVISOR
    return (_counted(state, event.debtor_id, event.data.agency_id, 1) if by_supervisor else state), ()


def on_left(
    state: AllocationBook, event: Event[placements.PlacementEnded] | Event[placements.PlacementNotOffered], _now: Moment
) -> Decision:
    """Count a case that an agency does not have any more, or after all."""
    return _counted(state, event.debtor_id, event.data.agency_id, -1), ()


def _counted(state: AllocationBook, debtor_id: str, agency_id: str, cases: int) -> AllocationBook:
    lane = shard_of(debtor_id)
    after = max((reached for reached, closed in state.closings if closed == lane), default=date.min)
    key: LoadKey = (agency_id, after)
    known = state.agency_loads.get(key, AgencyLoad(*key, 0))
    return replace(state, agency_loads={**state.agency_loads, key: replace(known, cases=known.cases + cases)})


# -- the end of a day --------------------------------------------------------------------------------------------------


def placements_allotted(rules: Rules, state: AllocationBook, reached: date, now: Moment) -> Decision:
    """Allot the cases that were asked for before a date that every lane has reached."""
    asked = ready(state.placement_requests, reached)
    held = _held(state.agency_loads.values(), reached)
    rule = in_force(rules, reached)
    made = Allotment() if rule is None else allot(rule, standings(now), held, asked, reached)
    held.update(each.agency_id for each in made.allotted)
    state = replace(
        state,
        agency_loads=_loads(state.agency_loads, held, reached),
        placement_requests=still_waiting(state.placement_requests, made.left, reached),
    )
    return state, [_not_allotted(each, NO_RULE) for each in asked] if rule is None else _facts(rule, made)


def _held(loads: Iterable[AgencyLoad], reached: date) -> Counter[str]:
    held: Counter[str] = Counter()
    for load in loads:
        if load.counted_after < reached:
            held[load.agency_id] += load.cases
    return held


def _loads(loads: Mapping[LoadKey, AgencyLoad], held: Counter[str], reached: date) -> dict[LoadKey, AgencyLoad]:
    """What agencies hold, in one row each, beside what counts later only."""
    later = {key: load for key, load in loads.items() if load.counted_after >= reached}
    now = {(name, date.min): AgencyLoad(name, date.min, cases) for name, cases in held.items() if cases}
    return {**later, **now}


def _facts(rule: AllocationRule, made: Allotment) -> list[Told]:
    given_up = f"no agency had room on {MOST_CARRIES + 1} business days"
    waited = [_not_allotted(each, given_up) for each in made.left if is_given_up(each)]
    refused = [_not_allotted(each, NOBODY) for each in made.refused]
    return [*(_allotted(rule, each) for each in made.allotted), *waited, *refused]


def _allotted(rule: AllocationRule, made: AllottedCase) -> Told:
    payload = placements.PlacementAllotted(
        plan_number=made.request.plan_number,
        step_number=made.request.step_number,
        agency_id=made.agency_id,
        days=rule.days,
        chosen=placements.Chosen(made.chosen),
        rule_version=rule.version,
        reason=made.reason,
    )
    return Told(payload, case_version=made.request.case_version, debtor_id=made.request.debtor_id)


def _not_allotted(request: PlacementRequest, reason: str) -> Told:
    payload = placements.PlacementNotAllotted(
        plan_number=request.plan_number, step_number=request.step_number, reason=reason
    )
    return Told(payload, case_version=request.case_version, debtor_id=request.debtor_id)
