"""Indexes of the rows that are not settled: to load a debtor, no turn goes through what is over."""

from collections.abc import Callable, Iterable, Mapping


def index_unsettled(execute: Callable[[str], None], settled: Mapping[str, str]) -> None:
    """Add one to each table, by the column that says of a row that it is settled."""
    for table, column in settled.items():
        execute(f"CREATE INDEX {table}_unsettled ON {table} (debtor_id) WHERE NOT {column}")


def drop_unsettled(execute: Callable[[str], None], tables: Iterable[str]) -> None:
    """Take them away again."""
    for table in tables:
        execute(f"DROP INDEX {table}_unsettled")
