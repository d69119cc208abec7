"""What has to be seen to before anybody is contacted again, and until when."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from shared.frozen import replace


class MatterKind(StrEnum):
    """What it is about, in the words that are told."""

    DISPUTE = "dispute"
    COMPLAINT = "complaint"
    HARDSHIP = "hardship"
    REPORTED_PAYMENT = "reported_payment"


class MatterState(StrEnum):
    """How a matter stands; one that is overdue is still to be seen to."""

    OPEN = "open"
    OVERDUE = "overdue"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Deadline:
    """Who sees to a kind of matter, within how many civil days after the one on which it came up, and by which text."""

    days: int
    team: str
    force: str
    citation: str


@dataclass(frozen=True, slots=True)
class Deadlines:
    """The deadlines of a jurisdiction, on the calendar of `zone`."""

    zone: str
    of: Mapping[MatterKind, Deadline]

    def day_of(self, instant: datetime) -> date:
        """The civil date in the zone."""
        return instant.astimezone(ZoneInfo(self.zone)).date()


@dataclass(frozen=True, slots=True)
class Matter:
    """One of them. due_on: the last day on which it is in time. settled: it was resolved."""

    matter_id: str
    kind: MatterKind
    state: MatterState
    team: str
    opened_at: datetime
    opened_on: date
    opened_by: str
    due_on: date
    force: str
    citation: str
    contact_id: str = ""
    loan_id: str = ""
    resolved_at: datetime | None = None
    resolved_by: str = ""
    resolution: str = ""
    late: bool = False
    settled: bool = False

    @property
    def hold_id(self) -> str:
        """The id of the hold that stands as long as it does."""
        return f"matter:{self.matter_id}"


@dataclass(frozen=True, slots=True)
class MatterDue:
    """Future work: a matter is no longer in time."""

    matter_id: str
    due_on: date
    lender_id: str


def open_of(matters: Iterable[Matter], kind: MatterKind, loan_id: str = "") -> Matter | None:
    """The matter of that kind and loan that is to be seen to, None where there is none."""
    return next((each for each in matters if not each.settled and (each.kind, each.loan_id) == (kind, loan_id)), None)


def overdue(matter: Matter) -> Matter:
    """The matter once its deadline has passed."""
    return replace(matter, state=MatterState.OVERDUE, late=True)


def resolved(matter: Matter, reason: str, by: str, on: date, instant: datetime) -> Matter:
    """The matter once somebody has seen to it; also late where nobody has noticed yet."""
    late = matter.late or on > matter.due_on
    return replace(
        matter,
        state=MatterState.RESOLVED,
        resolved_at=instant,
        resolved_by=by,
        resolution=reason,
        late=late,
        settled=True,
    )


def due_of(matter: Matter, lender_id: str) -> MatterDue:
    """When it is no longer in time."""
    return MatterDue(matter.matter_id, matter.due_on + timedelta(1), lender_id)
