"""What outreach tells of agencies: how each stands in the register, and which keys its machines have."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum

from shared.contracts.envelope import Fact, Identifier
from shared.contracts.reasons import Reason

TOPIC = "outreach.agencies"
"""The register of agencies as it is told: every fact goes to every lane."""


class AgencyState(StrEnum):
    """Whether an agency may work at all."""

    ACTIVE = "active"
    SUSPENDED = "suspended"


class OfAgency(Fact, frozen=True, kw_only=True, gc=False):
    """A fact about one agency."""

    agency_id: Identifier


class AgencyListed(OfAgency, frozen=True, kw_only=True, gc=False):
    """How an agency stands from now on, whole; `reason` says why it is suspended, or was resumed.

    licence_until, contract_until: the last day of each. published: the agency is on the lender's public list.
    commission_ppm: its share of what is paid, in millionths, by the tier of a placement, which counts from 1; the last
    one holds for every later tier.
    """

    name: str
    state: AgencyState
    licence_until: date
    contract_from: date
    contract_until: date
    last_evaluation_on: date | None
    trained_until: date | None
    published: bool
    capacity: int
    commission_ppm: tuple[int, ...]
    reason: str = ""


class AgencyComplained(OfAgency, frozen=True, kw_only=True, gc=False):
    """A complaint about an agency was recorded; `complaints` is how many there are by now."""

    complaints: int
    reason: Reason


class AgencyKeyAdded(OfAgency, frozen=True, kw_only=True, gc=False):
    """The agency's machines may sign with another key."""

    kid: str
    alg: str


class AgencyKeyRemoved(OfAgency, frozen=True, kw_only=True, gc=False):
    """What is signed with this key counts no more."""

    kid: str
    reason: Reason


class AgencyApiKeyIssued(OfAgency, frozen=True, kw_only=True, gc=False):
    """The agency was shown an API key, of which `prefix` is the part that may be known."""

    prefix: str
    scopes: tuple[str, ...]
    expires_at: datetime


class AgencyApiKeyRevoked(OfAgency, frozen=True, kw_only=True, gc=False):
    """An API key opens nothing any more."""

    prefix: str
    reason: Reason


FACTS: Mapping[str, type[Fact]] = {
    "outreach.agency-listed.v1": AgencyListed,
    "outreach.agency-complained.v1": AgencyComplained,
    "outreach.agency-key-added.v1": AgencyKeyAdded,
    "outreach.agency-key-removed.v1": AgencyKeyRemoved,
    "outreach.agency-api-key-issued.v1": AgencyApiKeyIssued,
    "outreach.agency-api-key-revoked.v1": AgencyApiKeyRevoked,
}
