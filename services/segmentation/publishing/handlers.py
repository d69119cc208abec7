"""Proposing, approving and withdrawing: one register decides, for all lanes, and tells them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias

from services.segmentation.domain.ladder import ContradictionError
from services.segmentation.domain.playbook import Playbook
from services.segmentation.publishing.commands import ApproveStrategy, ProposeStrategy, WithdrawStrategy
from services.segmentation.publishing.editions import Editions, digest_of
from services.segmentation.publishing.store import REGISTER, Books, Entry, Register, State, Version
from services.segmentation.strategies import strategy_of
from shared.contracts import intake
from shared.contracts.envelope import Event, Fact, Moment, Told
from shared.contracts.segmentation import StrategyDocument, StrategyProposed, StrategyPublished, StrategyWithdrawn
from shared.data_files import WrongDataError
from shared.frozen import replace
from shared.service import Rejected

Decision: TypeAlias = tuple[Register, Sequence[Told]]


def register_of(_event: Event[Any]) -> str:
    """Whose state an event changes: that of the one register."""
    return REGISTER


def on_business_date(register: Register, event: Event[intake.BusinessDateAdvanced], _now: Moment) -> Decision:
    """Note where a lender's books stand: what takes effect must lie after every lender's date."""
    books = Books(event.lender_id, event.data.business_date)
    return replace(register, books={**register.books, event.lender_id: books}), ()


@dataclass(frozen=True, slots=True)
class Publisher:
    """The handlers of commands, bound to the files."""

    editions: Editions

    def propose(self, register: Register, event: Event[ProposeStrategy], now: Moment) -> Decision:
        """Keep the next version of a strategy, if it could be gone by. Raises Rejected."""
        document = event.data.strategy
        self._check_number(register, document)
        self._check(register, document)
        version = Version(
            strategy=document.id,
            version=document.version,
            effective_from=document.effective_from,
            document=document,
            digest=digest_of(document),
            state=State.PROPOSED,
            proposed_by=event.actor,
            proposed_at=now.instant,
        )
        fact = StrategyProposed(strategy=document, digest=version.digest, proposed_by=event.actor)
        return _kept(register, version, event, now, fact)

    def approve(self, register: Register, event: Event[ApproveStrategy], now: Moment) -> Decision:
        """Have a version take effect on its date: a second person, of the text that stands. Raises Rejected."""
        known = _found(register, event.data.strategy, event.data.version)
        if known.state is not State.PROPOSED:
            raise Rejected(f"the version is {known.state} already", field="version")
        if _person(event.actor) == _person(known.proposed_by):
            raise Rejected("whoever proposed a version may not approve it: a second person must", field="approver")
        if event.data.digest != known.digest:
            raise Rejected("the version has another text than the one that was read", field="digest")
        self._check(register, known.document)
        version = replace(known, state=State.APPROVED, approved_by=event.actor, approved_at=now.instant)
        fact = StrategyPublished(
            strategy=known.document, digest=known.digest, proposed_by=known.proposed_by, approved_by=event.actor
        )
        return _kept(register, version, event, now, fact)

    def withdraw(self, register: Register, event: Event[WithdrawStrategy], now: Moment) -> Decision:
        """Take a version back that is not in effect yet. Raises Rejected."""
        known = _found(register, event.data.strategy, event.data.version)
        if known.state is State.WITHDRAWN:
            raise Rejected("the version is withdrawn already", field="version")
        if known.state is State.APPROVED and known.effective_from <= _latest(register):
            raise Rejected("the version is in effect: publish another instead", field="version")
        reason = event.data.reason
        version = replace(
            known, state=State.WITHDRAWN, withdrawn_by=event.actor, withdrawn_at=now.instant, reason=reason
        )
        fact = StrategyWithdrawn(
            strategy=known.strategy, version=known.version, withdrawn_by=event.actor, reason=reason
        )
        return _kept(register, version, event, now, fact)

    def _check_number(self, register: Register, document: StrategyDocument) -> None:
        """A number is used once, also where it was withdrawn; a strategy that no arm has would never be used."""
        shipped = [one.version for one in self.editions.shipped.strategies if one.name == document.id]
        if not shipped:
            raise Rejected(
                "there is no strategy of this id, and no arm of an experiment that it would be for", field="id"
            )
        proposed = [number for name, number in register.versions if name == document.id]
        following = max(*shipped, *proposed) + 1 if proposed else max(shipped) + 1
        if document.version != following:
            raise Rejected(f"the next version of {document.id} is {following}", field="version")

    def _check(self, register: Register, document: StrategyDocument) -> None:
        """Hold a version to all that a file is held to, to those published, and to the date. Raises Rejected."""
        if document.effective_from <= _latest(register):
            raise Rejected("the books have already reached this date", field="effective_from")
        try:
            strategy = strategy_of(document, self.editions.shipped)
        except WrongDataError as error:
            raise Rejected(str(error), field="stages") from None
        playbook = self._published(register)
        try:
            replace(playbook, strategies=(*playbook.strategies, strategy))
        except ContradictionError as error:
            raise Rejected(str(error), field="effective_from") from None

    def _published(self, register: Register) -> Playbook:
        approved = [one.document for one in register.versions.values() if one.state is State.APPROVED]
        return self.editions.with_documents(approved)


def _latest(register: Register) -> date:
    return max((each.business_date for each in register.books.values()), default=date.min)


def _found(register: Register, strategy: str, number: int) -> Version:
    known = register.versions.get((strategy, number))
    if known is None:
        raise Rejected("no such version was ever proposed", field="version")
    return known


def _person(actor: str) -> str:
    """Who it is, in whichever role: one person with two tokens is not two."""
    return actor.partition("/")[2]


def _kept(register: Register, version: Version, event: Event[Any], now: Moment, fact: Fact) -> Decision:
    """The register with a version as it has become, an entry of what was done, and the fact for every lane."""
    entry = Entry(
        strategy=version.strategy,
        version=version.version,
        step=version.state,
        actor=event.actor,
        at=now.instant,
        digest=version.digest,
        reason=version.reason,
    )
    versions = {**register.versions, (version.strategy, version.version): version}
    return replace(register, versions=versions, entries=(*register.entries, entry)), (Told(fact, debtor_id=""),)
