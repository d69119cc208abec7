"""How a case comes to an agency, and how it leaves one that does not want it."""

from dataclasses import dataclass
from datetime import timedelta

from services.outreach.agencies.placements.commands import (
    AcceptPlacement,
    DeclinePlacement,
    HandBackPlacement,
    OfferPlacement,
)
from services.outreach.agencies.placements.domain import placement as rules
from services.outreach.agencies.placements.domain.agency import AgencyStanding
from services.outreach.agencies.placements.domain.placement import (
    WORKED,
    WORKED_BY_AN_AGENCY,
    Change,
    Chosen,
    Owed,
    Placement,
    PlacementEnd,
    PlacementState,
    Practice,
    TriedAgency,
)
from services.outreach.agencies.placements.handlers.keeping import (
    agency_that_may,
    changed,
    ended,
    in_state,
    kept,
    live_placement,
    placement_named,
)
from services.outreach.agencies.placements.handlers.wanting import after_acceptance
from services.outreach.plans.domain.course import guard_of, without_visits
from services.outreach.plans.domain.rows import CaseStatus, DebtorPlans, Guard, StepState
from services.outreach.plans.handlers.revoking import withdrawn
from services.outreach.plans.handlers.telling import Decision, step_ended, told
from shared.contracts import placements
from shared.contracts.envelope import Event, Moment, derived_id
from shared.frozen import replace
from shared.service import Rejected


@dataclass(frozen=True, slots=True)
class Offer:
    """Which agency is to have a case, for how long, and who has chosen it, for which step of a plan if for one."""

    cause: str
    agency_id: str
    days: int
    by: str
    chosen: Chosen = Chosen.BY_SUPERVISOR
    rule_version: str = ""
    plan_number: int = 0
    step_number: int = 0


def on_offer(practice: Practice, state: DebtorPlans, event: Event[OfferPlacement], now: Moment) -> Decision:
    """Offer a case to an agency. Raises Rejected, with the field that stands in the way."""
    return offered(practice, state, Offer(event.id, event.data.agency_id, event.data.days, event.actor), now)


def offered(practice: Practice, state: DebtorPlans, asked: Offer, now: Moment) -> Decision:
    """Offer a case, whoever has chosen the agency. Raises Rejected, with the field that stands in the way."""
    guard = _placeable(state)
    if asked.agency_id in state.tried_agencies:
        raise Rejected("this agency was offered the case before", field="agency_id")
    standing = agency_that_may(now, asked.agency_id)
    if asked.days > practice.most_days:
        raise Rejected(f"a placement lasts {practice.most_days} days at most", field="days")
    placement = _offered(practice, state, guard, asked, standing, now)
    tried = {**state.tried_agencies, asked.agency_id: TriedAgency(asked.agency_id, accepted=False)}
    state = kept(replace(state, tried_agencies=tried), placement, changed(placement, Change.OFFERED, now))
    return state, (told(state, _offer_told(placement)),)


def _placeable(state: DebtorPlans) -> Guard:
    guard = guard_of(state, "")
    if guard.status is not CaseStatus.OPEN:
        raise Rejected("the debtor has no open case", field="debtor_id")
    if live_placement(state) is not None:
        raise Rejected("the case is placed already", field="debtor_id")
    if guard.past_due <= 0 or not guard.currency:
        raise Rejected("nothing is past due", field="debtor_id")
    return guard


def _offered(
    practice: Practice,
    state: DebtorPlans,
    guard: Guard,
    asked: Offer,
    standing: AgencyStanding,
    now: Moment,
) -> Placement:
    tier, today = rules.tier_of(state.tried_agencies.values()), now.business_date
    if standing.commission_of(tier) is None:
        raise Rejected("no commission is agreed with this agency", field="agency_id")
    return Placement(
        placement_id=derived_id(asked.cause, "placement"),
        agency_id=standing.agency_id,
        tier=tier,
        state=PlacementState.OFFERED,
        lender_id=guard.lender_id,
        amount=guard.past_due,
        currency=guard.currency,
        owed=owed_of(guard),
        offered_at=now.instant,
        offered_on=today,
        offered_by=asked.by,
        answer_by=today + timedelta(practice.answer_days),
        ends_on=min(today + timedelta(asked.days), standing.contract_until),
        chosen=asked.chosen,
        rule_version=asked.rule_version,
        plan_number=asked.plan_number,
        step_number=asked.step_number,
    )


def owed_of(guard: Guard) -> Owed:
    """What is owed in the case as it was last told."""
    return Owed(guard.past_due, guard.currency, guard.oldest_due_on, guard.loans)


def _offer_told(placement: Placement) -> placements.PlacementOffered:
    return placements.PlacementOffered(
        placement_id=placement.placement_id,
        agency_id=placement.agency_id,
        amount=placement.amount,
        currency=placement.currency,
        tier=placement.tier,
        offered_on=placement.offered_on,
        ends_on=placement.ends_on,
        chosen=placements.Chosen(placement.chosen),
        rule_version=placement.rule_version,
    )


def on_accept(practice: Practice, state: DebtorPlans, event: Event[AcceptPlacement], now: Moment) -> Decision:
    """Have the agency work the case: what we had begun of our own is given up. Raises Rejected."""
    offer = in_state(placement_named(state, event.data.placement_id, event.actor), PlacementState.OFFERED)
    standing = agency_that_may(now, offer.agency_id, field="placement_id")
    civil = practice.day_of(guard_of(state, "").jurisdiction, now.instant)
    taken = rules.accepted(offer, standing, min(civil, now.business_date), now.business_date, now.instant)
    tried = {**state.tried_agencies, taken.agency_id: TriedAgency(taken.agency_id, accepted=True)}
    state = kept(replace(state, tried_agencies=tried), taken, changed(taken, Change.ACCEPTED, now))
    payload = placements.PlacementAccepted(placement_id=taken.placement_id, agency_id=taken.agency_id)
    state, brought = after_acceptance(state, taken, now)
    state, given_up = _given_up(state, now)
    return state, (told(state, payload), *brought, *given_up)


def _given_up(state: DebtorPlans, now: Moment) -> Decision:
    """End what waits for people or crews of our own; the rest of the plan ends as it falls due."""
    state, facts = withdrawn(state, WORKED_BY_AN_AGENCY, now)
    said = list(facts)
    for step in sorted(state.steps.values(), key=lambda each: (each.plan_number, each.step_number)):
        if step.state is StepState.REQUESTED:
            state, told_of_it = step_ended(state, step, StepState.NOT_DISPATCHED, WORKED_BY_AN_AGENCY, now)
            said += told_of_it
    return without_visits(state, now.business_date), tuple(said)


def on_decline(state: DebtorPlans, event: Event[DeclinePlacement], now: Moment) -> Decision:
    """End an offer that the agency does not take. Raises Rejected."""
    offer = in_state(placement_named(state, event.data.placement_id, event.actor), PlacementState.OFFERED)
    return ended(state, offer, PlacementEnd.DECLINED, event.data.reason, now)


def on_hand_back(state: DebtorPlans, event: Event[HandBackPlacement], now: Moment) -> Decision:
    """End a placement that the agency wants no more. Raises Rejected."""
    held = in_state(placement_named(state, event.data.placement_id, event.actor), *sorted(WORKED))
    return ended(state, held, PlacementEnd.HANDED_BACK, event.data.reason, now)
