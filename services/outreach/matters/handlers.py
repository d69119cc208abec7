"""How a matter begins, what it holds back, and how it ends."""

from collections.abc import Mapping
from datetime import timedelta

from services.outreach.matters import domain
from services.outreach.matters.commands import RaiseMatter, ResolveMatter
from services.outreach.matters.domain import Deadlines, Matter, MatterDue, MatterKind, MatterState
from services.outreach.plans.domain.course import guard_of
from services.outreach.plans.domain.rows import DebtorPlans, Hold, HoldSource
from services.outreach.plans.handlers.holds import lift_our_own, place_our_own
from services.outreach.plans.handlers.telling import Decision, told
from shared.contracts import outreach
from shared.contracts.envelope import Event, Moment, derived_id
from shared.frozen import replace
from shared.service import Rejected


def raised(
    deadlines: Mapping[str, Deadlines],
    state: DebtorPlans,
    kind: MatterKind,
    now: Moment,
    *,
    cause: str,
    by: str,
    contact_id: str = "",
    loan_id: str = "",
) -> Decision:
    """Raise a matter, with a hold; where one of its kind is to be seen to already, that one is enough."""
    if domain.open_of(state.matters.values(), kind, loan_id) is not None:
        return state, ()
    named = derived_id(cause, f"matter/{kind}")
    return opened(deadlines, state, kind, now, matter_id=named, by=by, contact_id=contact_id, loan_id=loan_id)


def opened(
    deadlines: Mapping[str, Deadlines],
    state: DebtorPlans,
    kind: MatterKind,
    now: Moment,
    *,
    matter_id: str,
    by: str,
    contact_id: str = "",
    loan_id: str = "",
) -> Decision:
    """Raise a matter of a name that it has already, with a hold."""
    guard = guard_of(state, "")
    ours = deadlines.get(guard.jurisdiction) or deadlines["*"]
    deadline, opened_on = ours.of[kind], max(ours.day_of(now.instant), now.business_date)
    matter = Matter(
        matter_id=matter_id,
        kind=kind,
        state=MatterState.OPEN,
        team=deadline.team,
        opened_at=now.instant,
        opened_on=opened_on,
        opened_by=by,
        due_on=opened_on + timedelta(deadline.days),
        force=deadline.force,
        citation=deadline.citation,
        contact_id=contact_id,
        loan_id=loan_id,
    )
    state = _with(state, matter)
    due = domain.due_of(matter, guard.lender_id)
    state = replace(state, matter_due={**state.matter_due, matter.matter_id: due})
    state, facts = place_our_own(state, _hold(matter, now), now)
    return state, (told(state, _raised(matter)), *facts)


def _hold(matter: Matter, now: Moment) -> Hold:
    return Hold(
        hold_id=matter.hold_id,
        source=HoldSource.MATTER,
        reason=f"{matter.kind.replace('_', ' ')} to be seen to",
        placed_by=matter.opened_by,
        placed_at=now.instant,
        placed_on=now.business_date,
    )


def _raised(matter: Matter) -> outreach.MatterRaised:
    return outreach.MatterRaised(
        matter_id=matter.matter_id,
        kind=outreach.MatterKind(matter.kind),
        team=matter.team,
        opened_on=matter.opened_on,
        due_on=matter.due_on,
        contact_id=matter.contact_id,
        loan_id=matter.loan_id,
    )


def on_raise(
    deadlines: Mapping[str, Deadlines], state: DebtorPlans, event: Event[RaiseMatter], now: Moment
) -> Decision:
    """Raise a matter that staff heard of. Raises Rejected: a debtor not known, or one of its kind is open already."""
    kind, loan_id = MatterKind(event.data.kind), event.data.loan_id or ""
    if state.guard is None:
        raise Rejected("nothing is known of this debtor", field="debtor_id")
    if domain.open_of(state.matters.values(), kind, loan_id) is not None:
        raise Rejected("a matter of this kind is to be seen to already", field="kind")
    return raised(deadlines, state, kind, now, cause=event.id, by=event.actor, loan_id=loan_id)


def on_resolve(state: DebtorPlans, event: Event[ResolveMatter], now: Moment) -> Decision:
    """End a matter and its hold. Raises Rejected for one that is unknown or was resolved already."""
    matter = state.matters.get(event.data.matter_id)
    if matter is None:
        raise Rejected("no such matter of this debtor", field="matter_id")
    if matter.settled:
        raise Rejected("the matter was resolved already", field="matter_id")
    return closed(state, matter, event.data.reason, event.actor, now)


def closed(state: DebtorPlans, matter: Matter, reason: str, by: str, now: Moment) -> Decision:
    """End a matter that was seen to, and its hold."""
    matter = domain.resolved(matter, reason, by, now.business_date, now.instant)
    due = {key: row for key, row in state.matter_due.items() if key != matter.matter_id}
    state = replace(_with(state, matter), matter_due=due)
    payload = outreach.MatterResolved(
        matter_id=matter.matter_id,
        kind=outreach.MatterKind(matter.kind),
        reason=matter.resolution,
        late=matter.late,
    )
    state, facts = lift_our_own(state, state.holds[matter.hold_id], reason, by, now)
    return state, (told(state, payload), *facts)


def on_due(state: DebtorPlans, event: Event[MatterDue], now: Moment) -> Decision:  # noqa: ARG001  # its time has come
    """Say that a matter is overdue; everything goes on standing still."""
    matter = state.matters.get(event.data.matter_id)
    if matter is None or matter.state is not MatterState.OPEN:
        return state, ()
    matter = domain.overdue(matter)
    payload = outreach.MatterOverdue(
        matter_id=matter.matter_id,
        kind=outreach.MatterKind(matter.kind),
        team=matter.team,
        due_on=matter.due_on,
    )
    return _with(state, matter), (told(state, payload),)


def _with(state: DebtorPlans, matter: Matter) -> DebtorPlans:
    return replace(state, matters={**state.matters, matter.matter_id: matter})
