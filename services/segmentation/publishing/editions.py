"""The playbook that a lane goes by: the files, with what it was told of published strategies."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from services.segmentation.domain.playbook import Playbook
from services.segmentation.domain.strategy import Strategy
from services.segmentation.strategies import strategy_of
from shared.contracts.envelope import Fact
from shared.contracts.segmentation import StrategyDocument, StrategyPublished, StrategyWithdrawn
from shared.data_files import WrongDataError

MOST_KEPT = 64
"""Playbooks kept ready: lanes differ only for the moment in which some have heard of a version and some have not."""


def digest_of(document: StrategyDocument) -> str:
    """By what people and the audit trail tell one text of a strategy from another."""
    return hashlib.sha256(msgspec.json.encode(document)).hexdigest()


def directive_of(fact: StrategyPublished | StrategyWithdrawn) -> str:
    """Under which name a lane keeps it: one that is withdrawn takes the place of the one published."""
    if isinstance(fact, StrategyPublished):
        return f"strategy {fact.strategy.id} {fact.strategy.version}"
    return f"strategy {fact.strategy} {fact.version}"


@dataclass(slots=True)
class Editions:
    """The files' playbook, and those made from it, by what was published."""

    shipped: Playbook
    _made: dict[tuple[str, ...], Playbook] = field(default_factory=dict)

    def at(self, directives: Mapping[str, Fact]) -> Playbook:
        """What applies under these directives; the same object for the same ones, as long as it is asked for."""
        if not directives:
            return self.shipped
        published = [fact for fact in directives.values() if isinstance(fact, StrategyPublished)]
        key = tuple(sorted(fact.digest for fact in published))
        if key not in self._made:
            if len(self._made) >= MOST_KEPT:
                self._made.clear()
            self._made[key] = self.with_documents(fact.strategy for fact in published)
        return self._made[key]

    def with_documents(self, documents: Iterable[StrategyDocument]) -> Playbook:
        """The files with each document that still can be gone by: the ladder may be another by now."""
        return self.shipped.with_published(filter(None, map(self._usable, documents)))

    def _usable(self, document: StrategyDocument) -> Strategy | None:
        try:
            return strategy_of(document, self.shipped)
        except WrongDataError:
            return None
