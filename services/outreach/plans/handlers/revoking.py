"""What a stop takes from people: the permits that they hold, and the work that they have or wait for."""

from collections.abc import Iterable

from services.outreach.contacts.domain import course
from services.outreach.contacts.domain.rows import Contact, ContactState
from services.outreach.plans.domain.rows import DebtorPlans
from services.outreach.plans.handlers.reserving import kept, not_made_told
from services.outreach.plans.handlers.telling import Decision
from services.outreach.work import domain as work
from services.outreach.work.domain import WorkState
from shared.contracts.envelope import Moment
from shared.frozen import replace


def revoked(state: DebtorPlans, reason: str, now: Moment) -> Decision:
    """Take back every permit that a person holds, and withdraw all work."""
    return _taken_back(_without_work(state, reason, now), unused(state), reason, now)


def withdrawn(state: DebtorPlans, reason: str, now: Moment) -> Decision:
    """Withdraw all work with the permits for it; what people do beside the plan goes on."""
    held = [contact for contact in unused(state) if contact.plan_number]
    return _taken_back(_without_work(state, reason, now), held, reason, now)


def taken_from(holder: str, state: DebtorPlans, reason: str, now: Moment) -> Decision:
    """Take back every permit that one holder has not used."""
    return _taken_back(state, [each for each in unused(state) if each.asked_by == holder], reason, now)


def unused(state: DebtorPlans) -> list[Contact]:
    """The permits of people of which nobody has said that they were used."""
    return [each for each in state.contacts.values() if each.by_hand and each.state is ContactState.SENDING]


def _without_work(state: DebtorPlans, reason: str, now: Moment) -> DebtorPlans:
    """All work is of the plan that runs, which has been stopped."""
    gone = {
        key: work.ended(item, WorkState.WITHDRAWN, reason, now.instant)
        for key, item in state.work_items.items()
        if not item.settled
    }
    return replace(state, work_items={**state.work_items, **gone}) if gone else state


def _taken_back(state: DebtorPlans, permits: Iterable[Contact], reason: str, now: Moment) -> Decision:
    facts = []
    for permit in permits:
        gone = course.taken_back(permit, f"{course.REVOKED}{reason}", now.instant)
        state = kept(state, gone, now.instant)
        facts.append(not_made_told(state, gone))
    return state, tuple(facts)
