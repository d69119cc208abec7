"""Rules of standing: what a flag, an opt-out or the law itself closes."""

from dataclasses import dataclass
from typing import ClassVar

from services.outreach.compliance.domain.attempt import Case
from services.outreach.compliance.domain.rule import Rule
from services.outreach.compliance.domain.verdict import Finding
from services.outreach.compliance.domain.words import Rank
from services.outreach.compliance.domain.zones import DAY, NEVER, Zone


@dataclass(frozen=True, kw_only=True)
class Block(Rule):
    """No contact while a flag stands, but for exempt purposes."""

    flag: str
    rank: ClassVar[Rank] = Rank.STATUS

    def finding(self, case: Case, instant: int) -> Finding:
        """Fails while the flag stands."""
        span = case.flags.get(self.flag)
        return self._blocked() if span is not None and span.stands(instant) else self.passed

    def cure(self, case: Case, instant: int) -> int | None:
        """The flag's end."""
        ends = case.flags[self.flag].ends
        return ends if ends != NEVER and ends > instant else None

    def _blocked(self) -> Finding:
        return Finding(self.id, "flag", (("flag", self.flag),))


@dataclass(frozen=True, kw_only=True)
class Moratorium(Block):
    """No contact for `days` civil days from the day after a flag's date, unless the flag ends before."""

    days: int
    zone: Zone

    def finding(self, case: Case, instant: int) -> Finding:
        """Fails on those days."""
        begins, ends = self._period(case)
        return self._blocked() if begins <= instant < ends else self.passed

    def cure(self, case: Case, instant: int) -> int | None:
        """The day after the last, or the flag's end."""
        ends = self._period(case)[1]
        return None if ends == NEVER else max(instant, ends)

    def _period(self, case: Case) -> tuple[int, int]:
        span = case.flags.get(self.flag)
        if span is None or span.since is None:
            return (NEVER, NEVER) if span is None else (span.begins, span.ends)
        registered = self.zone.day(span.begins)
        begins, ends = (self.zone.reach(span.begins, day * DAY) for day in (registered + 1, registered + 1 + self.days))
        return begins, min(ends, span.ends)


@dataclass(frozen=True, kw_only=True)
class OptOut(Rule):
    """No contact by a channel that the person has opted out of, but for exempt purposes."""

    rank: ClassVar[Rank] = Rank.CONSENT

    def finding(self, case: Case, instant: int) -> Finding:  # noqa: ARG002
        """Fails for such a channel."""
        channel = case.attempt.channel
        return Finding(self.id, "optout", (("channel", channel),)) if channel in case.attempt.optouts else self.passed


@dataclass(frozen=True, kw_only=True)
class Ban(Rule):
    """No contact at all by its channels with its parties, but for exempt purposes."""

    rank: ClassVar[Rank] = Rank.PARTY

    def finding(self, case: Case, instant: int) -> Finding:  # noqa: ARG002
        """Fails."""
        return Finding(self.id, "banned", (("party", case.attempt.party), ("channel", case.attempt.channel)))


@dataclass(frozen=True, kw_only=True)
class Policy(Rule):
    """A duty that no single attempt can break; it is here to be cited."""

    rank: ClassVar[Rank] = Rank.CONTENT

    def finding(self, case: Case, instant: int) -> Finding:  # noqa: ARG002
        """Passes."""
        return self.passed
