"""Prints every invariant that applies to this version, how often it was checked, and what contradicts it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from tests.chaos import security, state, transport
from tests.chaos.evidence import Evidence, Finding, Invariant

INVARIANTS: Sequence[Invariant] = (*transport.INVARIANTS, *state.INVARIANTS, *security.INVARIANTS)

LIVENESS: Final = Invariant(0, "faults are overcome, no process ends of itself, and at the end all comes to rest", ())

NOT_YET: Mapping[str, str] = {
    "26, 29": "hardly anybody is contacted twice within the hour; the simulator keeps count of the caps",
    "30": "no agency asks here; on PostgreSQL: test_tenants.py",
    "34": "nobody is told here; on PostgreSQL: test_webhooks_on_postgres.py",
}
"""The invariants that nothing can be held against yet."""

SHOWN = 5
"""Contradictions that are printed of each invariant."""


class Verdict(NamedTuple):
    """An invariant after a run: it holds if it was checked and nothing contradicts it."""

    invariant: Invariant
    checked: int
    wrong: Sequence[object]

    @property
    def holds(self) -> bool:
        return self.checked > 0 and not self.wrong


async def judged(evidence: Evidence) -> list[Verdict]:
    """Check everything."""
    return [await _judged(evidence, invariant) for invariant in (*INVARIANTS, LIVENESS)]


async def _judged(evidence: Evidence, invariant: Invariant) -> Verdict:
    found: list[Finding] = [*evidence.noted.get(invariant.number, ())]
    for check in invariant.checks:
        finding = await check(evidence)
        if not finding.checked:
            finding = Finding(0, [*finding.wrong, f"{check.__name__} looked at nothing"])
        found.append(finding)
    return Verdict(
        invariant, sum(finding.checked for finding in found), [each for finding in found for each in finding.wrong]
    )


def told(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """The table, as lines."""
    for verdict in verdicts:
        number, sentence, _ = verdict.invariant
        outcome = "holds" if verdict.holds else f"BROKEN {len(verdict.wrong)} times" if verdict.wrong else "NOT CHECKED"
        yield f"{number or 'live':>4}  {sentence:<76}{verdict.checked:>12,} checked  {outcome}"
        yield from (f"        {str(each)[:400]}" for each in verdict.wrong[:SHOWN])
    for numbers, reason in NOT_YET.items():
        yield f"{numbers:>12}: {reason}"
