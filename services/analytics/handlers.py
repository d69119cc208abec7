"""Facts in, counts out; analytics tells nothing.

Each handler first keeps the fact. What it adds to the counts depends on the kept facts of the debtor alone, in their
order, so that a rebuild from them gives the same numbers.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from functools import partial
from typing import Any, TypeAlias

from services.analytics.domain import trials
from services.analytics.domain.plans import (
    CANCELLED,
    REQUESTED,
    RUNNING,
    SCHEDULED,
    STOPPED,
    ended_of_itself,
    plan_counts,
    step_states,
    still_wanted,
)
from services.analytics.domain.rolls import bucket_of, month_of, place
from services.analytics.domain.rows import Case, Cash, Count, DebtorRecord, KeptFact, Loan, Plan, Roll, Step
from shared.contracts import intake, legal, outreach, placements, segmentation
from shared.contracts.envelope import Event, Fact, Moment, Told
from shared.frozen import replace

Decision: TypeAlias = tuple[DebtorRecord, Sequence[Told]]


def keep(record: DebtorRecord, event: Event[Fact], now: Moment) -> Decision:
    """Keep a fact of which nothing is counted."""
    return _kept(record, event, now), ()


# -- intake ------------------------------------------------------------------------------------------------------


def follow_case(record: DebtorRecord, event: Event[intake.OfCase], now: Moment) -> Decision:
    """Take the case and the buckets of its loans as they now stand; an older version changes nothing."""
    return _with_case(_kept(record, event, now), event, event.data.case), ()


def count_opened(record: DebtorRecord, event: Event[intake.CaseOpened], now: Moment) -> Decision:
    """Follow the case, and count it as opened."""
    return _turned(record, event, now, "opened"), ()


def count_reopened(record: DebtorRecord, event: Event[intake.CaseReopened], now: Moment) -> Decision:
    """Follow the case, and count it as opened again."""
    return _turned(record, event, now, "reopened"), ()


def count_cured(record: DebtorRecord, event: Event[intake.CaseCured], now: Moment) -> Decision:
    """Follow the case, and count it as up to date again."""
    return _turned(record, event, now, "cured"), ()


def count_closed(record: DebtorRecord, event: Event[intake.CaseClosed], now: Moment) -> Decision:
    """Follow the case, and count it as closed with its disposition."""
    return _turned(record, event, now, "closed"), ()


def count_payment(record: DebtorRecord, event: Event[intake.PaymentPosted], now: Moment) -> Decision:
    """Count the payment and its amount, and follow the case where the debtor has one."""
    return _paid(record, event, now, "payment"), ()


def count_reversal(record: DebtorRecord, event: Event[intake.PaymentReversed], now: Moment) -> Decision:
    """Count the reversal and its amount, and follow the case where the debtor has one."""
    return _paid(record, event, now, "reversal"), ()


def _turned(record: DebtorRecord, event: Event[Any], now: Moment, kind: str) -> DebtorRecord:
    kept, case = _kept(record, event, now), event.data.case
    if _is_old(record, event):
        return kept
    disposition = case.disposition.value if case.disposition else ""
    counted = Count(month_of(case.business_date), event.lender_id, "case", kind, disposition, 1)
    if kind == "cured" or case.disposition is intake.Disposition.PAID:
        kept = replace(kept, trials=trials.counted(kept.trials, cures=1))
    return _with_case(replace(kept, counts=(*kept.counts, counted)), event, case)


def _paid(record: DebtorRecord, event: Event[Any], now: Moment, kind: str) -> DebtorRecord:
    kept, paid = _kept(record, event, now), event.data
    cash = partial(Cash, month_of(_business_date(event, now)), event.lender_id, kind, paid.currency)
    counted = replace(kept, cash=(*kept.cash, cash("count", 1), cash("amount", paid.amount)))
    if paid.case is None:
        return counted
    amount = paid.amount if kind == "payment" else -paid.amount
    counted = replace(counted, trials=trials.counted(kept.trials, paid={paid.currency: amount}))
    return _with_case(counted, event, paid.case)


def _is_old(record: DebtorRecord, event: Event[Any]) -> bool:
    return record.case is not None and event.case_version < record.case.case_version


def _with_case(record: DebtorRecord, event: Event[Any], case: intake.CaseSummary) -> DebtorRecord:
    if _is_old(record, event):
        return record
    loans, rolls = dict(record.loans), list[Roll]()
    for summary in case.loans:
        loan, moved = place(loans.get(summary.loan_id), _loan_of(summary, event.lender_id, case.business_date))
        loans[loan.loan_id] = loan
        rolls += moved
    return replace(record, case=_case_of(record.case, event, case), loans=loans, rolls=(*record.rolls, *rolls))


def _loan_of(summary: intake.LoanSummary, lender_id: str, business_date: date) -> Loan:
    return Loan(
        loan_id=summary.loan_id,
        lender_id=lender_id,
        product=summary.product,
        portfolio=summary.portfolio,
        scheme=summary.scheme,
        currency=summary.currency,
        past_due=summary.past_due,
        outstanding=summary.outstanding,
        month=month_of(business_date),
        opening="",
        bucket=bucket_of(summary.bucket, summary.closed_as),
    )


def _case_of(known: Case | None, event: Event[Any], case: intake.CaseSummary) -> Case:
    return Case(
        case_id=case.case_id,
        lender_id=event.lender_id,
        case_version=event.case_version,
        status=case.status.value,
        disposition=case.disposition.value if case.disposition else "",
        opened_on=case.opened_on,
        business_date=case.business_date,
        stage=known.stage if known else "",
        strategy=known.strategy if known else "",
    )


# -- segmentation ------------------------------------------------------------------------------------------------


def follow_stage(record: DebtorRecord, event: Event[segmentation.CaseSegmented], now: Moment) -> Decision:
    """Note the stage that the case has entered."""
    kept = _kept(record, event, now)
    return replace(kept, case=replace(kept.case, stage=event.data.stage) if kept.case else None), ()


def follow_treatment(record: DebtorRecord, event: Event[segmentation.TreatmentAssigned], now: Moment) -> Decision:
    """Note the stage and the strategy by which the case is treated, and the arm that the person was drawn to."""
    kept, treatment = _kept(record, event, now), event.data
    kept = replace(kept, trials=trials.drawn(kept.trials, treatment.experiment, treatment.arm))
    strategy = f"{treatment.strategy}/{treatment.strategy_version}"
    return replace(kept, case=replace(kept.case, stage=treatment.stage, strategy=strategy) if kept.case else None), ()


# -- outreach ----------------------------------------------------------------------------------------------------


def count_plan(record: DebtorRecord, event: Event[outreach.PlanStarted], now: Moment) -> Decision:
    """Count a plan as running and its steps as scheduled; earlier plans without an open step are forgotten."""
    kept, told = _kept(record, event, now), event.data
    if told.plan_number in kept.plans:
        return kept, ()
    plan = ended_of_itself(
        Plan(
            plan_number=told.plan_number,
            lender_id=event.lender_id,
            stage=told.stage,
            strategy=told.strategy,
            strategy_version=told.strategy_version,
            state=RUNNING,
            steps=tuple(Step(step.number, step.channel.value, SCHEDULED) for step in told.steps),
        )
    )
    return _planned(replace(kept, plans=still_wanted(kept.plans)), plan, event, now), ()


def count_stop(record: DebtorRecord, event: Event[outreach.PlanStopped], now: Moment) -> Decision:
    """Count a plan as stopped and what was queued of it as cancelled."""
    kept, told = _kept(record, event, now), event.data
    plan = kept.plans.get(told.plan_number)
    if plan is None:
        return kept, ()
    stopped = replace(step_states(plan, told.cancelled, CANCELLED), state=STOPPED)
    return _planned(kept, stopped, event, now), ()


def count_step(record: DebtorRecord, event: Event[outreach.StepEnded], now: Moment) -> Decision:
    """Count a step in the state in which it ended, once; a visit step also as a visit scheduled or not."""
    kept, told = _kept(record, event, now), event.data
    return _stepped(kept, (told.plan_number, told.step_number), told.state.value, event, now), ()


def count_visit_request(record: DebtorRecord, event: Event[outreach.VisitRequested], now: Moment) -> Decision:
    """Count a visit as asked for, and its step as waiting for the answer."""
    kept, told = _kept(record, event, now), event.data
    counted = _with_counts(kept, (_count(event, now)("visit", REQUESTED, "", 1),))
    return _stepped(counted, (told.plan_number, told.step_number), REQUESTED, event, now), ()


def count_placement_request(record: DebtorRecord, event: Event[placements.PlacementRequested], now: Moment) -> Decision:
    """Count a step as waiting for an agency."""
    kept, told = _kept(record, event, now), event.data
    return _stepped(kept, (told.plan_number, told.step_number), REQUESTED, event, now), ()


_VISIT_ENDS = {
    outreach.StepState.ASSIGNED.value: "scheduled",
    outreach.StepState.UNASSIGNED.value: "not_scheduled",
}


def _stepped(record: DebtorRecord, place: tuple[int, int], state: str, event: Event[Any], now: Moment) -> DebtorRecord:
    plan_number, step_number = place
    plan = record.plans.get(plan_number)
    changed = step_states(plan, (step_number,), state) if plan else None
    if plan is None or changed is None or changed.steps == plan.steps:
        return record
    visit = _VISIT_ENDS.get(state)
    visits = (_count(event, now)("visit", visit, "", 1),) if visit else ()
    return _planned(_with_counts(record, visits), ended_of_itself(changed), event, now)


def _planned(record: DebtorRecord, plan: Plan, event: Event[Any], now: Moment) -> DebtorRecord:
    counts = plan_counts(record.plans.get(plan.plan_number), plan, _count(event, now))
    return _with_counts(replace(record, plans={**record.plans, plan.plan_number: plan}), counts)


def count_permit(
    record: DebtorRecord, event: Event[outreach.ContactPermitted | outreach.PermitGranted], now: Moment
) -> Decision:
    """Count a permit as granted, for a provider or a person."""
    return _contact(record, event, now, "permitted"), ()


def count_contact(record: DebtorRecord, event: Event[outreach.ContactMade], now: Moment) -> Decision:
    """Count a contact as made, by how it ended."""
    made = _contact(record, event, now, event.data.outcome)
    return replace(made, trials=trials.counted(made.trials, contacts=1)), ()


def count_not_made(record: DebtorRecord, event: Event[outreach.ContactNotMade], now: Moment) -> Decision:
    """Count a permit that certainly reached nobody."""
    return _contact(record, event, now, "not_made"), ()


def count_unknown(record: DebtorRecord, event: Event[outreach.ContactUnknown], now: Moment) -> Decision:
    """Count a contact of which nobody can say whether it was made."""
    return _contact(record, event, now, "unknown"), ()


def count_denial(record: DebtorRecord, event: Event[outreach.ContactDenied], now: Moment) -> Decision:
    """Count a refusal under each rule that stood in the way."""
    kept, told = _kept(record, event, now), event.data
    return _with_counts(kept, [_count(event, now)("denial", rule, told.channel, 1) for rule in told.rules]), ()


def _contact(record: DebtorRecord, event: Event[Any], now: Moment, detail: str) -> DebtorRecord:
    return _with_counts(_kept(record, event, now), (_count(event, now)("contact", event.data.channel, detail, 1),))


def count_outcome(record: DebtorRecord, event: Event[outreach.OutcomeRecorded], now: Moment) -> Decision:
    """Count what came of a contact, by channel."""
    counted = _count(event, now)("outcome", event.data.channel.value, event.data.result.value, 1)
    return _with_counts(_kept(record, event, now), (counted,)), ()


def count_withdrawal(record: DebtorRecord, event: Event[outreach.OptOutWithdrawn], now: Moment) -> Decision:
    """Count an opt-out as withdrawn, beside those that contacts led to."""
    counted = _count(event, now)("outcome", event.data.channel, "opt_out_withdrawn", 1)
    return _with_counts(_kept(record, event, now), (counted,)), ()


def count_promise(kind: str, record: DebtorRecord, event: Event[outreach.Promise], now: Moment) -> Decision:
    """Count a promise as made, kept or broken."""
    return _promise(record, event, now, kind, 1), ()


def count_reopening(record: DebtorRecord, event: Event[outreach.PromiseReopened], now: Moment) -> Decision:
    """Count a promise no more as kept or broken that stands again."""
    return _promise(record, event, now, event.data.was.value, -1), ()


def _promise(record: DebtorRecord, event: Event[Any], now: Moment, kind: str, times: int) -> DebtorRecord:
    """Count it for everybody, and for the arm of an experiment where it was kept."""
    kept = _with_counts(_kept(record, event, now), (_count(event, now)("promise", kind, "", times),))
    return replace(kept, trials=trials.counted(kept.trials, promises_kept=times)) if kind == "kept" else kept


def count_seen_to(kind: str, record: DebtorRecord, event: Event[Any], now: Moment) -> Decision:
    """Count a dispute, complaint or claim of hardship as raised, overdue or resolved."""
    return _with_counts(_kept(record, event, now), (_count(event, now)(event.data.kind.value, kind, "", 1),)), ()


# -- legal -------------------------------------------------------------------------------------------------------


def count_matter_opened(record: DebtorRecord, event: Event[legal.MatterOpened], now: Moment) -> Decision:
    """Count a matter as opened."""
    return _matter(record, event, now, "opened"), ()


def count_declined(record: DebtorRecord, event: Event[legal.ReferralDeclined], now: Moment) -> Decision:
    """Count a referral as declined."""
    return _matter(record, event, now, "declined"), ()


def count_matter_closed(record: DebtorRecord, event: Event[legal.MatterClosed], now: Moment) -> Decision:
    """Count a matter as closed."""
    return _matter(record, event, now, "closed"), ()


def _matter(record: DebtorRecord, event: Event[Any], now: Moment, kind: str) -> DebtorRecord:
    return _with_counts(_kept(record, event, now), (_count(event, now)("matter", kind, "", 1),))


# -- for all -----------------------------------------------------------------------------------------------------


def _count(event: Event[Any], now: Moment) -> partial[Count]:
    return partial(Count, month_of(_business_date(event, now)), event.lender_id)


def _with_counts(record: DebtorRecord, counts: Iterable[Count]) -> DebtorRecord:
    return replace(record, counts=(*record.counts, *counts))


def _business_date(event: Event[Any], now: Moment) -> date:
    """The day under which a fact is counted: the case's where it carries one, else the lender's in this lane."""
    case = getattr(event.data, "case", None)
    return case.business_date if case is not None else now.business_date


def _kept(record: DebtorRecord, event: Event[Any], now: Moment) -> DebtorRecord:
    day = _business_date(event, now)
    fact = KeptFact(
        event_id=event.id,
        type=event.type,
        lender_id=event.lender_id,
        case_version=event.case_version,
        occurred_at=event.occurred_at,
        recorded_at=event.recorded_at,
        business_date=None if day == date.min else day,
        data=event.data,
    )
    return replace(record, facts=(*record.facts, fact))
