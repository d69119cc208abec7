"""Whatever order facts, commands and due work come in, what must never happen to a debtor's plans does not."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.outreach.matters.commands import RaiseMatter
from services.outreach.plans.commands import PlaceHold, ReleaseHold
from services.outreach.plans.domain.rows import QUEUED, DebtorPlans
from shared.contracts import intake, legal, outreach, quarantine
from shared.contracts.outreach import MatterKind
from shared.contracts.segmentation import Channel
from shared.service import Rejected
from tests.unit.outreach.play import CLOSED, CURED, DEBTOR, OPEN, Play, case, payment, reversal, treatment

STEPS = ((Channel.LETTER, 0), (Channel.VISIT, 1), (Channel.LEGAL_REFERRAL, 2))
HOLDS = ("legal-1", "legal-2")

Act = tuple[str, Any, int]

versions = st.integers(1, 6)
statuses = st.sampled_from([OPEN, OPEN, CURED, CLOSED])
stages = st.sampled_from(["EARLY", "INTENSIVE"])
holds = st.sampled_from(HOLDS)


def act(kind: str, payloads: st.SearchStrategy[Any]) -> st.SearchStrategy[Act]:
    return st.tuples(st.just(kind), payloads, versions)


def _visit_refused(plan_number: int) -> outreach.VisitNotScheduled:
    return outreach.VisitNotScheduled(plan_number=plan_number, step_number=2, district="d", reason="no room")


ACTS: st.SearchStrategy[Act] = st.one_of(
    act("case", statuses.map(lambda status: intake.CaseUpdated(case=case(status)))),
    act("payment", statuses.map(payment)),
    act("reversal", statuses.map(reversal)),
    act("treatment", stages.map(lambda stage: treatment(stage, *STEPS))),
    act("hold", holds.map(lambda hold_id: legal.HoldPlaced(hold_id=hold_id, reason="matter"))),
    act("release", holds.map(lambda hold_id: legal.HoldReleased(hold_id=hold_id, reason="closed"))),
    act("hold", st.just(quarantine.DebtorQuarantined(service="intake", letter_id="l"))),
    act("release", st.just(quarantine.DebtorReleased(service="intake", letter_id="l"))),
    act("command", st.just(PlaceHold(reason="dispute"))),
    act("command", st.sampled_from(list(MatterKind)).map(lambda kind: RaiseMatter(kind=kind))),
    act("command", holds.map(lambda hold_id: ReleaseHold(hold_id=hold_id, reason="over"))),
    act("visit", st.integers(1, 3).map(_visit_refused)),
    st.tuples(st.just("wait"), st.sampled_from([{"minutes": 1}, {"hours": 9}, {"days": 2}]), st.just(0)),
)


def perform(play: Play, one: Act) -> list[str]:
    kind, payload, version = one
    if kind == "wait":
        return play.wait(**payload)
    try:
        return play.tell(payload, version)
    except Rejected:
        return []


def check(state: DebtorPlans) -> None:
    """What must be true of every state."""
    active = [number for number, plan in state.plans.items() if plan.state == "active"]
    assert len(active) <= 1, "at most one plan is active"
    for (number, _), step in state.steps.items():
        if number not in active:
            assert step.state not in QUEUED, "every step of a plan that has ended is terminal"
            assert step.settled, "and is not loaded any more"
    scheduled = {key for key, step in state.steps.items() if step.state == "scheduled"}
    assert set(state.step_due) == scheduled, "what is due are the scheduled steps of the active plan, and all of them"
    for key, due in state.step_due.items():
        assert due.due_at == state.steps[key].due_at
    _check_stops(state)


def _check_stops(state: DebtorPlans) -> None:
    blocked = any(not hold.released for hold in state.holds.values())
    guard, held = state.guard, state.treatment
    open_case = guard is not None and guard.status == "open"
    if blocked or not open_case:
        assert not state.step_due, "nothing is due under a hold, or without an open case"
        assert state.plan_due is None
    if guard is not None:
        for plan in state.plans.values():
            assert plan.state != "active" or plan.case_version >= guard.stop_version, (
                "what runs is not older than a stop"
            )
    if state.plan_due is not None:
        assert guard is not None
        assert held is not None
        assert held.case_version >= guard.stop_version, "a plan is due only of a treatment not older than the last stop"


@settings(max_examples=200, deadline=None)
@given(st.lists(ACTS, max_size=40))
def test_in_any_order_the_invariants_hold_after_every_act(acts: list[Act]) -> None:
    play = Play()
    for one in acts:
        perform(play, one)
        check(play.state)


@settings(max_examples=200, deadline=None)
@given(st.lists(ACTS, max_size=40))
def test_in_any_order_no_plan_starts_from_a_treatment_older_than_the_last_payment(acts: list[Act]) -> None:
    play, newest_stop, counted = Play(), 0, 0
    for one in acts:
        kind, payload, version = one
        ends = kind in ("payment", "case", "reversal") and payload.case is not None
        if kind == "payment" or (kind == "case" and ends and payload.case.status != OPEN):
            newest_stop = max(newest_stop, version)
        perform(play, one)
        started = [told for told in play.told[counted:] if isinstance(told.data, outreach.PlanStarted)]
        assert all(told.case_version >= newest_stop for told in started)
        counted = len(play.told)


@settings(max_examples=200, deadline=None)
@given(st.lists(ACTS, max_size=40))
def test_what_is_told_does_not_depend_on_how_the_input_was_cut_into_batches(acts: list[Act]) -> None:
    together, apart = Play(), Play(forgets=True)
    for one in acts:
        assert perform(together, one) == perform(apart, one)
    assert together.told == apart.told
    assert together.state == apart.state


@settings(max_examples=200, deadline=None)
@given(st.lists(ACTS, max_size=30))
def test_every_step_that_was_planned_ends_in_one_state_that_is_told_once(acts: list[Act]) -> None:
    play = Play()
    for one in acts:
        perform(play, one)
    play.tell(intake.CaseClosed(case=case(CLOSED)), 99)
    planned = {
        (t.data.plan_number, s.number)
        for t in play.told
        if isinstance(t.data, outreach.PlanStarted)
        for s in t.data.steps
    }
    ended = [(t.data.plan_number, t.data.step_number) for t in play.told if isinstance(t.data, outreach.StepEnded)]
    ended += [
        (t.data.plan_number, n) for t in play.told if isinstance(t.data, outreach.PlanStopped) for n in t.data.cancelled
    ]
    assert sorted(ended) == sorted(planned)
    assert play.state.debtor_id == DEBTOR
