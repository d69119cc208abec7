"""Champion, challenger and hold-out: who counts under which arm, in whatever order the topics bring it."""

from collections.abc import Sequence
from itertools import permutations

import pytest

from services.analytics.domain.rows import Trial
from services.analytics.domain.trials import counted, drawn
from shared.contracts import intake, outreach, segmentation
from shared.contracts.envelope import Fact
from shared.contracts.intake import Disposition
from tests.unit.analytics.test_counting import AT, EXPLAINED, case, contact, loan, paid, told


def treatment(experiment: str = "x", arm: str = "champion") -> segmentation.TreatmentAssigned:
    """A treatment of somebody who was drawn."""
    return segmentation.TreatmentAssigned(
        stage="EARLY", strategy="s", strategy_version=1, steps=(), explanation=EXPLAINED, experiment=experiment,
        experiment_version=1, arm=arm,
    )  # fmt: skip


def taken_back(amount: int) -> intake.PaymentReversed:
    return intake.PaymentReversed(
        case=case(), loan_id="L1", payment_id="p1", amount=amount, currency="CNY", reversed_at=AT
    )  # fmt: skip


CURED = intake.CaseCured(case=case(loan("current")))
PAID_OFF = intake.CaseClosed(case=case(loan(closed_as="paid"), disposition=Disposition.PAID))
SOLD = intake.CaseClosed(case=case(loan(closed_as="sold"), disposition=Disposition.SOLD))
KEPT = outreach.PromiseKept(promise_id="p", amount=1, currency="CNY", promised_on=AT.date(), paid_amount=1)


def trial(*facts: Fact) -> Trial:
    """The one experiment that a person is in after these facts."""
    (found,) = told([intake.CaseOpened(case=case()), treatment(), *facts]).trials.values()
    return found


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        pytest.param([], Trial("x", "champion"), id="drawn, and nothing more"),
        pytest.param([treatment(), treatment()], Trial("x", "champion"), id="treated again and again"),
        pytest.param([contact("reached")], Trial("x", "champion", contacts=1), id="a contact that was made"),
        pytest.param(
            [contact("reached"), treatment(), contact("reached")],
            Trial("x", "champion", contacts=2),
            id="contacts before and after another treatment",
        ),
        pytest.param(
            [contact(how) for how in ("permitted", "not_made", "unknown")],
            Trial("x", "champion"),
            id="no contact that may not have been made",
        ),
        pytest.param([paid(case())], Trial("x", "champion", paid={"CNY": 70}), id="a payment"),
        pytest.param([paid(None)], Trial("x", "champion"), id="no payment of who has no case"),
        pytest.param(
            [paid(case()), taken_back(30)], Trial("x", "champion", paid={"CNY": 40}), id="less what is taken back"
        ),
        pytest.param([CURED], Trial("x", "champion", cures=1), id="a case that is up to date"),
        pytest.param([PAID_OFF], Trial("x", "champion", cures=1), id="a case of which all is paid"),
        pytest.param([SOLD], Trial("x", "champion"), id="no case that was sold"),
        pytest.param([KEPT], Trial("x", "champion", promises_kept=1), id="a promise that was kept"),
    ],
)
def test_what_counts_under_an_arm(facts: Sequence[Fact], found: Trial) -> None:
    assert trial(*facts) == found


def test_the_arm_may_be_heard_of_before_or_after_what_counts_under_it() -> None:
    opened = intake.CaseOpened(case=case())
    found = {
        str(dict(told([opened, *facts]).trials))
        for facts in permutations([treatment(), contact("reached"), paid(case())])
    }
    assert len(found) == 1


def test_another_experiment_begins_at_zero_and_leaves_the_first_as_it_was() -> None:
    record = told(
        [treatment(), contact("reached"), treatment("y", "challenger"), contact("reached"), contact("reached")]
    )
    assert record.trials == {
        "x": Trial("x", "champion", counting=False, contacts=1),
        "y": Trial("y", "challenger", contacts=2),
    }


def test_who_was_drawn_by_nobody_counts_under_no_arm() -> None:
    record = told([intake.CaseOpened(case=case()), treatment("", ""), paid(case())])
    assert record.trials == {"": Trial(paid={"CNY": 70})}


def test_amounts_of_two_currencies_are_never_added() -> None:
    both = counted(counted(drawn({}, "x", "a"), paid={"EUR": 5}), paid={"CNY": 70, "EUR": 1})
    assert list(both["x"].paid.items()) == [("CNY", 70), ("EUR", 6)]
