"""Which treatments come too late: what is known, and the version of the case that a treatment was made from."""

from dataclasses import replace

import pytest

from services.outreach.plans.domain.course import refusal_of
from services.outreach.plans.domain.rows import CaseStatus, DebtorPlans, Guard, Treatment
from services.outreach.plans.store import LAYOUT

OPEN, CURED, CLOSED = CaseStatus.OPEN, CaseStatus.CURED, CaseStatus.CLOSED
STOPPED, SUPERSEDED, ENDED = "older than the last stop", "older than the treatment held", "the case has ended"


def known(case_version: int, status: CaseStatus | None, stop_version: int = 0, held: int | None = None) -> DebtorPlans:
    empty: DebtorPlans = LAYOUT.empty("d")
    guard = Guard("bank", case_version=case_version, status=status, stop_version=stop_version)
    treatment = None if held is None else Treatment(held, "EARLY", "ladder", 1, ())
    return replace(empty, guard=guard, treatment=treatment)


@pytest.mark.parametrize(
    ("state", "version", "refusal"),
    [
        pytest.param(LAYOUT.empty("d"), 1, "", id="the first that is ever heard of a debtor is held"),
        pytest.param(known(5, OPEN, 5), 4, STOPPED, id="one from before the last stop is refused"),
        pytest.param(known(5, OPEN, 5), 5, "", id="one that knows the last stop is held"),
        pytest.param(known(9, OPEN, 5), 6, "", id="one behind the case but not behind the stop is held"),
        pytest.param(known(9, OPEN, held=7), 6, SUPERSEDED, id="one older than that held is refused"),
        pytest.param(known(9, OPEN, held=7), 7, "", id="a second one of the same version is held"),
        pytest.param(known(5, CURED), 5, ENDED, id="one that was made of a cured case is refused"),
        pytest.param(known(5, CLOSED), 4, ENDED, id="one from before the closing is refused"),
        pytest.param(known(5, CLOSED, 5), 6, "", id="one of a case that is open again, as the copy does not know yet"),
        pytest.param(known(0, None), 1, "", id="one whose case has not arrived is held"),
    ],
)
def test_a_treatment_that_comes_too_late_is_refused(state: DebtorPlans, version: int, refusal: str) -> None:
    assert refusal_of(state, version) == refusal
