"""What outcomes, promises and what people have to see to add to the counts."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest

from shared.contracts import outreach
from shared.contracts.envelope import Fact
from shared.contracts.outreach import OutcomeResult
from shared.contracts.segmentation import Channel
from tests.unit.analytics.test_counting import happened, told

ON = date(2026, 3, 10)
PROMISE: dict[str, Any] = {"promise_id": "p", "amount": 5, "currency": "CNY", "promised_on": ON}
MATTER: dict[str, Any] = {"matter_id": "m", "kind": outreach.MatterKind.COMPLAINT}

WITHDRAWN = outreach.OptOutWithdrawn(
    channel=Channel.SMS,
    since=datetime(2026, 3, 1, tzinfo=UTC),
    since_on=ON,
    contact_id="c",
    withdrawn_on=ON,
    withdrawn_by="operator/a",
    said_by=outreach.SaidBy.CALL,
    reason="she asks for it",
)


def said(result: OutcomeResult) -> outreach.OutcomeRecorded:
    return outreach.OutcomeRecorded(contact_id="c", channel=Channel.PHONE, result=result, recorded_by="operator/a")


@pytest.mark.parametrize(
    ("facts", "counts"),
    [
        pytest.param(
            [said(OutcomeResult.REFUSED), said(OutcomeResult.REFUSED), said(OutcomeResult.PROMISED)],
            {"outcome phone refused": 2, "outcome phone promised": 1},
            id="what contacts led to",
        ),
        pytest.param(
            [said(OutcomeResult.OPTED_OUT), WITHDRAWN],
            {"outcome phone opted_out": 1, "outcome sms opt_out_withdrawn": 1},
            id="an opt-out that is withdrawn",
        ),
        pytest.param(
            [outreach.PromiseMade(**PROMISE), outreach.PromiseKept(**PROMISE, paid_amount=5)],
            {"promise made": 1, "promise kept": 1},
            id="a promise that is kept",
        ),
        pytest.param(
            [
                outreach.PromiseMade(**PROMISE),
                outreach.PromiseKept(**PROMISE, paid_amount=5),
                outreach.PromiseReopened(**PROMISE, was=outreach.PromiseEnd.KEPT),
                outreach.PromiseBroken(**PROMISE, paid_amount=0),
            ],
            {"promise made": 1, "promise broken": 1},
            id="a promise that was kept and is no more",
        ),
        pytest.param(
            [
                outreach.MatterRaised(**MATTER, team="t", opened_on=ON, due_on=ON),
                outreach.MatterOverdue(**MATTER, team="t", due_on=ON),
                outreach.MatterResolved(**MATTER, reason="r", late=True),
            ],
            {"complaint raised": 1, "complaint overdue": 1, "complaint resolved": 1},
            id="a complaint",
        ),
    ],
)
def test_what_is_counted(facts: Sequence[Fact], counts: dict[str, int]) -> None:
    assert happened(told(facts)) == counts
