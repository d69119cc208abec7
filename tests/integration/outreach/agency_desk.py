"""Agencies at the desk of a bank: who they are, and what they and supervisors ask for over HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from services.outreach.agencies.register.domain import kept_as
from shared.contracts import intake
from shared.settings import ApiToken, Settings
from tests.integration.outreach.people import ANNA, Office, office_of
from tests.integration.outreach.rig import SETTINGS
from tests.unit.outreach.placing import listed
from tests.unit.outreach.play import case

AGENCIES = tuple(ApiToken(name, "agency", f"a token of the agency {name} 0001") for name in ("alpha", "beta"))
BERTA = "b" * 32
CALL = {"channel": "phone"}
NOBODYS = "0" * 32
DAY = timedelta(days=1)


@asynccontextmanager
async def with_agencies(dsn: str, settings: Settings = SETTINGS) -> AsyncIterator[Office]:
    """An office with one debtor, whose lanes know two agencies."""
    async with office_of(dsn, replace(settings, tokens=(*settings.tokens, *AGENCIES))) as office:
        for number in office.worker.standings:
            office.worker.standings[number].directives.update(
                {kept_as(each.name): listed(each.name) for each in AGENCIES}
            )
        await office.hear(intake.BusinessDateAdvanced(business_date=date(2026, 3, 2)), 0, "")
        await office.know()
        yield office


async def offered(office: Office, agency: str = "alpha", debtor_id: str = ANNA) -> str:
    """A case that was offered, by its placement."""
    wanted = {"agency_id": agency, "days": 90}
    answer = await office.post(f"/v1/debtors/{debtor_id}/placements", wanted, role="supervisor")
    assert answer.status_code == 201, answer.text
    return str(answer.json()["placement_id"])


async def placed(office: Office, agency: str = "alpha", debtor_id: str = ANNA) -> str:
    """A case that was offered and accepted."""
    placement_id = await offered(office, agency, debtor_id)
    answer = await office.post(own(placement_id, "accept"), role=agency)
    assert (answer.status_code, answer.json()["state"]) == (200, "accepted"), answer.text
    return placement_id


def own(placement_id: str, what: str = "") -> str:
    """Where an agency finds a placement, and what it does with it."""
    return f"/v1/agency/placements/{placement_id}" + (f"/{what}" if what else "")


async def shown(office: Office, path: str, role: str) -> Any:
    """What is answered to a caller who may read it."""
    answer = await office.read(path, role)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def paid(office: Office, payment_id: str, amount: int, version: int, **how: Any) -> None:
    """A payment is heard of."""
    payment = intake.PaymentPosted(
        case=case(how.get("status", intake.CaseStatus.OPEN)),
        loan_id="loan-1",
        payment_id=payment_id,
        amount=amount,
        currency="CNY",
        posted_at=office.clock.now(),
    )
    await office.hear(payment, version, how.get("debtor_id", ANNA))


async def taken_back(office: Office, payment_id: str, amount: int, version: int) -> None:
    """A payment is heard of as taken back."""
    reversal = intake.PaymentReversed(
        case=case(),
        loan_id="loan-1",
        payment_id=payment_id,
        amount=amount,
        currency="CNY",
        reversed_at=office.clock.now(),
    )
    await office.hear(reversal, version)
