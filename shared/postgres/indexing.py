"""The indexes by which rows of debtors are found: each costs every row that is written, so there are few.

Rows that are not settled have one of their own: to load a debtor, no turn goes through what is over.
"""

from collections.abc import Callable, Iterable, Mapping


def index_unsettled(execute: Callable[[str], None], settled: Mapping[str, str]) -> None:
    """Add one to each table, by the column that says of a row that it is settled."""
    for table, column in settled.items():
        execute(f"CREATE INDEX {table}_unsettled ON {table} (debtor_id) WHERE NOT {column}")


def drop_unsettled(execute: Callable[[str], None], tables: Iterable[str]) -> None:
    """Take them away again."""
    for table in tables:
        execute(f"DROP INDEX {table}_unsettled")


def key_by_debtor(execute: Callable[[str], None], table: str) -> None:
    """Make the debtor a part of a journal's key, in the place of two indexes."""
    execute(f"DROP INDEX {table}_debtor")
    execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_pkey, ADD PRIMARY KEY (debtor_id, id)")


def key_alone(execute: Callable[[str], None], table: str) -> None:
    """Have two again."""
    execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_pkey, ADD PRIMARY KEY (id)")
    execute(f"CREATE INDEX {table}_debtor ON {table} (debtor_id, id)")
