"""What an operator can ask of a debtor's plans."""

from datetime import date
from typing import Annotated

import msgspec

from shared.contracts.reasons import Reason


class PlaceHold(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Outreach is to stand still for a debtor, until released or until the books reach `until`."""

    reason: Reason
    until: date | None = None


class ReleaseHold(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A hold no longer stands."""

    hold_id: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    reason: Reason
