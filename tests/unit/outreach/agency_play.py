"""The register of agencies, played by hand: commands in, facts out."""

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

from services.outreach.agencies.register.commands import AgencyTerms, ListAgency
from services.outreach.agencies.register.domain import AgencyFile, Scope
from services.outreach.agencies.register.store import LAYOUT
from shared.contracts.envelope import Event, Fact, Moment, derived_id
from tests.unit.outreach.play import REGISTER

EAST = "east-recovery"
AT = datetime(2026, 3, 2, 2, tzinfo=UTC)


def terms(**other: Any) -> AgencyTerms:
    """An agency in good standing throughout 2026."""
    content: dict[str, Any] = {
        "name": "East Recovery Ltd",
        "licence_number": "L-4711",
        "licence_until": date(2026, 12, 31),
        "contract_number": "C-17",
        "contract_from": date(2026, 1, 1),
        "contract_until": date(2026, 9, 30),
        "last_evaluation_on": date(2026, 2, 1),
        "trained_until": date(2026, 12, 31),
        "published": True,
        "capacity": 5_000,
        "commission_ppm": (180_000, 250_000),
        "scopes": tuple(Scope),
    }
    return AgencyTerms(**content | other)


@dataclass
class RegisterPlay:
    """One agency's file; what is told is what the last command led to."""

    file: AgencyFile = field(default_factory=lambda: LAYOUT.empty(EAST))
    now: datetime = AT
    events: int = 0

    def does(self, command: Any, actor: str = "supervisor/ann") -> Fact:
        """Apply a command, and return the one fact that it led to, which goes to every lane."""
        self.events += 1
        event = Event(
            id=derived_id("play", self.events),
            type="",
            lender_id="",
            debtor_id=self.file.agency_id,
            actor=actor,
            occurred_at=self.now,
            recorded_at=self.now,
            data=command,
        )
        handler, moment = REGISTER.handlers[type(command)], Moment(self.now, date.min)
        after, told = handler(self.file, event, moment)
        assert handler(self.file, event, moment) == (after, told), "a handler must be pure"
        assert len(after.entries) == len(self.file.entries) + 1, "everything that is done leaves an entry"
        self.file = after
        [one] = told
        assert one.debtor_id == ""
        return one.data

    def listed(self, **other: Any) -> "RegisterPlay":
        """With the agency in the register."""
        self.does(ListAgency(terms=terms(**other)))
        return self

    @property
    def steps(self) -> list[str]:
        return [entry.step for entry in self.file.entries]


def later(play: RegisterPlay, now: datetime) -> RegisterPlay:
    """The same file at another time."""
    return replace(play, now=now)
