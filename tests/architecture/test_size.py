"""Files end at 400 lines; a function of more than 40 lines needs an entry, with its reason, in long_functions.txt."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST_FILE, LONGEST_FUNCTION = 400, 40
ALLOWED = Path(__file__).with_name("long_functions.txt")


def sources() -> list[Path]:
    return sorted(
        path for folder in ("services", "shared", "tests", "benchmarks") for path in (ROOT / folder).rglob("*.py")
    )


def functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, int]]:
    """Each function's name and the lines of its body, docstring left out."""
    for node in ast.iter_child_nodes(tree):
        name = f"{prefix}{getattr(node, 'name', '')}"
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            yield name, (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        yield from functions(node, f"{name}." if inside else prefix)


def long_functions() -> dict[str, int]:
    return {
        f"{path.relative_to(ROOT)}::{name}": lines
        for path in sources()
        for name, lines in functions(ast.parse(path.read_text()))
        if lines > LONGEST_FUNCTION
    }


def allowed() -> dict[str, str]:
    lines = [line for line in ALLOWED.read_text().splitlines() if line and not line.startswith("#")]
    return {name: reason.strip() for name, _, reason in (line.partition(": ") for line in lines)}


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_has_at_most_400_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST_FILE


def test_each_long_function_has_its_reason_and_no_reason_outlives_its_function() -> None:
    assert all(allowed().values())
    assert {name: long_functions().get(name) for name in {*long_functions(), *allowed()} if name not in allowed()} == {}
    assert set(allowed()) <= set(long_functions())


def test_the_measure_counts_the_lines_of_a_body() -> None:
    source = (
        'class A:\n    def f(self):\n        """Say."""\n        x = 1\n        return (\n            x\n        )\n'
    )
    assert list(functions(ast.parse(source))) == [("A.f", 4)]
