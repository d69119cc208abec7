"""Rules of whom: who is treated as the debtor is, and when somebody else may be asked."""

from dataclasses import dataclass
from typing import ClassVar

from services.outreach.compliance.domain.attempt import Case
from services.outreach.compliance.domain.rule import Rule
from services.outreach.compliance.domain.verdict import Finding
from services.outreach.compliance.domain.words import Channel, Direction, Outcome, Party, Rank


@dataclass(frozen=True, kw_only=True)
class PartyRule(Rule):
    """Who may be contacted as the debtor is, and who only through the gate of another rule; nobody else may."""

    as_debtor: frozenset[Party]
    gated: frozenset[Party]
    rank: ClassVar[Rank] = Rank.PARTY

    def finding(self, case: Case, instant: int) -> Finding:  # noqa: ARG002
        """Fails for parties that the pack knows no way to."""
        party = case.attempt.party
        known = party in self.as_debtor or party in self.gated
        return self.passed if known else Finding(self.id, "party", (("party", party),))


@dataclass(frozen=True, kw_only=True)
class ContactGate(Rule):
    """Somebody else may be asked only once the debtor cannot be reached, only for that, and never after a refusal.

    Open after `failures` attempts in a row at the debtor, by whoever and about whatever debt, that ended in one of
    `unanswered`, the last with nothing in `reached` since; or while one of `flags` stands. The flag `refusal` closes it
    for good. What is to be said must be known, and be among `content`; while the flag or attribute `offer` stands (the
    person clearly offers to pay) the gate is open and `offer_content` may be said too.
    """

    failures: int
    tried: frozenset[Channel]
    unanswered: frozenset[Outcome]
    reached: frozenset[Outcome]
    flags: tuple[str, ...]
    refusal: str
    content: frozenset[str]
    offer: str
    offer_content: frozenset[str]
    rank: ClassVar[Rank] = Rank.PARTY

    def finding(self, case: Case, instant: int) -> Finding:
        """A refusal first, then whether the gate is open, then what is to be said."""
        refused = case.flags.get(self.refusal)
        if refused is not None and refused.begins <= instant:
            return Finding(self.id, "refused", (("flag", self.refusal),))
        offered = self._stands(case, self.offer, instant)
        if not offered and not any(self._stands(case, flag, instant) for flag in self.flags):
            failures = self.failures_in_a_row(case)
            if failures < self.failures:
                return Finding(self.id, "debtor_not_tried", (("count", failures), ("needed", self.failures)))
        return self._said(case, self.content | self.offer_content if offered else self.content)

    def cure(self, case: Case, instant: int) -> int | None:
        """A flag that is known to stand from some instant on."""
        spans = (case.flags.get(flag) for flag in (*self.flags, self.offer))
        edges = sorted(span.begins for span in spans if span is not None and span.begins > instant)
        return next((edge for edge in edges if not self.finding(case, edge).reason), None)

    def failures_in_a_row(self, case: Case) -> int:
        """How many of the last attempts at the debtor failed; in one second, being reached comes last."""
        attempt, failures = case.attempt, 0
        at_debtor = [
            each
            for each in case.history
            if each.party is Party.DEBTOR and each.creditor == attempt.creditor and each.second <= case.second
        ]
        for each in sorted(at_debtor, key=lambda one: (one.second, one.outcome in self.reached), reverse=True):
            if each.outcome in self.reached:
                break
            tried = each.direction is Direction.OUT and each.channel in self.tried
            failures += tried and each.outcome in self.unanswered
        return failures

    def _stands(self, case: Case, name: str, instant: int) -> bool:
        span = case.flags.get(name)
        return (span is not None and span.stands(instant)) or case.attributes.get(name) is True

    def _said(self, case: Case, allowed: frozenset[str]) -> Finding:
        content = case.attributes.get("content")
        if not content:  # who says nothing of it may be about to say anything
            return self.missing("content")
        beyond = sorted(set(content) - allowed)
        return Finding(self.id, "content", (("content", ", ".join(beyond)),)) if beyond else self.passed
