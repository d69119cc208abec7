"""What legal keeps of each debtor, the tables that it lies in, and the queries of the REST routes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import RowMapping, TextualSelect, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.intake import CaseSummary
from shared.contracts.segmentation import Explanation
from shared.messaging.layout import Layout, Table
from shared.profiles import HeldProfile


@dataclass(frozen=True, slots=True)
class CaseCopy:
    """The case as intake last told it; what carries a version that is not above `case_version` is old."""

    lender_id: str
    case_version: int
    summary: CaseSummary


@dataclass(frozen=True, slots=True)
class Matter:
    """A claim in one currency that is pursued at law; `claim` is what was past due when it was opened."""

    matter_id: str
    lender_id: str
    referral_id: str
    hold_id: str
    currency: str
    claim: int
    oldest_due_on: date
    opened_on: date
    explanation: Explanation
    closed: bool = False
    closed_on: date | None = None
    closed_because: str = ""


@dataclass(frozen=True, slots=True)
class Referral:
    """What outreach handed over, and the answer; unanswered until the case is known as of `case_version`."""

    referral_id: str
    lender_id: str
    case_version: int
    plan_number: int
    step_number: int
    referred_at: datetime
    answered: bool = False
    accepted: bool = False
    explanation: Explanation | None = None


@dataclass(frozen=True, slots=True)
class DebtorFile:
    """All that legal knows of one debtor; closed matters and answered referrals are not loaded again."""

    debtor_id: str
    copy: CaseCopy | None
    matters: Mapping[str, Matter]
    referrals: Mapping[str, Referral]
    profile: HeldProfile | None = None


LAYOUT = Layout(
    DebtorFile,
    {
        "copy": Table("case_copy", CaseCopy),
        "matters": Table("matter", Matter, key=("matter_id",), settled="closed"),
        "referrals": Table("referral", Referral, key=("referral_id",), settled="answered"),
        "profile": Table("profile", HeldProfile),
    },
)

_CASE = text(
    "SELECT debtor_id, lender_id, case_version, summary->>'case_id' AS case_id, summary->>'status' AS status "
    "FROM case_copy WHERE debtor_id = :debtor_id"
)
_MATTERS = """
SELECT debtor_id, matter_id, lender_id, referral_id, hold_id, currency, claim, oldest_due_on, opened_on,
       closed, closed_on, closed_because, explanation
FROM matter
"""
_MATTERS_OF = text(f"{_MATTERS} WHERE debtor_id = :debtor_id ORDER BY opened_on, matter_id").columns(explanation=JSONB)
_ALL = text(f"{_MATTERS} WHERE matter_id > :after ORDER BY matter_id LIMIT :limit").columns(explanation=JSONB)
_BY_STATE = text(f"{_MATTERS} WHERE closed = :closed AND matter_id > :after ORDER BY matter_id LIMIT :limit").columns(
    explanation=JSONB
)
_REFERRALS_OF = text("""
SELECT referral_id, lender_id, case_version, plan_number, step_number, referred_at, answered, accepted, explanation
FROM referral WHERE debtor_id = :debtor_id ORDER BY referred_at, referral_id
""").columns(explanation=JSONB)


async def find_case(connection: AsyncConnection, debtor_id: str) -> RowMapping | None:
    """The copy of a debtor's case, None where none was heard of."""
    return (await connection.execute(_CASE, {"debtor_id": debtor_id})).mappings().one_or_none()


async def matters_of(connection: AsyncConnection, debtor_id: str) -> Sequence[RowMapping]:
    """A debtor's matters, oldest first."""
    return await _rows(connection, _MATTERS_OF, debtor_id=debtor_id)


async def referrals_of(connection: AsyncConnection, debtor_id: str) -> Sequence[RowMapping]:
    """A debtor's referrals, oldest first."""
    return await _rows(connection, _REFERRALS_OF, debtor_id=debtor_id)


async def list_matters(
    connection: AsyncConnection, *, closed: bool | None, after: str, limit: int
) -> Sequence[RowMapping]:
    """Matters in order of their id, above `after`; only the open or the closed ones where that is asked."""
    if closed is None:
        return await _rows(connection, _ALL, after=after, limit=limit)
    return await _rows(connection, _BY_STATE, closed=closed, after=after, limit=limit)


async def _rows(connection: AsyncConnection, query: TextualSelect, **values: object) -> Sequence[RowMapping]:
    return (await connection.execute(query, values)).mappings().all()
