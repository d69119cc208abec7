"""The allow-list of skips is itself checked."""

import pytest

from tests.skips import allowed


def test_comments_and_blank_lines_are_left_out() -> None:
    assert allowed("# why\n\ntests/a.py::b: no Java here\ntests/c.py::*: root only\n") == [
        "tests/a.py::b",
        "tests/c.py::*",
    ]


@pytest.mark.parametrize("line", ["tests/a.py::b", "tests/a.py::b: ", "tests/a.py::b:no blank"])
def test_a_skip_without_a_reason_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="has no reason"):
        allowed(line)
