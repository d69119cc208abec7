"""What a person has decided about what the data gate found."""

from collections.abc import Callable, Mapping

from services.intake.cases import handlers as cases
from services.intake.cases.domain import merging
from services.intake.cases.domain.facts import DebtorFile, Instalment, Snapshot, Verification, VerificationState
from services.intake.cases.domain.reporting import Schemes
from services.intake.verification import domain
from services.intake.verification.commands import Choice, Corrected, DecideVerification
from services.intake.verification.domain import Gate, Reported
from services.intake.verification.handlers.judging import told_decided
from shared.contracts import core_banking
from shared.contracts.envelope import Event, Moment
from shared.contracts.reading import FIRST_YEAR, LAST_YEAR
from shared.frozen import replace
from shared.service import Decision, Rejected


def decide(schemes: Schemes, gate: Gate, file: DebtorFile, event: Event[DecideVerification], now: Moment) -> Decision:
    """Do as a person has decided. Raises Rejected: unknown, decided already, or not what the person has seen."""
    item = _undecided(file, event.data)
    match event.data.choice:
        case Choice.APPROVE:
            file = domain.with_accepted(file, item.loan_id, _accepted(file, item))
            return _ended(file, item, VerificationState.APPROVED, event, now)
        case Choice.REJECT:
            return _ended(file, item, VerificationState.REJECTED, event, now)
        case Choice.CORRECT:
            file, facts = cases.tell(schemes, _corrected(gate, file, item, event.data.corrected, now), event, now)
            # Only once the case stands as corrected may the hold end: what follows is computed from it.
            file, ended = _ended(file, item, VerificationState.CORRECTED, event, now)
            return file, [*facts, *ended]


def _undecided(file: DebtorFile, asked: DecideVerification) -> Verification:
    item = file.verifications.get(asked.verification_id)
    if item is None:
        raise Rejected("no such verification of this debtor", field="verification_id")
    if item.settled or (item.state is VerificationState.REJECTED and asked.choice is Choice.REJECT):
        raise Rejected(f"it was {item.state} already", field="verification_id")
    if item.revision != asked.revision:
        raise Rejected("the bank has reported the loan anew: read it again", field="revision")
    return item


def _ended(
    file: DebtorFile, item: Verification, state: VerificationState, event: Event[DecideVerification], now: Moment
) -> Decision:
    item = domain.decided(item, state, event.actor, event.data.reason, now.instant)
    return domain.with_item(file, item), (told_decided(item),)


def _accepted(file: DebtorFile, item: Verification) -> tuple[str, ...]:
    """What a person has accepted stays so for as long as each snapshot shows it again."""
    known = file.loans[item.loan_id].accepted
    return (*known, *(finding.rule for finding in item.findings if finding.rule not in known))


def _corrected(gate: Gate, file: DebtorFile, item: Verification, asked: Corrected | None, now: Moment) -> DebtorFile:
    """The file as corrected; what the gate finds even so has been seen by who corrected it."""
    base = file.loans[item.loan_id].base
    if base is None or asked is None:
        raise Rejected("say what is right", field="corrected")
    right = _with(base, asked)
    if right == base:
        raise Rejected("this is what the bank says", field="corrected")
    found = gate.findings(Reported(right, item.before, reversed_since=False, today=now.business_date))
    return merging.with_correction(file, item.loan_id, right, tuple(finding.rule for finding in found))


def _with(base: Snapshot, asked: Corrected) -> Snapshot:
    right: Mapping[str, object] = {
        name: TURNED.get(name, _as_it_is)(value)
        for name in merging.CORRECTABLE
        if (value := getattr(asked, name)) is not None
    }
    return replace(base, **right)  # type: ignore[arg-type]  # the names and types are those of the snapshot


def _as_it_is(value: object) -> object:
    return value


def _instalments(told: tuple[core_banking.Instalment, ...]) -> tuple[Instalment, ...]:
    """Instalments as they are kept. Raises Rejected where the edge would."""
    if len({each.number for each in told}) < len(told):
        raise Rejected("a number occurs more than once", field="corrected.instalments")
    if any(not FIRST_YEAR <= each.due_on.year <= LAST_YEAR for each in told):
        raise Rejected(f"lies outside the years {FIRST_YEAR} to {LAST_YEAR}", field="corrected.instalments")
    return cases.instalments_of(told)


TURNED: Mapping[str, Callable[..., object]] = {"instalments": _instalments}
