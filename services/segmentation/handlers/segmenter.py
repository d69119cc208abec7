"""What each fact leads to: a decision about the case, and what is told of it.

Outreach refuses a treatment older than the last stop that it has applied, so each stop (a payment, a reversal, a case
that opens again, a hold that is lifted) is answered with the treatment once more, changed or not. Everything else tells
only what has changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from services.segmentation.commands import OverrideTier
from services.segmentation.domain.playbook import Playbook
from services.segmentation.domain.tiers import Tier
from services.segmentation.handlers import telling
from services.segmentation.handlers.course import Course, course_of, enrolled, next_review
from services.segmentation.handlers.judging import Judgement, judged
from services.segmentation.handlers.learning import broken, kept, promised, relapsed, reopened, taught
from services.segmentation.handlers.position import (
    Position,
    as_of_case,
    cleared,
    is_news,
    open_case,
    person_of,
    position_of,
    taken,
    today,
)
from services.segmentation.publishing.editions import Editions
from services.segmentation.store import Assignment, DebtorFile, Override, Person, ReviewDue, StageDue
from shared.contracts.envelope import Event, Fact, Moment, Told
from shared.contracts.intake import CaseSummary, OfCase, PaymentPosted, PaymentReversed
from shared.contracts.outreach import (
    HoldReleased,
    OutcomeRecorded,
    PromiseBroken,
    PromiseKept,
    PromiseMade,
    PromiseReopened,
)
from shared.frozen import replace
from shared.service import Rejected

Decision: TypeAlias = tuple[DebtorFile, Sequence[Told]]


@dataclass(frozen=True, slots=True)
class Segmenter:
    """The handlers, bound to the data by which they decide: the files, and what the lane was told of strategies."""

    playbook: Playbook
    _editions: Editions = field(init=False)

    def __post_init__(self) -> None:
        """Begin with the files."""
        object.__setattr__(self, "_editions", Editions(self.playbook))

    def follow_case(self, file: DebtorFile, event: Event[OfCase], now: Moment) -> Decision:
        """Take the case as it now stands; tell only what has changed."""
        if not is_news(file, event):
            return file, ()
        return self._decide(taken(file, event, event.data.case), now, why="case updated")

    def reopen(self, file: DebtorFile, event: Event[OfCase], now: Moment) -> Decision:
        """Take the case as it now stands, note the relapse, and answer the stop."""
        if is_news(file, event):
            file = replace(file, person=relapsed(person_of(file)))
        return self._answer(file, event, event.data.case, now, "case reopened")

    def answer_payment(self, file: DebtorFile, event: Event[PaymentPosted], now: Moment) -> Decision:
        """A payment stopped what was queued: prescribe again if the case is still open."""
        return self._answer(file, event, event.data.case, now, "payment posted")

    def answer_reversal(self, file: DebtorFile, event: Event[PaymentReversed], now: Moment) -> Decision:
        """A payment was taken back: prescribe again if the case is open."""
        return self._answer(file, event, event.data.case, now, "payment reversed")

    def answer_release(self, file: DebtorFile, _event: Event[HoldReleased], now: Moment) -> Decision:
        """A hold was lifted: prescribe again, from the case as it is known here."""
        return (file, ()) if file.copy is None else self._decide(file, now, stop="hold released")

    def enter_stage(self, file: DebtorFile, _event: Event[StageDue], now: Moment) -> Decision:
        """The business date has brought the case to another stage."""
        return self._decide(file, now, why="stage entered")

    def review(self, file: DebtorFile, _event: Event[ReviewDue], now: Moment) -> Decision:
        """The business date has ended something that decided: a hold-out, a pause, an override, what a contact said."""
        return self._decide(file, now, why="review due")

    def hear_outcome(self, file: DebtorFile, event: Event[OutcomeRecorded], now: Moment) -> Decision:
        """A contact has taught something about the person."""
        return self._learn(file, taught(person_of(file), event.data, today(file, now)), now, "outcome recorded")

    def hear_promise(self, file: DebtorFile, event: Event[PromiseMade], now: Moment) -> Decision:
        """A promise stands: it pauses what is prescribed."""
        person = promised(person_of(file), event.data, today(file, now), self.playbook.tiers)
        return self._learn(file, person, now, "promise made")

    def hear_kept(self, file: DebtorFile, event: Event[PromiseKept], now: Moment) -> Decision:
        """A promise was kept: what is still owed is treated again."""
        return self._learn(file, kept(person_of(file), event.data), now, "promise kept")

    def hear_broken(self, file: DebtorFile, event: Event[PromiseBroken], now: Moment) -> Decision:
        """A promise was broken: it pauses nothing any more, and counts."""
        return self._learn(file, broken(person_of(file), event.data), now, "promise broken")

    def hear_reopened(self, file: DebtorFile, event: Event[PromiseReopened], now: Moment) -> Decision:
        """How a promise ended holds no longer: it stands again until something else is told."""
        person = reopened(person_of(file), event.data, today(file, now), self.playbook.tiers)
        return self._learn(file, person, now, "promise reopened")

    def override(self, file: DebtorFile, event: Event[OverrideTier], now: Moment) -> Decision:
        """Staff have set the tier, which is told in any case. Raises Rejected: no open case, or an end passed."""
        on, data = today(file, now), event.data
        if position_of(self.playbook.ladder, file, now) is None:
            raise Rejected("the debtor has no case that stands in a stage", field="debtor_id")
        if data.until <= on:
            raise Rejected("the books have already reached this date", field="until")
        override = Override(Tier(data.tier), data.reason, event.actor, on, data.until)
        file = replace(file, person=replace(person_of(file), override=override))
        return self._decide(file, now, why="tier set by staff", says_tier=True)

    def _learn(self, file: DebtorFile, person: Person, now: Moment, why: str) -> Decision:
        return self._decide(replace(file, person=None if person == Person() else person), now, why=why)

    def _answer(
        self, file: DebtorFile, event: Event[Any], case: CaseSummary | None, now: Moment, stop: str
    ) -> Decision:
        # A stop may share its version with a fact that came just before it: that one did not answer the stop.
        known = 0 if file.copy is None else file.copy.case_version
        if case is None or event.case_version < known:
            return file, ()
        return self._decide(taken(file, event, case) if is_news(file, event) else file, now, stop=stop)

    def _decide(
        self, file: DebtorFile, now: Moment, *, why: str = "", stop: str = "", says_tier: bool = False
    ) -> Decision:
        """Put the case where it belongs; tell what is new, and the treatment also after a stop."""
        file = self._timed(file, now)
        position = position_of(self.playbook.ladder, file, now)
        if position is None:
            return cleared(file), ()
        file, found = enrolled(self._editions.at(now.directives), file, position)
        file = self._reviewed(file, position)
        judgement = judged(self.playbook.tiers, person_of(file), position)
        course = course_of(self.playbook, file, position, found, judgement.tier)
        held, ladder = file.assignment, self.playbook.ladder.version
        enters = held is None or held.stage != position.stage.name
        facts: list[Fact] = [telling.segmented(position, held, ladder)] if enters else []
        if says_tier or not _is_judged(held, judgement):
            facts.append(telling.tiered(judgement, held))
        if enters or stop or not _is_prescribed(held, course):
            because = stop or ("stage entered" if enters else why)
            facts.append(telling.treatment(position, course, judgement, file.arm, ladder=ladder, because=because))
        if facts:
            file = replace(file, assignment=telling.kept(position, course, judgement, held, facts))
        return file, [Told(fact, case_version=position.copy.case_version) for fact in facts]

    def _timed(self, file: DebtorFile, now: Moment) -> DebtorFile:
        """Renew the date of the next stage: none unless the case is open, and none after the last stage."""
        case = open_case(file)
        if file.copy is None or case is None or case.oldest_due_on is None:
            return replace(file, due=None)
        entry = self.playbook.ladder.next_entry(case.oldest_due_on, as_of_case(case, now))
        return replace(file, due=None if entry is None else StageDue(entry, file.copy.lender_id))

    def _reviewed(self, file: DebtorFile, position: Position) -> DebtorFile:
        """Renew the date of the next review; none where the next stage comes no later, which is a review too."""
        on = next_review(self.playbook, file, position)
        if on is None or (file.due is not None and file.due.due_on <= on):
            return replace(file, review=None)
        return replace(file, review=ReviewDue(on, position.copy.lender_id))


def _is_judged(held: Assignment | None, judgement: Judgement) -> bool:
    return held is not None and (held.tier, held.segment) == (judgement.tier, judgement.segment)


def _is_prescribed(held: Assignment | None, course: Course) -> bool:
    return held is not None and (held.strategy, held.strategy_version) == (course.strategy, course.version)
