"""How the state of one owner (a debtor, a loan) is laid out in tables, so that the runtime loads and saves it in bulk.

A service's state is one frozen dataclass per owner, e.g. `DebtorFile(debtor_id, case, loans)`. Each of its fields but
the first (the owner's id) is the content of one table, whose rows are frozen dataclasses too:

    LAYOUT = Layout(DebtorFile, {
        "case": Table("collection_case", Case),                         # at most one row: Case | None
        "loans": Table("loan", Loan, key=("loan_id",)),                 # Mapping[str, Loan]
        "due": Table("bucket_due", BucketDue, key=(), due="due_on"),    # future work, claimed by the runtime
        "history": Table("case_history", HistoryRow, use="journal"),    # append-only: tuple of new rows, never loaded
        "tallies": Table("roll", Roll, key=("month", "from", "to"), use="tally", amount="accounts"),
    })

Every table has the columns `shard smallint` and `owner` (named `Layout.owner`), then one column per field of the row.
Handlers never mutate: they return a new state, made with `shared.frozen.replace` and new dicts.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Literal, TypeAlias

from shared.contracts.envelope import Event
from shared.frozen import quick

Row: TypeAlias = Any
State: TypeAlias = Any
Key: TypeAlias = Any
Named: TypeAlias = Iterable[tuple[str, Key]]


def nothing_named(_event: Event[Any]) -> Named:
    """Settled rows are loaded only when an event names them; by default none does."""
    return ()


@dataclass(frozen=True, slots=True)
class Table:
    """One table of an owner's state.

    key: the row's own key below the owner; empty means at most one row per owner.
    use: "rows" are loaded and saved; "journal" rows are only appended; "tally" rows are sums over all owners of a
        shard: `amount` is added to the row with the same key.
    due: the column (a date, compared with the lender's business date; or an instant) at which the runtime claims the
        row, never where it is None: it is taken out of the state, and the row itself is applied as an event. Such a row
        has a `lender_id`, and one that can be settled then names itself.
    settled: a boolean column; rows that have it set are loaded only where an event names them (`Layout.named`).
    walled: row-level security binds the table's owner too; PostgreSQL then refuses COPY, so rows are inserted.
    """

    name: str
    row: type[Any]
    key: tuple[str, ...] = ()
    use: Literal["rows", "journal", "tally"] = "rows"
    due: str | None = None
    settled: str | None = None
    amount: str = ""
    walled: bool = False
    columns: tuple[str, ...] = field(init=False)
    key_of: Callable[[Row], Key] = field(init=False, compare=False)
    """A row's key below its owner: None, one value, or a tuple."""

    def __post_init__(self) -> None:
        """Take the columns from the row's fields, and let rows be made quickly."""
        quick(self.row)
        object.__setattr__(self, "columns", tuple(f.name for f in dataclasses.fields(self.row)))
        object.__setattr__(self, "key_of", attrgetter(*self.key) if self.key else lambda _row: None)


@dataclass(frozen=True, slots=True)
class Layout:
    """The tables of one kind of state. `shared` marks the one state that several actors may touch: rows are locked."""

    state: type[Any]
    tables: Mapping[str, Table]
    owner: str = "debtor_id"
    named: Callable[[Event[Any]], Named] = nothing_named
    shared: bool = False

    def __post_init__(self) -> None:
        """Let states be made quickly."""
        quick(self.state)

    @property
    def named_by(self) -> str:
        """The field of a state that holds its owner's id: the first."""
        return dataclasses.fields(self.state)[0].name

    def empty(self, owner: str) -> State:
        """The state of an owner of whom nothing is known."""
        return self.state(owner, **{name: self.none_of(table) for name, table in self.tables.items()})

    @staticmethod
    def none_of(table: Table) -> Any:
        """What a state's field holds when its table has no row for the owner."""
        if table.use != "rows":
            return ()
        return {} if table.key else None

    def rows(self, state: State, name: str) -> Mapping[Key, Row]:
        """The rows of one loaded table of a state, by key."""
        content = getattr(state, name)
        if self.tables[name].key:
            return content  # type: ignore[no-any-return]
        return {} if content is None else {None: content}
