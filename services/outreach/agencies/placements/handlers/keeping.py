"""The one way in which a placement is kept, told, noted for its agency, and ended."""

from services.outreach.agencies.placements.domain import placement as rules
from services.outreach.agencies.placements.domain.agency import AgencyStanding
from services.outreach.agencies.placements.domain.placement import (
    Change,
    Placement,
    PlacementChange,
    PlacementEnd,
    PlacementState,
)
from services.outreach.agencies.placements.handlers.wanting import after_the_end
from services.outreach.agencies.placements.register import standing_of
from services.outreach.plans.domain.rows import DebtorPlans
from services.outreach.plans.handlers.revoking import taken_from
from services.outreach.plans.handlers.telling import Decision, told
from shared.contracts import placements
from shared.contracts.envelope import Moment
from shared.frozen import replace
from shared.service import Rejected

NO_SUCH_PLACEMENT = "no such placement"


def live_placement(state: DebtorPlans) -> Placement | None:
    """The placement that has not ended."""
    return rules.live(state.placements.values())


def placement_known(state: DebtorPlans, placement_id: str, actor: str = "") -> Placement:
    """The placement of that id, ended or not; with an actor, only where it is that agency's.

    Raises Rejected: one of somebody else's is refused as one that does not exist.
    """
    found = state.placements.get(placement_id)
    if found is None or (actor and actor != found.holder):
        raise Rejected(NO_SUCH_PLACEMENT, field="placement_id")
    return found


def placement_named(state: DebtorPlans, placement_id: str, actor: str = "") -> Placement:
    """The live placement of that id; with an actor, only where it is that agency's. Raises Rejected."""
    found = placement_known(state, placement_id, actor)
    if found.settled:
        raise Rejected("the placement has ended", field="placement_id")
    return found


def placement_open(state: DebtorPlans, placement_id: str, now: Moment, actor: str = "") -> Placement:
    """A placement that may still be added to, ended or not; with an actor, only that agency's. Raises Rejected."""
    found = placement_known(state, placement_id, actor)
    if found.accepted_on is None:
        raise Rejected("the placement was not accepted", field="placement_id")
    if not rules.is_open(found.accepted_on, found.ended_on, now.business_date):
        raise Rejected("the placement has ended too long ago", field="placement_id")
    return found


def in_state(placement: Placement, *states: PlacementState) -> Placement:
    """The placement, where it is in one of these states. Raises Rejected."""
    if placement.state not in states:
        raise Rejected(f"the placement is {placement.state.replace('_', ' ')}", field="placement_id")
    return placement


def agency_that_may(now: Moment, agency_id: str, field: str = "agency_id") -> AgencyStanding:
    """How an agency stands that may work cases now. Raises Rejected for one that may not, or is not known."""
    standing = standing_of(now, agency_id)
    reason = "the agency is not on the register" if standing is None else standing.refusal(now.business_date)
    if standing is None or reason:
        raise Rejected(reason, field=field)
    return standing


def kept(state: DebtorPlans, placement: Placement, change: PlacementChange) -> DebtorPlans:
    """Keep a placement with what has happened to it, and when time alone next does something to it."""
    return replace(
        state,
        placements={**state.placements, placement.placement_id: placement},
        placement_due=rules.due_of(placement),
        placement_changes=(*state.placement_changes, change),
    )


def changed(placement: Placement, change: Change, now: Moment, reason: str = "") -> PlacementChange:
    """What has happened to a placement, which is as it is now."""
    return PlacementChange(
        agency_id=placement.agency_id,
        placement_id=placement.placement_id,
        change=change,
        state=placement.state,
        changed_at=now.instant,
        changed_on=now.business_date,
        reason=reason,
    )


def ended(state: DebtorPlans, placement: Placement, end: PlacementEnd, reason: str, now: Moment) -> Decision:
    """End a placement, and take back every permit that its agency has not used."""
    over = rules.ended(placement, end, reason, now.business_date, now.instant)
    state = kept(state, over, changed(over, Change.ENDED, now, reason))
    state, taken = taken_from(over.holder, state, f"the placement has ended: {end.replace('_', ' ')}", now)
    payload = placements.PlacementEnded(
        placement_id=over.placement_id, agency_id=over.agency_id, end=placements.PlacementEnd(end), reason=reason
    )
    state, next_of_it = after_the_end(state, over, placement.state, now)
    return state, (told(state, payload), *taken, *next_of_it)
