"""What the store in memory has committed: all that would survive a crash."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from shared.clock import SystemClock
from shared.frozen import replace
from shared.messaging.layout import Key, Row
from shared.messaging.store import (
    Command,
    HistoryRow,
    Letter,
    Operation,
    Parked,
    Quarantined,
    Standing,
    StoredFacts,
)


class Holder(Protocol):
    """An open transaction that has fenced an actor."""

    def end(self) -> None:
        """Be ended by whoever takes the actor over."""


@dataclass(slots=True)
class MemoryDatabase:
    """All that one service has committed."""

    standings: dict[tuple[str, int], Standing] = field(default_factory=dict)
    owners: dict[tuple[str, int], str | None] = field(default_factory=dict)
    rows: dict[str, dict[tuple[str, Key], tuple[int, Row]]] = field(default_factory=dict)
    journals: dict[str, list[tuple[int, str, Row]]] = field(default_factory=dict)
    tallies: dict[str, dict[tuple[int, Key], Row]] = field(default_factory=dict)
    outbox: dict[tuple[str, int], list[StoredFacts]] = field(default_factory=dict)
    letters: dict[str, tuple[str, Letter, str]] = field(default_factory=dict)
    quarantines: dict[tuple[str, str, str], Quarantined] = field(default_factory=dict)
    parked: list[tuple[str, Parked]] = field(default_factory=list)
    commands: dict[str, tuple[str, Command, str, bytes]] = field(default_factory=dict)
    history: list[HistoryRow] = field(default_factory=list)
    operations: list[tuple[str, Operation]] = field(default_factory=list)
    holders: dict[tuple[str, int], Holder] = field(default_factory=dict)
    shared_holders: dict[str, Holder] = field(default_factory=dict)
    clock: Callable[[], datetime] = SystemClock().now
    ordinals: int = 0

    def copy(self) -> "MemoryDatabase":
        """What a backup holds at this moment: everything that is committed, and no open transaction."""
        return replace(
            self,
            standings={place: standing.copy() for place, standing in self.standings.items()},
            owners=dict(self.owners),
            rows={name: dict(rows) for name, rows in self.rows.items()},
            journals={name: list(rows) for name, rows in self.journals.items()},
            tallies={name: dict(rows) for name, rows in self.tallies.items()},
            outbox={place: list(told) for place, told in self.outbox.items()},
            letters=dict(self.letters),
            quarantines=dict(self.quarantines),
            parked=list(self.parked),
            commands=dict(self.commands),
            history=list(self.history),
            operations=list(self.operations),
            holders={},
            shared_holders={},
        )

    def submit(self, kind: str, command: Command) -> None:
        """Leave a command for its actor, as the API does."""
        self.commands[command.id] = (kind, command, "pending", b"")
