"""The one contact while a promise stands: a reminder before its day, judged as every other, and sent once."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from services.outreach.contacts.domain import course
from services.outreach.contacts.domain.course import Delivery, Wanted
from services.outreach.contacts.domain.judging import Rules
from services.outreach.contacts.domain.rows import Contact, ContactState, Denial
from services.outreach.contacts.points import chosen, counted_as
from services.outreach.outcomes.domain import asked_until
from services.outreach.plans.domain.course import guard_of, standstill
from services.outreach.plans.domain.rows import DebtorPlans
from services.outreach.plans.handlers.reserving import OUTREACH, denial_told, judge_of, reserved
from services.outreach.plans.handlers.standing import has_bad_point
from services.outreach.plans.handlers.telling import Decision, permitted, told
from services.outreach.promises.domain import (
    Promise,
    PromiseState,
    Reminder,
    ReminderDue,
    Terms,
    reminder_key,
    standing,
)
from shared.contracts.envelope import Event, Moment, derived_id
from shared.contracts.intake import SealedContact
from shared.frozen import replace


class _Way(NamedTuple):
    rules: Rules
    channel: str
    template: str
    point: SealedContact | None


def on_reminder_due(
    rules: Mapping[str, Rules] | None,
    terms: Mapping[str, Terms],
    state: DebtorPlans,
    event: Event[ReminderDue],
    now: Moment,
) -> Decision:
    """Remind of a promise that stands, where nothing else stands against it and it is in time. None without `rules`."""
    found = terms.get(guard_of(state, "").jurisdiction)
    promise = state.promises.get(event.data.promise_id)
    if rules is None or found is None or found.reminder is None or promise is None:
        return state, ()
    if not _is_wanted(state, promise) or not found.reminder.is_in_time(promise, now.instant):
        return state, ()
    later = _later(state, now)
    if later is not None:
        return _put_off(state, found.reminder, promise, later), ()
    way = _way(rules, state, found.reminder)
    return (state, ()) if way is None else _judged(way, state, found.reminder, promise, event, now)


def _is_wanted(state: DebtorPlans, promise: Promise) -> bool:
    """Whether it stands, with no stop beside it, and nobody has been reminded of it, or may have been."""
    key = reminder_key(state.debtor_id, promise.promise_id)
    reminded = any(
        each.idempotency_key == key and each.state is not ContactState.NOT_MADE for each in state.contacts.values()
    )
    return promise.state is PromiseState.STANDING and not standstill(state) and not reminded


def _later(state: DebtorPlans, now: Moment) -> datetime | None:
    if course.is_stale(now.heard, now.instant):
        return now.instant + course.LATER
    return asked_until(state.outcomes.values(), now.instant)


def _put_off(state: DebtorPlans, reminder: Reminder, promise: Promise, at: datetime) -> DebtorPlans:
    """Have the reminder fall due again, if it is in time then."""
    if not reminder.is_in_time(promise, at):
        return state
    return replace(state, reminder_due=ReminderDue(promise.promise_id, at, guard_of(state, "").lender_id))


def _way(rules: Mapping[str, Rules], state: DebtorPlans, reminder: Reminder) -> _Way | None:
    """The first channel that is worked here, leads to the debtor, and was not opted out of."""
    for channel, template in reminder.texts.items():
        judge, point = judge_of(rules, state, channel), chosen(state.profile, channel)
        closed = channel in state.opt_outs or has_bad_point(state, channel)
        unreachable = point is None and state.profile is not None
        if not isinstance(judge, str) and not closed and not unreachable:
            return _Way(judge, channel, template, point)
    return None


def _judged(
    way: _Way, state: DebtorPlans, reminder: Reminder, promise: Promise, event: Event[ReminderDue], now: Moment
) -> Decision:
    wanted = Wanted(
        contact_id=derived_id(event.id, "contact"),
        idempotency_key=reminder_key(state.debtor_id, promise.promise_id),
        plan_number=0,
        step_number=0,
        channel=way.channel,
        template=way.template,
        asked_by=OUTREACH,
        case_version=guard_of(state, "").case_version,
        contact_point=way.point.id if way.point else "",
        point=counted_as(way.point),
    )
    state, granted = reserved(way.rules, state, wanted, now)
    if not isinstance(granted, Denial):
        return state, (told(state, permitted(granted)),)
    if granted.next_allowed is not None:
        state = _put_off(state, reminder, promise, granted.next_allowed)
    return state, (denial_told(state, granted),)


def tried_again(
    state: DebtorPlans, failed: Contact, delivery: Delivery, at_least: timedelta, now: Moment
) -> DebtorPlans:
    """Have a reminder that certainly reached nobody fall due again, where that may help; it is then judged anew."""
    promise = standing(state.promises.values())
    reminds = promise is not None and failed.idempotency_key == reminder_key(state.debtor_id, promise.promise_id)
    if promise is None or not reminds or not course.may_be_tried(failed, delivery):
        return state
    at = now.instant + course.pause_of(failed, delivery, at_least)
    return replace(state, reminder_due=ReminderDue(promise.promise_id, at, guard_of(state, "").lender_id))
