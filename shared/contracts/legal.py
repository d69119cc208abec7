"""What legal tells: matters, refusals to open one, and the holds that it asks of outreach."""

from collections.abc import Mapping
from datetime import date

from shared.contracts.envelope import Fact
from shared.contracts.segmentation import Explanation

TOPIC = "legal.events"


class MatterOpened(Fact, frozen=True, kw_only=True, gc=False):
    """A referral passed the screen. Amounts are minor units of `currency`; a matter has one currency."""

    matter_id: str
    claim: int
    currency: str
    oldest_due_on: date
    explanation: Explanation


class ReferralDeclined(Fact, frozen=True, kw_only=True, gc=False):
    """A referral did not pass the screen, and why."""

    referral_id: str
    explanation: Explanation


class MatterClosed(Fact, frozen=True, kw_only=True, gc=False):
    """The matter has ended."""

    matter_id: str
    reason: str


class HoldPlaced(Fact, frozen=True, kw_only=True, gc=False):
    """Outreach is to stand still for this debtor."""

    hold_id: str
    reason: str


class HoldReleased(Fact, frozen=True, kw_only=True, gc=False):
    """The hold of that id no longer stands."""

    hold_id: str
    reason: str


FACTS: Mapping[str, type[Fact]] = {
    "legal.matter-opened.v1": MatterOpened,
    "legal.referral-declined.v1": ReferralDeclined,
    "legal.matter-closed.v1": MatterClosed,
    "legal.hold-placed.v1": HoldPlaced,
    "legal.hold-released.v1": HoldReleased,
}
