"""How an agency stands, and whether it may work a case."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from services.outreach.agencies.register.domain import why_not


@dataclass(frozen=True, slots=True)
class AgencyStanding:
    """How an agency stands, by the register's word. commission_ppm: its share by tier, the last for all later ones.

    capacity: how many cases of a lender's it works at a time.
    """

    agency_id: str
    state: str
    licence_until: date
    contract_from: date
    contract_until: date
    commission_ppm: tuple[int, ...]
    capacity: int
    on_published_list: bool | None = None
    last_evaluation: date | None = None
    trained_until: date | None = None

    def refusal(self, on: date) -> str:
        """Why it may not work anything on a business date; empty where it may."""
        return why_not(self, on)

    def commission_of(self, tier: int) -> int | None:
        """Its share of what is paid in a tier, in millionths; None where nothing is agreed."""
        return self.commission_ppm[min(tier, len(self.commission_ppm)) - 1] if self.commission_ppm else None

    def known(self, on: date) -> Mapping[str, Any]:
        """What rules may ask of it; what nobody has said is left out, and denies where a rule needs it."""
        asked = {
            "contract_valid": self.contract_from <= on <= self.contract_until,
            "licence_valid": on <= self.licence_until,
            "on_published_list": self.on_published_list,
            "last_evaluation": self.last_evaluation,
            "training_current": None if self.trained_until is None else on <= self.trained_until,
        }
        return {name: value for name, value in asked.items() if value is not None}
