"""What follows from a snapshot at the data gate: a verification that is raised, changed or overtaken."""

from collections.abc import Sequence
from typing import Any

from services.intake.cases.domain.facts import DebtorFile, Finding, Snapshot, Verification, VerificationState
from services.intake.verification import domain
from services.intake.verification.domain import Gate
from shared.contracts import intake
from shared.contracts.envelope import Event, Moment, Told, derived_id
from shared.frozen import replace
from shared.service import Decision

BY_ITSELF = "intake"
RIGHT_NOW = "the bank has reported it rightly since"
LOAN_ENDED = "the loan has ended"


def judged(gate: Gate, before: DebtorFile, after: DebtorFile, loan_id: str, event: Event[Any], now: Moment) -> Decision:
    """The file with what a loan's new snapshot means at the gate. What is told goes before what is told of the case."""
    told = domain.reported_of(before, after, loan_id, now.business_date)
    loan, item = after.loans[loan_id], domain.undecided(after, loan_id)
    found = () if told is None or before is after else gate.findings(told)
    if told is None or before is after or not (found or loan.accepted or item):
        return after, ()
    names = {finding.rule for finding in found}
    after = domain.with_accepted(after, loan_id, tuple(name for name in loan.accepted if name in names))
    fresh = tuple(finding for finding in found if finding.rule not in loan.accepted)
    if item is not None:
        return _seen_again(after, item, fresh, told.snapshot, now)
    if not fresh:
        return after, ()
    return _raised(before, after, loan_id, fresh, told, event, now)


def without_doubts(file: DebtorFile, loan_id: str, now: Moment) -> Decision:
    """The file once a loan has ended: there is nothing to verify any more."""
    item = domain.undecided(file, loan_id)
    if item is None or not file.loans[loan_id].is_closed:
        return file, ()
    return _withdrawn(file, item, LOAN_ENDED, now)


def _raised(
    before: DebtorFile,
    after: DebtorFile,
    loan_id: str,
    found: tuple[Finding, ...],
    told: domain.Reported,
    event: Event[Any],
    now: Moment,
) -> Decision:
    known = before.loans.get(loan_id)
    wrong_again = known is not None and known.said is not None  # a person has said so before, and the bank goes on
    item = Verification(
        verification_id=derived_id(event.id, f"verification/{loan_id}"),
        loan_id=loan_id,
        lender_id=event.lender_id,
        state=VerificationState.OPEN,
        holds=wrong_again or _holds(after, loan_id, found),
        revision=1,
        findings=found,
        reported=told.snapshot,
        before=told.before,
        raised_at=now.instant,
        raised_on=now.business_date,
    )
    return domain.with_item(after, item), (requested(item),)


def _holds(file: DebtorFile, loan_id: str, found: Sequence[Finding]) -> bool:
    return not domain.is_worked(file.case, loan_id) or any(finding.stops_running for finding in found)


def _seen_again(
    file: DebtorFile, item: Verification, found: tuple[Finding, ...], snapshot: Snapshot, now: Moment
) -> Decision:
    """What is undecided, under another snapshot. Who has rejected it is not contradicted by the bank alone."""
    if not found and item.state is VerificationState.OPEN:
        return _withdrawn(file, item, RIGHT_NOW, now)
    holds = item.holds or _holds(file, item.loan_id, found)
    news = replace(item, findings=found, reported=snapshot, revision=item.revision + 1, holds=holds)
    return domain.with_item(file, news), (requested(news),) if holds and not item.holds else ()


def _withdrawn(file: DebtorFile, item: Verification, reason: str, now: Moment) -> Decision:
    item = domain.decided(item, VerificationState.WITHDRAWN, BY_ITSELF, reason, now.instant)
    return domain.with_item(file, item), (told_decided(item),)


def requested(item: Verification) -> Told:
    """That a person is to look."""
    rules = tuple(finding.rule for finding in item.findings)
    return Told(
        intake.VerificationRequested(
            verification_id=item.verification_id, loan_id=item.loan_id, rules=rules, holds=item.holds
        )
    )


def told_decided(item: Verification) -> Told:
    """What was decided, by whom and why."""
    return Told(
        intake.VerificationDecided(
            verification_id=item.verification_id,
            loan_id=item.loan_id,
            decision=intake.VerificationDecision(item.state),
            decided_by=item.decided_by,
            reason=item.reason,
        )
    )
