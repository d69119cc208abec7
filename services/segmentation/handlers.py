"""Facts in, decisions out: each case's stage and treatment, again after every stop.

Outreach refuses a treatment older than the last stop that it has applied, so each stop (a payment, a reversal, a case
that opens again, a hold that is lifted) is answered with the treatment once more, changed or not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, TypeAlias

from services.segmentation.domain import Playbook, Stage, Strategy, days_past_due
from services.segmentation.store import Assignment, CaseCopy, DebtorFile, Enrolment, StageDue
from shared.contracts.envelope import Event, Moment, Told
from shared.contracts.intake import CaseStatus, CaseSummary, OfCase, PaymentPosted, PaymentReversed
from shared.contracts.outreach import HoldReleased
from shared.contracts.segmentation import CaseSegmented, Channel, Explanation, TreatmentAssigned, TreatmentStep

Decision: TypeAlias = tuple[DebtorFile, Sequence[Told]]


@dataclass(frozen=True, slots=True)
class _Position:
    """Where an open case stands: in `stage`, so many days past due as of a business date."""

    copy: CaseCopy
    oldest_due_on: date
    as_of: date
    stage: Stage

    @property
    def days(self) -> int:
        return days_past_due(self.oldest_due_on, self.as_of)

    def inputs(self) -> dict[str, str]:
        """What a decision saw, for its explanation."""
        return {
            "days_past_due": str(self.days),
            "oldest_due_on": self.oldest_due_on.isoformat(),
            "business_date": self.as_of.isoformat(),
            "case_version": str(self.copy.case_version),
        }


@dataclass(frozen=True, slots=True)
class Segmenter:
    """The handlers, bound to the ladder and the strategies by which they decide."""

    playbook: Playbook

    def follow_case(self, file: DebtorFile, event: Event[OfCase], now: Moment) -> Decision:
        """Take the case as it now stands; tell something only if it has entered another stage."""
        return self._decide(_taken(file, event, event.data.case), now) if _is_news(file, event) else (file, ())

    def reopen(self, file: DebtorFile, event: Event[OfCase], now: Moment) -> Decision:
        """Take the case as it now stands, and answer the stop."""
        return self._answer(file, event, event.data.case, now, "case reopened")

    def answer_payment(self, file: DebtorFile, event: Event[PaymentPosted], now: Moment) -> Decision:
        """A payment stopped what was queued: prescribe again if the case is still open."""
        return self._answer(file, event, event.data.case, now, "payment posted")

    def answer_reversal(self, file: DebtorFile, event: Event[PaymentReversed], now: Moment) -> Decision:
        """A payment was taken back: prescribe again if the case is open."""
        return self._answer(file, event, event.data.case, now, "payment reversed")

    def answer_release(self, file: DebtorFile, _event: Event[HoldReleased], now: Moment) -> Decision:
        """A hold was lifted: prescribe again, from the case as it is known here."""
        return (file, ()) if file.copy is None else self._decide(file, now, stop="hold released")

    def enter_stage(self, file: DebtorFile, _event: Event[StageDue], now: Moment) -> Decision:
        """The business date has brought the case to another stage."""
        return self._decide(file, now)

    def _answer(
        self, file: DebtorFile, event: Event[Any], case: CaseSummary | None, now: Moment, stop: str
    ) -> Decision:
        # A stop may share its version with a fact that came just before it: that one did not answer the stop.
        known = 0 if file.copy is None else file.copy.case_version
        if case is None or event.case_version < known:
            return file, ()
        return self._decide(_taken(file, event, case) if _is_news(file, event) else file, now, stop=stop)

    def _decide(self, file: DebtorFile, now: Moment, *, stop: str = "") -> Decision:
        """Put the case where it belongs; tell a new stage, and the treatment if the stage is new or after a stop."""
        file = self._timed(file, now)
        position = self._position(file, now)
        if position is None:
            return _cleared(file), ()
        held = file.assignment
        is_new = held is None or held.stage != position.stage.name
        if not is_new and not stop:
            return file, ()
        file, strategy = self._enrolled(file, position.as_of)
        treatment = _treatment(position, strategy, self.playbook, stop or "stage entered")
        file = replace(file, assignment=_assignment(position, strategy, treatment, None if is_new else held))
        told = [_segmented(position, held, self.playbook)] if is_new else []
        return file, [Told(fact, case_version=position.copy.case_version) for fact in (*told, treatment)]

    def _timed(self, file: DebtorFile, now: Moment) -> DebtorFile:
        """Renew the date of the next stage: none unless the case is open, and none after the last stage."""
        case = _open_case(file)
        if file.copy is None or case is None or case.oldest_due_on is None:
            return replace(file, due=None)
        entry = self.playbook.ladder.next_entry(case.oldest_due_on, _as_of(case, now))
        return replace(file, due=None if entry is None else StageDue(entry, file.copy.lender_id))

    def _position(self, file: DebtorFile, now: Moment) -> _Position | None:
        case = _open_case(file)
        if file.copy is None or case is None or case.oldest_due_on is None:
            return None
        as_of = _as_of(case, now)
        stage = self.playbook.ladder.stage_at(days_past_due(case.oldest_due_on, as_of))
        return None if stage is None else _Position(file.copy, case.oldest_due_on, as_of, stage)

    def _enrolled(self, file: DebtorFile, on: date) -> tuple[DebtorFile, Strategy]:
        """The debtor's own strategy; the one in effect where they have none, or theirs is no longer kept."""
        held = file.enrolment
        kept = held and self.playbook.find(held.strategy, held.strategy_version)
        if kept:
            return file, kept
        strategy = self.playbook.for_new_case(on)
        return replace(file, enrolment=Enrolment(strategy.name, strategy.version, on)), strategy


