"""What supervisors ask about placements, and what the agency that has one does with it."""

from datetime import date
from typing import Annotated

import msgspec

from services.outreach.outcomes.commands import RecordOutcome
from services.outreach.permits.commands import AskPermit
from shared.contracts.envelope import Identifier
from shared.contracts.reasons import Reason

PlacementId = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class OfferPlacement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A case is to be offered to an agency, for so many days."""

    agency_id: Identifier
    days: Annotated[int, msgspec.Meta(ge=1, le=3660)]


class _OfPlacement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    placement_id: PlacementId


class AskRecall(_OfPlacement, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The lender wants the case back, and hears the agency first."""

    reason: Reason
    objections_until: date


class WithdrawRecall(_OfPlacement, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agency is to keep the case."""

    reason: Reason


class RecallPlacement(_OfPlacement, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The case is taken back now, whatever the agency has said or may still say."""

    reason: Reason


class AcceptPlacement(_OfPlacement, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agency takes the case that it was offered."""


class DeclinePlacement(_OfPlacement, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agency does not take it."""

    reason: Reason


class HandBackPlacement(_OfPlacement, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agency works a case no more that it had taken."""

    reason: Reason


class ObjectToRecall(_OfPlacement, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agency says why it should keep the case."""

    reason: Reason


class AskAgencyPermit(_OfPlacement, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agency wants to make one contact, now."""

    asked: AskPermit


class GiveBackAgencyPermit(_OfPlacement, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The agency has not made a contact that it had a permit for."""

    contact_id: str


class RecordAgencyOutcome(_OfPlacement, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What came of a contact that the agency has made."""

    said: RecordOutcome
