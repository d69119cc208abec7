"""What segmentation keeps of each debtor, the tables that it lies in, and the queries of the REST routes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import RowMapping, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

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
class Assignment:
    """What applies now: the stage since `entered_on`, and the treatment last told, for case version `decided_for`."""

    stage: str
    entered_on: date
    strategy: str
    strategy_version: int
    decided_for: int
    decided_on: date
    explanation: Explanation


@dataclass(frozen=True, slots=True)
class StageDue:
    """The business date on which the case enters its next stage, if nothing is paid."""

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


LAYOUT = Layout(
    DebtorFile,
    {
        "copy": Table("case_copy", CaseCopy),
        "enrolment": Table("enrolment", Enrolment),
        "assignment": Table("assignment", Assignment),
        "due": Table("stage_due", StageDue, due="due_on"),
    },
)

_DEBTORS = """
SELECT c.debtor_id, c.lender_id, c.case_version, c.summary->>'case_id' AS case_id, c.summary->>'status' AS status,
       c.summary->>'oldest_due_on' AS oldest_due_on, e.strategy, e.strategy_version, e.enrolled_on,
       a.stage, a.entered_on, a.decided_for, a.decided_on, a.explanation, d.due_on AS next_stage_on
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
