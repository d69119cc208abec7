"""Rows as the arrays that a statement takes: one for each of their columns.

The driver goes through an array twice. First it asks of each element whether it is an array too, which takes it longer
than to write the element; what stands in a column never is one, so that first look is shown nothing. A driver that
looked only once would send a count without elements, which the server refuses.
"""

from collections.abc import Iterator, Sequence
from typing import Any

Rows = Sequence[Sequence[Any]]


class Column:
    """The cells of one column; whoever goes through them first finds none."""

    __slots__ = ("_cells", "_looked_at")

    def __init__(self, cells: Sequence[Any]) -> None:
        """None of the cells is a list."""
        self._cells, self._looked_at = cells, False

    def __len__(self) -> int:
        """How many cells there are."""
        return len(self._cells)

    def __iter__(self) -> Iterator[Any]:
        """Nothing the first time, and then the cells."""
        if self._looked_at:
            return iter(self._cells)
        self._looked_at = True
        return iter(())


def by_column(rows: Rows) -> list[Column]:
    """Rows as one array for each of their columns."""
    return [Column(cells) for cells in zip(*rows, strict=True)]
