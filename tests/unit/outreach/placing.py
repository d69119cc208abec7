"""A debtor's lane in which agencies work: who they are, what they and supervisors ask, and what the house says."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from services.outreach.agencies.placements.commands import (
    AcceptPlacement,
    AskAgencyPermit,
    AskRecall,
    OfferPlacement,
)
from services.outreach.agencies.placements.domain.placement import Placement, live
from services.outreach.agencies.register.domain import kept_as
from services.outreach.permits.commands import AskPermit
from services.outreach.plans.domain.rows import Channel
from services.outreach.plans.store import LAYOUT
from shared.contracts import intake
from shared.contracts.agencies import AgencyListed, AgencyState
from shared.contracts.envelope import Fact, Moment
from shared.service import Rejected
from tests.unit.outreach.play import CURED, DEBTOR, OPEN, Play, case

MORNING = datetime(2026, 3, 2, 2, tzinfo=UTC)
"""Ten in the morning in China."""
CHIEF, ALPHA, BETA = "supervisor/chief", "agency/alpha", "agency/beta"
WORKED, CURES = OPEN, CURED
CALL = AskPermit(channel=Channel.PHONE)


def listed(agency_id: str = "alpha", **terms: Any) -> AgencyListed:
    """The register's word of an agency that may do everything, but for what is said otherwise."""
    stands: dict[str, Any] = {
        "name": agency_id,
        "state": AgencyState.ACTIVE,
        "licence_until": date(2027, 1, 1),
        "contract_from": date(2026, 1, 1),
        "contract_until": date(2026, 12, 31),
        "last_evaluation_on": date(2026, 1, 15),
        "trained_until": date(2026, 12, 31),
        "published": True,
        "capacity": 100,
        "commission_ppm": (150_000, 250_000),
    }
    return AgencyListed(agency_id=agency_id, **{**stands, **terms})


REGISTER = {kept_as(each): listed(each) for each in ("alpha", "beta")}


@dataclass
class Placing(Play):
    """A debtor with an open case, whose lane knows the agencies alpha and beta."""

    def __post_init__(self) -> None:
        self.now = replace(self.now, directives=REGISTER)

    def _at(self, instant: datetime) -> None:
        told = self.now.directives
        super()._at(instant)
        self.now = replace(self.now, directives=told)

    def listed(self, agency_id: str, word: AgencyListed | None) -> None:
        """Have the register say something else of an agency, or nothing."""
        others = {name: each for name, each in self.now.directives.items() if name != kept_as(agency_id)}
        known = others if word is None else {**others, kept_as(agency_id): word}
        self.now = replace(self.now, directives=known)

    def offer(self, agency_id: str = "alpha", days: int = 90) -> list[str]:
        return self.tell(OfferPlacement(agency_id=agency_id, days=days), actor=CHIEF)

    def accept(self, actor: str = ALPHA) -> list[str]:
        return self.tell(AcceptPlacement(placement_id=self.placement.placement_id), actor=actor)

    def placed(self, agency_id: str = "alpha", days: int = 90) -> "Placing":
        """Offer the case, and have it accepted."""
        self.offer(agency_id, days)
        self.accept(f"agency/{agency_id}")
        return self

    def recall(self, until: date) -> list[str]:
        asked = AskRecall(placement_id=self.placement.placement_id, reason="no progress", objections_until=until)
        return self.tell(asked, actor=CHIEF)

    def ask(self, actor: str = ALPHA, asked: AskPermit = CALL, placement_id: str = "") -> list[str]:
        wanted = AskAgencyPermit(placement_id=placement_id or self.placement.placement_id, asked=asked)
        return self.tell(wanted, actor=actor)

    def pay(self, payment_id: str = "p-1", amount: int = 10_003, status: intake.CaseStatus = OPEN) -> list[str]:
        self.version += 1
        paid = intake.PaymentPosted(
            case=case(status),
            loan_id="loan-1",
            payment_id=payment_id,
            amount=amount,
            currency="CNY",
            posted_at=self.now.instant,
        )
        return self.tell(paid, self.version)

    def reverse(self, payment_id: str = "p-1", amount: int = 10_003) -> list[str]:
        self.version += 1
        back = intake.PaymentReversed(
            case=case(),
            loan_id="loan-1",
            payment_id=payment_id,
            amount=amount,
            currency="CNY",
            reversed_at=self.now.instant,
        )
        return self.tell(back, self.version)

    def refused(self, asked: Any, actor: str = ALPHA) -> tuple[str, str]:
        """The field and the reason for which a command is refused; it changes nothing."""
        before = self.state
        with pytest.raises(Rejected) as refusal:
            self.tell(asked, actor=actor)
        assert self.state == before
        return refusal.value.field, refusal.value.reason

    @property
    def placement(self) -> Placement:
        """The live placement, else the one offered last."""
        known = sorted(self.state.placements.values(), key=lambda each: each.offered_at)
        return live(known) or known[-1]

    @property
    def credits(self) -> list[tuple[str, int, int]]:
        """The lines of the agencies' accounts: whose, what came in, and the commission."""
        return [(each.agency_id, each.amount, each.commission) for each in self.state.agency_credits]

    @property
    def changes(self) -> list[str]:
        return [f"{each.agency_id} {each.change} {each.state}" for each in self.state.placement_changes]

    version: int = 1


def opened(**how: Any) -> Placing:
    """A debtor with an open case, on a morning."""
    play = Placing(**how)
    play.tell(intake.CaseOpened(case=case()), 1)
    play.until(MORNING)
    return play


def unknown() -> Placing:
    """Somebody of whom nothing is known."""
    return Placing(state=LAYOUT.empty(DEBTOR), now=Moment(MORNING, date(2026, 3, 2), MORNING))


def last(play: Placing, fact: type[Fact]) -> Any:
    """The last fact of a type that was told."""
    return next(each.data for each in reversed(play.told) if isinstance(each.data, fact))
