"""The rules of the data gate: each looks at a snapshot, and at the one before, and finds something or nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from services.intake.cases.domain.facts import (
    Case,
    DebtorFile,
    Finding,
    Instalment,
    Snapshot,
    Status,
    Verification,
    VerificationState,
)
from shared.frozen import replace

EVERY_OTHER = "*"


class GateError(ValueError):
    """The rules contradict themselves; the text is one line for the person who wrote them."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """The range of what is unpaid, in minor units, both included."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its name, what it says when it finds something, and the figures that it goes by."""

    name: str
    sentence: str
    stops_running: bool = False
    days: int = 0
    amounts: Mapping[str, Amounts] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reported:
    """What a rule may look at.

    before: the last snapshot of the loan that nothing was found in. reversed_since: a payment was taken back after it.
    today: the lender's business date; `date.min` before any was heard.
    """

    snapshot: Snapshot
    before: Snapshot | None
    reversed_since: bool
    today: date

    @property
    def due(self) -> list[Instalment]:
        """The instalments of which something is unpaid."""
        return [each for each in self.snapshot.instalments if each.total]


Values = Mapping[str, object]
Check = Callable[[Rule, Reported], Values | None]


def _outstanding_below_unpaid(_rule: Rule, told: Reported) -> Values | None:
    outstanding, unpaid = told.snapshot.outstanding, unpaid_of(told.snapshot)
    # Nought is what a bank says that tells only what is due.
    return {"outstanding": outstanding, "unpaid": unpaid} if 0 < outstanding < unpaid else None


def _instalment_repeated(_rule: Rule, told: Reported) -> Values | None:
    seen: dict[tuple[object, ...], int] = {}
    for each in told.due:
        content = (each.due_on, each.principal, each.interest, each.penalty, each.fee)
        if content in seen:
            return {"due_on": each.due_on, "numbers": f"{seen[content]}, {each.number}"}
        seen[content] = each.number
    return None


def _due_too_long_ago(rule: Rule, told: Reported) -> Values | None:
    oldest, as_of = min(each.due_on for each in told.due), told.snapshot.as_of
    return {"due_on": oldest, "as_of": as_of} if (as_of - oldest).days > rule.days else None


def _due_too_far_ahead(rule: Rule, told: Reported) -> Values | None:
    latest, as_of = max(each.due_on for each in told.due), told.snapshot.as_of
    return {"due_on": latest, "as_of": as_of} if (latest - as_of).days > rule.days else None


def _cut_off_apart(rule: Rule, told: Reported) -> Values | None:
    cut_off, as_of = told.snapshot.posting_cut_off, told.snapshot.as_of
    apart = abs((cut_off.date() - as_of).days) > rule.days
    return {"posting_cut_off": cut_off.isoformat(), "as_of": as_of} if apart else None


def _as_of_ahead(rule: Rule, told: Reported) -> Values | None:
    as_of, today = told.snapshot.as_of, told.today
    if today == date.min or (as_of - today).days <= rule.days:
        return None
    return {"as_of": as_of, "business_date": today}


def _amount_out_of_range(rule: Rule, told: Reported) -> Values | None:
    snapshot, unpaid = told.snapshot, unpaid_of(told.snapshot)
    known = rule.amounts.get(snapshot.currency) or rule.amounts[EVERY_OTHER]
    if known.least <= unpaid and max(unpaid, snapshot.outstanding) <= known.most:
        return None
    return {"unpaid": unpaid, "outstanding": snapshot.outstanding, "least": known.least, "most": known.most}


def _currency_changed(_rule: Rule, told: Reported) -> Values | None:
    before, now = told.before, told.snapshot.currency
    return {"before": before.currency, "now": now} if before is not None and before.currency != now else None


def _overdue_days_jump(rule: Rule, told: Reported) -> Values | None:
    if told.before is None or told.reversed_since:
        return None
    known = [each.due_on for each in told.before.instalments if each.total]
    oldest_then, oldest_now = min([told.before.as_of, *known]), min(each.due_on for each in told.due)
    if (oldest_then - oldest_now).days <= rule.days:
        return None
    return {"unpaid_since": oldest_now, "known_before": oldest_then}


