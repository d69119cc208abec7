"""What segmentation keeps of each debtor, the tables that it lies in, and the queries of the REST routes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import RowMapping, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from services.segmentation.domain.tiers import Known, Tier
from shared.contracts.intake import CaseSummary
from shared.contracts.segmentation import Explanation
from shared.messaging.layout import Layout, Table


@dataclass(frozen=True, slots=True)
class CaseCopy:
    """The case as intake last told it; what carries a version that is not above `case_version` is old."""

    lender_id: str
    case_version: int
    summary: CaseSummary


@dataclass(frozen=True, slots=True)
class Enrolment:
    """The strategy that the debtor was first given; it stays, through cures, until the case is closed."""

    strategy: str
    strategy_version: int
    enrolled_on: date


@dataclass(frozen=True, slots=True)
class HeldArm:
    """What a person was assigned by chance, and why; it stays through closings as long as the experiment goes on."""

    experiment: str
    experiment_version: int
    arm: str
    assigned_on: date
    explanation: Explanation


@dataclass(frozen=True, slots=True)
class StandingPromise:
    """A promise that is neither kept nor broken; it pauses nothing any more from `ends_on` on."""

    promise_id: str
    promised_on: date
    ends_on: date


@dataclass(frozen=True, slots=True)
class Override:
    """A tier that staff have set; it stands until the business date reaches `until`."""

    tier: Tier
    reason: str
    placed_by: str
    placed_on: date
    until: date


@dataclass(frozen=True, slots=True)
class Person:
    """What contacts, promises and staff say of a debtor."""

    known: Known = field(default_factory=Known)
    promises: tuple[StandingPromise, ...] = ()
    override: Override | None = None


@dataclass(frozen=True, slots=True)
class Assignment:
    """What applies now: stage and tier, and the treatment last told, for case version `decided_for`."""

    stage: str
    entered_on: date
    strategy: str
    strategy_version: int
    decided_for: int
    decided_on: date
    explanation: Explanation
    tier: Tier | None
    segment: str
    tier_explanation: Explanation | None


@dataclass(frozen=True, slots=True)
class StageDue:
    """The business date on which the case enters its next stage, if nothing is paid."""

    due_on: date
    lender_id: str


@dataclass(frozen=True, slots=True)
class ReviewDue:
    """The business date before that on which something else ends that decides: a hold-out, a pause, an override."""

    due_on: date
    lender_id: str


@dataclass(frozen=True, slots=True)
class DebtorFile:
    """All that segmentation knows of one debtor."""

    debtor_id: str
    copy: CaseCopy | None
    enrolment: Enrolment | None
    assignment: Assignment | None
    due: StageDue | None
    arm: HeldArm | None
    person: Person | None
    review: ReviewDue | None


LAYOUT = Layout(
    DebtorFile,
    {
        "copy": Table("case_copy", CaseCopy),
        "enrolment": Table("enrolment", Enrolment),
        "assignment": Table("assignment", Assignment),
        "due": Table("stage_due", StageDue, due="due_on"),
        "arm": Table("arm", HeldArm),
        "person": Table("person", Person),
        "review": Table("review_due", ReviewDue, due="due_on"),
    },
)

_DEBTORS = """
SELECT c.debtor_id, c.lender_id, c.case_version, c.summary->>'case_id' AS case_id, c.summary->>'status' AS status,
       c.summary->>'oldest_due_on' AS oldest_due_on, e.strategy, e.strategy_version, e.enrolled_on,
       a.stage, a.entered_on, a.decided_for, a.decided_on, a.explanation, a.tier, d.due_on AS next_stage_on
FROM case_copy c
LEFT JOIN enrolment e USING (debtor_id)
LEFT JOIN assignment a USING (debtor_id)
LEFT JOIN stage_due d USING (debtor_id)
"""

_ONE = text(f"{_DEBTORS} WHERE c.debtor_id = :debtor_id").columns(explanation=JSONB)
_ALL = text(f"{_DEBTORS} WHERE c.debtor_id > :after ORDER BY c.debtor_id LIMIT :limit").columns(explanation=JSONB)
_IN_STAGE = text(
    f"{_DEBTORS} WHERE a.stage = :stage AND a.debtor_id > :after ORDER BY a.debtor_id LIMIT :limit"
).columns(explanation=JSONB)


async def find_debtor(connection: AsyncConnection, debtor_id: str) -> RowMapping | None:
    """What is held about one debtor, None where nothing is."""
    return (await connection.execute(_ONE, {"debtor_id": debtor_id})).mappings().one_or_none()


async def list_debtors(
    connection: AsyncConnection, *, stage: str | None, after: str, limit: int
) -> Sequence[RowMapping]:
    """Debtors in order of their id, above `after`; only those in `stage` where one is named."""
    if stage is None:
        return (await connection.execute(_ALL, {"after": after, "limit": limit})).mappings().all()
    return (await connection.execute(_IN_STAGE, {"stage": stage, "after": after, "limit": limit})).mappings().all()


_ASSIGNMENT = text("""
    SELECT c.debtor_id, r.experiment, r.experiment_version, r.arm, r.assigned_on, r.explanation AS arm_explanation,
           a.strategy, a.strategy_version, a.explanation AS treatment_explanation,
           a.tier, a.segment, a.tier_explanation,
           p.known, coalesce(p.promises, '[]') AS promises, p.override, v.due_on AS next_review_on
    FROM case_copy c
    LEFT JOIN arm r USING (debtor_id)
    LEFT JOIN assignment a USING (debtor_id)
    LEFT JOIN person p USING (debtor_id)
    LEFT JOIN review_due v USING (debtor_id)
    WHERE c.debtor_id = :debtor_id
""").columns(
    arm_explanation=JSONB, treatment_explanation=JSONB, tier_explanation=JSONB, known=JSONB, promises=JSONB,
    override=JSONB,
)  # fmt: skip


async def find_assignment(connection: AsyncConnection, debtor_id: str) -> RowMapping | None:
    """What was assigned to one debtor and why, None where no case is held."""
    return (await connection.execute(_ASSIGNMENT, {"debtor_id": debtor_id})).mappings().one_or_none()


async def lender_of(connection: AsyncConnection, debtor_id: str) -> str | None:
    """The lender of a debtor's case, None where no case is held."""
    return (await connection.execute(_LENDER, {"debtor_id": debtor_id})).scalar_one_or_none()


_LENDER = text("SELECT lender_id FROM case_copy WHERE debtor_id = :debtor_id")
