"""What a stop takes from people: the permits that they hold, and the work that they have or wait for."""

from collections.abc import Iterable
from dataclasses import replace

from services.outreach.contacts.domain import course
from services.outreach.contacts.domain.rows import Contact, ContactState
from services.outreach.plans.domain.rows import QUEUED, DebtorPlans, StepKey
from services.outreach.plans.handlers.reserving import kept, not_made_told
from services.outreach.plans.handlers.telling import Decision
from services.outreach.work import domain as work
from services.outreach.work.domain import WorkState
from shared.contracts.envelope import Moment


def revoked(state: DebtorPlans, reason: str, now: Moment) -> Decision:
    """Take back every permit that a person holds, and withdraw the work whose step is cancelled."""
    state, _ = _without_cancelled(state, reason, now)
    return _taken_back(state, unused(state), reason, now)


def withdrawn(state: DebtorPlans, reason: str, now: Moment) -> Decision:
    """Withdraw the work whose step is cancelled, with its permits; what people do beside the plan goes on."""
    state, cancelled = _without_cancelled(state, reason, now)
    held = [contact for contact in unused(state) if (contact.plan_number, contact.step_number) in cancelled]
    return _taken_back(state, held, reason, now)


def unused(state: DebtorPlans) -> list[Contact]:
    """The permits of people of which nobody has said that they were used."""
    return [each for each in state.contacts.values() if each.by_hand and each.state is ContactState.SENDING]


def _without_cancelled(state: DebtorPlans, reason: str, now: Moment) -> tuple[DebtorPlans, frozenset[StepKey]]:
    cancelled = frozenset(
        key for key, item in state.work_items.items() if not item.settled and not _is_queued(state, key)
    )
    ended = {
        key: work.ended(state.work_items[key], WorkState.WITHDRAWN, reason, now.instant) for key in sorted(cancelled)
    }
    return replace(state, work_items={**state.work_items, **ended}) if ended else state, cancelled


def _is_queued(state: DebtorPlans, key: StepKey) -> bool:
    step = state.steps.get(key)
    return step is not None and step.state in QUEUED


def _taken_back(state: DebtorPlans, permits: Iterable[Contact], reason: str, now: Moment) -> Decision:
    facts = []
    for permit in permits:
        gone = course.taken_back(permit, f"{course.REVOKED}{reason}", now.instant)
        state = kept(state, gone, now.instant)
        facts.append(not_made_told(state, gone))
    return state, tuple(facts)
