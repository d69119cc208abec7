"""What is held of each debtor, and what is added to the sums over debtors."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Case:
    """The debtor's case as intake last told it, and where segmentation put it; `stage` is empty before that."""

    case_id: str
    lender_id: str
    case_version: int
    status: str
    disposition: str
    opened_on: date
    business_date: date
    stage: str = ""
    strategy: str = ""


@dataclass(frozen=True, slots=True)
class Loan:
    """A loan with its move of `month` (YYYY-MM): from `opening` to `bucket`. Amounts are minor units of `currency`.

    A bucket is a label of `scheme`, or "closed:<reason>".
    """

    loan_id: str
    lender_id: str
    product: str
    portfolio: str
    scheme: str
    currency: str
    past_due: int
    outstanding: int
    month: str
    opening: str
    bucket: str


@dataclass(frozen=True, slots=True)
class Roll:
    """So many more (or fewer) loans whose move of `month` is `from_bucket` to `to_bucket`."""

    scheme: str
    month: str
    lender_id: str
    product: str
    from_bucket: str
    to_bucket: str
    loans: int


@dataclass(frozen=True, slots=True)
class Count:
    """So many more (or fewer) of something in a month.

    `subject` is "case" (kind: what happened; detail: the disposition), "plan" (kind: its state), "step" (kind: the
    channel; detail: its state), "contact" (kind: the channel; detail: how it ended, or "permitted"), "denial" (kind:
    the rule; detail: the channel), "outcome" (kind: the channel; detail: the result), "promise" (kind: how it stands),
    "dispute", "complaint", "hardship", "visit" or "matter" (kind: what happened).
    """

    month: str
    lender_id: str
    subject: str
    kind: str
    detail: str
    times: int


@dataclass(frozen=True, slots=True)
class Cash:
    """So much more of a measure ("count", or "amount" in minor units) of payments or reversals in a month."""

    month: str
    lender_id: str
    kind: str
    currency: str
    measure: str
    total: int


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a plan and how it stands."""

    number: int
    channel: str
    state: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan with its steps; it is completed when all have ended without a stop."""

    plan_number: int
    lender_id: str
    stage: str
    strategy: str
    strategy_version: int
    state: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of a person in an experiment; `paid` is by currency, in minor units, less what was taken back.

    counting: it is the experiment that the person is in now; before an arm was heard of, the one without a name is.
    """

    experiment: str = ""
    arm: str = ""
    counting: bool = True
    contacts: int = 0
    cures: int = 0
    promises_kept: int = 0
    paid: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KeptFact:
    """One consumed fact as it came, with the business date that it was counted under (None: none was known)."""

    event_id: str
    type: str
    lender_id: str
    case_version: int
    occurred_at: datetime
    recorded_at: datetime
    business_date: date | None
    data: Any


@dataclass(frozen=True, slots=True)
class DebtorRecord:
    """All that analytics holds of one debtor, and what is to be added to the journal and to the sums over debtors."""

    debtor_id: str
    case: Case | None
    loans: Mapping[str, Loan]
    plans: Mapping[int, Plan]
    trials: Mapping[str, Trial]
    facts: tuple[KeptFact, ...] = ()
    rolls: tuple[Roll, ...] = ()
    counts: tuple[Count, ...] = ()
    cash: tuple[Cash, ...] = ()
