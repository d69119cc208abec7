"""What the bank has said, and what intake must make of it in the end: a fold over what it said, and nothing else."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

import msgspec

from shared.contracts.core_banking import LoanClosed, LoanOverdue, OfLoan, PaymentPosted, PaymentReversed
from shared.contracts.envelope import Fact
from tests.e2e.owners import Owed, past_due

POISON = 13
"""An amount on which intake fails while its release is bad."""

LOANS: Mapping[str, str] = {"loan-1": "party-1", "loan-2": "party-1", "loan-3": "party-2", "loan-4": "party-3"}


class Said(NamedTuple):
    """One thing that the bank said, with its id and its partition; a bad one is refused whenever it comes."""

    event_id: str
    partition: int
    fact: Fact
    bad: bool = False


@dataclass
class Model:
    """The bank's own memory; `on` is where its books stand."""

    said: list[Said] = field(default_factory=list)
    on: date = date.min
    introduced: set[str] = field(default_factory=set)

    def good(self) -> Iterable[Fact]:
        """All that can be applied, as often as it was said."""
        return (each.fact for each in self.said if isinstance(each.fact, OfLoan) and not each.bad)

    def payments(self) -> Sequence[Said]:
        """The postings that can be applied."""
        return [each for each in self.said if isinstance(each.fact, PaymentPosted) and not each.bad]

    def contradictable(self) -> Sequence[Said]:
        """The postings that were said once."""
        times = Counter(each.event_id for each in self.said)
        return [each for each in self.payments() if times[each.event_id] == 1]

    def repeatable(self) -> Sequence[Said]:
        """What nobody can have refused: of two copies of what was refused, it could not be told which one it was."""
        amounts: dict[str, set[int]] = {}
        for each in self.payments():
            fact: Any = each.fact
            amounts.setdefault(fact.payment_id, set()).add(fact.amount)
        doubtful = {name for name, told in amounts.items() if len(told) > 1 or POISON in told}
        return [each for each in self.said if getattr(each.fact, "payment_id", "") not in doubtful]


class Paid(NamedTuple):
    """A payment as intake keeps it."""

    amount: int
    heard: bool
    taken_back: bool


@dataclass
class Expected:
    """What must be there at the end, given which facts an operator has thrown away."""

    model: Model
    discarded: Counter[bytes]

    def applied(self) -> Sequence[Fact]:
        """Each fact that was applied at least once."""
        said = Counter(as_text(fact) for fact in self.model.good())
        assert self.discarded <= said, "an event was thrown away that nobody had said"
        left = said - self.discarded
        return list({as_text(fact): fact for fact in self.model.good() if left[as_text(fact)]}.values())

    def payments(self) -> Mapping[tuple[str, str], Paid]:
        """By loan and payment; two amounts of one payment contradict each other."""
        found: dict[tuple[str, str], Paid] = {}
        for fact in self.applied():
            if isinstance(fact, PaymentPosted | PaymentReversed):
                key = (fact.loan_id, fact.payment_id)
                known = found.get(key, Paid(fact.amount, heard=False, taken_back=False))
                assert known.amount == fact.amount, f"{key} has two amounts"
                posted = isinstance(fact, PaymentPosted)
                found[key] = Paid(fact.amount, known.heard or posted, known.taken_back or not posted)
        return found

    def owed(self) -> Mapping[str, Owed]:
        """By loan: what is past due, since when, and whether the loan has ended; on the last date of its party."""
        applied = self.applied()
        found = {}
        for loan in self.model.introduced:
            base = self._newest(applied, loan)
            closed = max(
                (f.closed_at for f in applied if isinstance(f, LoanClosed) and f.loan_id == loan), default=None
            )
            found[loan] = past_due(
                loan, msgspec.to_builtins(base), closed, self._postings(applied, loan), self._on(loan)
            )
        return found

    def reported(self, party: str) -> bool:
        """Whether any snapshot of a party's loans showed something past due on its own date."""
        return any(
            isinstance(fact, LoanOverdue) and LOANS[fact.loan_id] == party and each.due_on < fact.as_of
            for fact in self.applied()
            for each in getattr(fact, "instalments", ())
        )

    def _on(self, loan: str) -> date:
        own = [f.as_of for f in self.applied() if isinstance(f, LoanOverdue) and LOANS[f.loan_id] == LOANS[loan]]
        return max(self.model.on, *own)

    @staticmethod
    def _newest(applied: Iterable[Fact], loan: str) -> LoanOverdue:
        of_loan = [fact for fact in applied if isinstance(fact, LoanOverdue) and fact.loan_id == loan]
        return max(of_loan, key=lambda fact: fact.posting_cut_off)

    @staticmethod
    def _postings(applied: Iterable[Fact], loan: str) -> Sequence[tuple[int, datetime, datetime | None, date]]:
        found: dict[str, tuple[int, datetime, datetime | None, date]] = {}
        for fact in applied:
            if isinstance(fact, PaymentPosted | PaymentReversed) and fact.loan_id == loan:
                before = found.get(fact.payment_id)
                taken_back = fact.reversed_at if isinstance(fact, PaymentReversed) else before[2] if before else None
                found[fact.payment_id] = (fact.amount, fact.posted_at, taken_back, fact.posted_at.date())
        return list(found.values())


def as_text(fact: Any) -> bytes:
    """A fact less the party, which does not travel on."""
    return msgspec.json.encode(msgspec.structs.replace(fact, party_id=""))