def _is_news(file: DebtorFile, event: Event[Any]) -> bool:
    return file.copy is None or event.case_version > file.copy.case_version


def _taken(file: DebtorFile, event: Event[Any], case: CaseSummary) -> DebtorFile:
    return replace(file, copy=CaseCopy(event.lender_id, event.case_version, case))


def _open_case(file: DebtorFile) -> CaseSummary | None:
    return file.copy.summary if file.copy is not None and file.copy.summary.status is CaseStatus.OPEN else None


def _as_of(case: CaseSummary, now: Moment) -> date:
    """The later of two dates: a case fact may run ahead of the lane's clock, and the clock of a quiet case."""
    return max(now.business_date, case.business_date)


def _cleared(file: DebtorFile) -> DebtorFile:
    """Nothing is prescribed; a closed case also gives its strategy back."""
    closed = file.copy is not None and file.copy.summary.status is CaseStatus.CLOSED
    return replace(file, assignment=None, enrolment=None if closed else file.enrolment)


def _assignment(
    position: _Position, strategy: Strategy, treatment: TreatmentAssigned, held: Assignment | None
) -> Assignment:
    return Assignment(
        stage=position.stage.name,
        entered_on=position.as_of if held is None else held.entered_on,
        strategy=strategy.name,
        strategy_version=strategy.version,
        decided_for=position.copy.case_version,
        decided_on=position.as_of,
        explanation=treatment.explanation,
    )


def _segmented(position: _Position, held: Assignment | None, playbook: Playbook) -> CaseSegmented:
    rule = f"stages.yaml: {position.stage}"
    return CaseSegmented(
        stage=position.stage.name,
        previous_stage="" if held is None else held.stage,
        days_past_due=position.days,
        explanation=Explanation(rule=rule, version=playbook.ladder.version, inputs=position.inputs()),
    )


def _treatment(position: _Position, strategy: Strategy, playbook: Playbook, because: str) -> TreatmentAssigned:
    stages = f"{position.stage} (stages.yaml, version {playbook.ladder.version})"
    return TreatmentAssigned(
        stage=position.stage.name,
        strategy=strategy.name,
        strategy_version=strategy.version,
        steps=_steps(strategy, position.stage),
        explanation=Explanation(
            rule=f"{strategy.file}: {position.stage.name}",
            version=str(strategy.version),
            inputs={**position.inputs(), "stage": stages, "because": because},
        ),
    )


def _steps(strategy: Strategy, stage: Stage) -> tuple[TreatmentStep, ...]:
    return tuple(
        TreatmentStep(
            number=step.number, channel=Channel(step.channel), after_days=step.after_days, template=step.template
        )
        for step in strategy.steps[stage.name]
    )
