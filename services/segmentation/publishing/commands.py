"""What staff can ask of the register of strategies."""

import msgspec

from shared.contracts.reasons import Reason
from shared.contracts.segmentation import Name, StrategyDocument


class ProposeStrategy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The next version of a strategy, for a second person to approve."""

    strategy: StrategyDocument


class ApproveStrategy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A version is to take effect on its date; `digest` says which text the approver has read."""

    strategy: Name
    version: int
    digest: str


class WithdrawStrategy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A version is not to take effect."""

    strategy: Name
    version: int
    reason: Reason
