"""Another type for columns of tables that hold rows already."""

from collections.abc import Callable, Mapping, Sequence


def retype(execute: Callable[[str], None], columns: Mapping[str, Sequence[str]], sql: str) -> None:
    """Give these columns, by table, a type to which theirs can be cast; each table is locked while it is rewritten."""
    for table, names in columns.items():
        changes = ", ".join(f"ALTER COLUMN {name} TYPE {sql} USING {name}::{sql}" for name in names)
        execute(f"ALTER TABLE {table} {changes}")
