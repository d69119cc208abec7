"""Where a case stands, as of the later of two dates: that of its last fact, and that of the lane's clock."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from services.segmentation.domain.ladder import Ladder, Stage, days_past_due
from services.segmentation.store import CaseCopy, DebtorFile, Person
from shared.contracts.envelope import Event, Moment
from shared.contracts.intake import CaseStatus, CaseSummary
from shared.frozen import replace


@dataclass(frozen=True, slots=True)
class Position:
    """Where an open case stands: in `stage`, so many days past due as of a business date."""

    copy: CaseCopy
    oldest_due_on: date
    as_of: date
    stage: Stage

    @property
    def days(self) -> int:
        """Days past due."""
        return days_past_due(self.oldest_due_on, self.as_of)

    def inputs(self) -> Mapping[str, str]:
        """What a decision saw, for its explanation."""
        return {
            "days_past_due": str(self.days),
            "oldest_due_on": self.oldest_due_on.isoformat(),
            "business_date": self.as_of.isoformat(),
            "case_version": str(self.copy.case_version),
        }


def position_of(ladder: Ladder, file: DebtorFile, now: Moment) -> Position | None:
    """Where the case stands; None unless it is open and in a stage."""
    case = open_case(file)
    if file.copy is None or case is None or case.oldest_due_on is None:
        return None
    as_of = as_of_case(case, now)
    stage = ladder.stage_at(days_past_due(case.oldest_due_on, as_of))
    return None if stage is None else Position(file.copy, case.oldest_due_on, as_of, stage)


def open_case(file: DebtorFile) -> CaseSummary | None:
    """The case as last told, if it is open."""
    return file.copy.summary if file.copy is not None and file.copy.summary.status is CaseStatus.OPEN else None


def as_of_case(case: CaseSummary, now: Moment) -> date:
    """The later of two dates: a case fact may run ahead of the lane's clock, and the clock of a quiet case."""
    return max(now.business_date, case.business_date)


def today(file: DebtorFile, now: Moment) -> date:
    """The same where there may be no case yet."""
    return now.business_date if file.copy is None else as_of_case(file.copy.summary, now)


def is_news(file: DebtorFile, event: Event[Any]) -> bool:
    """Whether a fact carries a newer version of the case than the copy."""
    return file.copy is None or event.case_version > file.copy.case_version


def taken(file: DebtorFile, event: Event[Any], case: CaseSummary) -> DebtorFile:
    """The file with the case as it now stands."""
    return replace(file, copy=CaseCopy(event.lender_id, event.case_version, case))


def person_of(file: DebtorFile) -> Person:
    """What is known of the debtor as a person; an empty page where nothing is."""
    return file.person or Person()


def cleared(file: DebtorFile) -> DebtorFile:
    """Nothing is prescribed; a closed case also gives its strategy back, and its promises."""
    file = replace(file, assignment=None, review=None)
    if file.copy is None or file.copy.summary.status is not CaseStatus.CLOSED:
        return file
    person = file.person and replace(file.person, promises=())
    return replace(file, enrolment=None, person=person)
