"""What the store in memory does with one row: what PostgreSQL would refuse of it, and whether it is loaded."""

from collections.abc import Collection

from shared.messaging.layout import Key, Row, Table
from shared.messaging.rows import reader_of, writer_of
from shared.messaging.store import UnsavableError

LARGEST = 2**63 - 1


def is_loaded(table: Table, row: Row, place: tuple[str, Key], named: Collection[tuple[str, Key]]) -> bool:
    """Whether a row belongs to a loaded state: settled ones do only where an event names them."""
    return table.settled is None or not getattr(row, table.settled) or place in named


def stored_as(table: Table, row: Row) -> Row:
    """The row as a database would give it back. Raises UnsavableError for what PostgreSQL would refuse."""
    cells = writer_of(table)(row)
    for cell in cells:
        if isinstance(cell, str):
            _refuse_text(cell)
        elif isinstance(cell, int) and not -LARGEST - 1 <= cell <= LARGEST:
            raise UnsavableError("a number is beyond 64 bits")
    return reader_of(table)(cells)


def _refuse_text(text: str) -> None:
    if "\x00" in text:
        raise UnsavableError("a text holds a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UnsavableError(type(error).__name__) from error
