"""When a worker looks for commands and for work that has fallen due: at once where the instant is known, else in turn.

Once a second it asks the database whether anything waits, and when the next row falls due. At that instant, or at an
earlier one of a row that it has written since, it asks again. So what falls due alone is done at once, what falls due
in a stream together, and a command when somebody calls, or in turn.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from shared.messaging.layout import Layout, Table
from shared.messaging.rows import columns_of
from shared.messaging.store import Change

ASK_EVERY = 1.0
"""Seconds after which commands, due work and acknowledgements are looked at even if nothing called for it."""

LOOK_APART = 0.25
"""Seconds that lie between two looks, however much falls due: it is done together."""

_LONG_AGO = float("-inf")


@dataclass(slots=True)
class Lookout:
    """When was asked and looked, in seconds of a steady clock, and the next instant at which something falls due."""

    asked_at: float = _LONG_AGO
    looked_at: float = _LONG_AGO
    due_at: datetime | None = None

    def is_time_to_ask(self, elapsed: float) -> bool:
        """Whether it is a look's turn at this second."""
        return elapsed - self.asked_at >= ASK_EVERY

    def has_come(self, elapsed: float, now: datetime) -> bool:
        """Whether what was expected falls due at this second, which is this instant."""
        return self.due_at is not None and self.due_at <= now and elapsed - self.looked_at >= LOOK_APART

    def looked(self, elapsed: float, due_at: datetime | None, *, in_turn: bool) -> None:
        """Go on from a look, in turn or at what was expected; it names this instant as the first still to come."""
        self.looked_at, self.due_at = elapsed, due_at
        if in_turn:
            self.asked_at = elapsed

    def expect(self, at: datetime | None) -> None:
        """Look at this instant too; None changes nothing."""
        if at is not None and (self.due_at is None or at < self.due_at):
            self.due_at = at

    def again(self) -> None:
        """Ask at the next chance: more is there than was taken."""
        self.asked_at = _LONG_AGO


@cache
def is_dated(table: Table) -> bool:
    """Whether a table's rows fall due on a day of the lender's, and not at an instant."""
    return next(column.sql for column in columns_of(table) if column.name == table.due) == "date"


def timed(layout: Layout) -> Iterator[tuple[str, Table]]:
    """The tables whose rows fall due at an instant, by name."""
    return ((name, table) for name, table in layout.tables.items() if table.due is not None and not is_dated(table))


def first_due(layout: Layout, changes: Sequence[Change]) -> datetime | None:
    """The first instant at which something falls due of what has changed; None where nothing does."""
    instants = (
        getattr(row, table.due or "")
        for name, table in timed(layout)
        for change in changes
        if getattr(change.after, name) is not getattr(change.before, name)
        for row in layout.rows(change.after, name).values()
    )
    return min((at for at in instants if at is not None), default=None)
