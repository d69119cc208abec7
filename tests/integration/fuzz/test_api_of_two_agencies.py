"""Each of two agencies asks everything, also of the other: no answer has a word of it, and nothing of it changes.

Every answer is as described besides. Staff's routes refuse agencies before they read anything, so each agency asks half
of them, and without the odd requests.
"""

from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.conftest import DatabaseOf
from tests.integration.fuzz.fuzzing import EXAMPLES, SECONDS, check_form, fuzzed, schema_at
from tests.integration.fuzz.two_agencies import AGENCIES, TOKENS, Estate, House, ids_of, rows_of, working_for_two

pytestmark = [pytest.mark.slow, pytest.mark.timeout(SECONDS)]

KINGFISHER, MARMALADE = AGENCIES
OWN = "^/v1/(agency|oauth)(/|$)"
FEW = 4

HOLDS = {
    "agency", "agency_key", "agency_api_key", "placement", "placement_change", "agency_credit", "contact",
    "webhook_endpoint", "webhook_delivery", "webhook_due", "payment_report", "command",
}  # fmt: skip
"""Where an agency has something, at least."""

ANSWERED = {
    "GET /v1/agency", "GET /v1/agency/placements", "GET /v1/agency/placements/changes",
    "GET /v1/agency/placements/{placement_id}", "GET /v1/agency/statements/{month}", "GET /v1/agency/webhooks",
    "GET /v1/agency/webhooks/deliveries", "POST /v1/agency/permits/check",
    "GET /v1/agency/placements/{placement_id}/payments",
}  # fmt: skip
"""Of these an agency must have got its own, or nothing is known of what it does not get."""


@dataclass
class Looking:
    """Looks at every answer to one agency for the marks of another, and for what was asked of the other's."""

    other: Estate
    told: dict[str, str] = field(default_factory=dict)
    asked_for: set[str] = field(default_factory=set)

    def look(self, operation: str, response: Any) -> None:
        said = f"{response.content.decode('utf-8', 'replace')} {dict(response.headers)}".lower()
        for mark in self.other.marks:
            if mark in said:
                self.told.setdefault(operation, f"{mark} in {response.status_code}: {said[:2000]}")
        asked = f"{response.request.url} {response.request.body}"
        self.asked_for |= {mark for mark in self.other.marks if mark in asked}


def asked_by(house: House, agency: str, looking: Looking) -> Any:
    """All that an agency can ask, and of what is staff's the reads or the rest."""
    staffs = {"exclude-path-regex": OWN}
    other_half = ["POST", "PUT"] if agency == KINGFISHER else ["GET"]
    schema = schema_at(
        house.url,
        TOKENS[agency].token,
        FEW,
        ids_of(list(house.estates.values())),
        operations=[
            {**staffs, "include-method": other_half, "enabled": bool(EXAMPLES)},
            {**staffs, "phases": {"coverage": {"enabled": False}}, "generation": {"max-examples": 1}},
        ],
    )
    return fuzzed(schema, looking.look)


@pytest.mark.parametrize(("agency", "other"), [(KINGFISHER, MARMALADE), (MARMALADE, KINGFISHER)])
def test_an_agency_finds_and_changes_nothing_of_anothers(database_of: DatabaseOf, agency: str, other: str) -> None:
    with working_for_two(database_of("outreach")) as house:
        estate = house.estates[other]
        before, looking = rows_of(house.dsn, estate), Looking(estate)
        found = asked_by(house, agency, looking)
        after = rows_of(house.dsn, estate)
    check_form(found, f"outreach as {agency}")
    assert looking.told == {}
    assert before.keys() >= HOLDS
    assert {table: rows for table, rows in after.items() if before.get(table) != rows} == {}
    assert after.keys() == before.keys()
    reached = {operation for operation, code in found.statuses if code == 200}
    assert reached >= ANSWERED
    for whats in (estate.placements, estate.contacts, estate.deliveries):
        assert set(whats) & looking.asked_for, "of what is the other's, nothing of this kind was asked for"
