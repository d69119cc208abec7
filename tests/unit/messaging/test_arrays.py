"""Rows as the arrays of a statement: the driver's first look, for arrays within, is spared."""

from shared.messaging.arrays import by_column


def test_a_column_has_nothing_to_look_through_and_then_all_its_cells_as_often_as_they_are_asked_for() -> None:
    numbers, names = by_column([(1, "a"), (2, None), (3, "c")])
    assert len(numbers) == len(names) == 3
    assert [list(numbers), list(numbers), list(numbers)] == [[], [1, 2, 3], [1, 2, 3]]
    assert [list(names), list(names)] == [[], ["a", None, "c"]]


def test_no_rows_are_no_columns() -> None:
    assert by_column([]) == []
