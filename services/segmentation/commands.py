"""What staff can ask of segmentation."""

from datetime import date

import msgspec

from shared.contracts.reasons import Reason
from shared.contracts.segmentation import Tier


class OverrideTier(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A debtor is to be treated as of this tier until the books reach `until`; it takes the place of an earlier one."""

    tier: Tier
    reason: Reason
    until: date