CHECKS: Mapping[str, Check] = {
    "outstanding_below_unpaid": _outstanding_below_unpaid,
    "instalment_repeated": _instalment_repeated,
    "due_too_long_ago": _due_too_long_ago,
    "due_too_far_ahead": _due_too_far_ahead,
    "cut_off_apart": _cut_off_apart,
    "as_of_ahead": _as_of_ahead,
    "amount_out_of_range": _amount_out_of_range,
    "currency_changed": _currency_changed,
    "overdue_days_jump": _overdue_days_jump,
}


@dataclass(frozen=True, slots=True)
class Gate:
    """The rules that are in force."""

    rules: tuple[Rule, ...]

    def __post_init__(self) -> None:
        """Check the rules. Raises GateError."""
        names = [rule.name for rule in self.rules]
        for rule in self.rules:
            if rule.name not in CHECKS:
                raise GateError(f"rule {rule.name}: there is no such rule")
            if names.count(rule.name) > 1:
                raise GateError(f"rule {rule.name}: occurs more than once")
            if rule.name == "amount_out_of_range" and EVERY_OTHER not in rule.amounts:
                raise GateError(f'rule {rule.name}: amounts need a range for "{EVERY_OTHER}"')

    def findings(self, told: Reported) -> tuple[Finding, ...]:
        """What looks wrong; nothing in a snapshot by which nothing is due, since nobody is contacted about it."""
        if not told.due:
            return ()
        return tuple(
            Finding(rule.name, rule.sentence, {name: str(value) for name, value in values.items()}, rule.stops_running)
            for rule in self.rules
            if (values := CHECKS[rule.name](rule, told)) is not None
        )


def unpaid_of(snapshot: Snapshot) -> int:
    """All that is due and unpaid in a snapshot."""
    return sum(each.total for each in snapshot.instalments)


def undecided(file: DebtorFile, loan_id: str) -> Verification | None:
    """The verification of a loan that can still change: one that waits, or was rejected."""
    return next((each for each in file.verifications.values() if each.loan_id == loan_id and not each.settled), None)


def reported_of(before: DebtorFile, after: DebtorFile, loan_id: str, today: date) -> Reported | None:
    """What the rules may look at once a loan's snapshot was taken in; None where it has none."""
    loan, item = after.loans[loan_id], undecided(after, loan_id)
    if loan.base is None:
        return None
    known = before.loans.get(loan_id)
    trusted = item.before if item is not None else known.base if known is not None else None
    return Reported(loan.base, trusted, _reversed_since(before, loan_id, trusted), today)


def _reversed_since(file: DebtorFile, loan_id: str, snapshot: Snapshot | None) -> bool:
    """Whether a reversal that no snapshot holds yet came after; settled ones are here only by the chance of a turn."""
    return snapshot is not None and any(
        each.loan_id == loan_id and each.reversed_at is not None and each.reversed_at > snapshot.posting_cut_off
        for each in file.payments.values()
        if not each.settled
    )


def is_worked(case: Case | None, loan_id: str) -> bool:
    """Whether people are contacted about a loan already: it was past due in an open case."""
    if case is None or case.status is not Status.OPEN:
        return False
    return any(view.loan_id == loan_id and view.oldest_due_on is not None for view in case.loans)


def with_item(file: DebtorFile, item: Verification) -> DebtorFile:
    """The file with a verification as it now stands."""
    return replace(file, verifications={**file.verifications, item.verification_id: item})


def with_accepted(file: DebtorFile, loan_id: str, accepted: tuple[str, ...]) -> DebtorFile:
    """The file with the rules whose findings about a loan stay accepted."""
    loan = file.loans[loan_id]
    if loan.accepted == accepted:
        return file
    return replace(file, loans={**file.loans, loan_id: replace(loan, accepted=accepted)})


def decided(item: Verification, state: VerificationState, by: str, reason: str, instant: datetime) -> Verification:
    """A verification once somebody has decided, or the bank has; one that is rejected may be decided otherwise yet."""
    return replace(
        item,
        state=state,
        holds=state is VerificationState.REJECTED,
        decided_at=instant,
        decided_by=by,
        reason=reason,
        settled=state is not VerificationState.REJECTED,
    )
