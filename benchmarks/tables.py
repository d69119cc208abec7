"""What is printed: columns of figures under their names."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.results import Results


def table(title: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows with the same keys as lines of equal width; nothing for no rows."""
    if not rows:
        return ""
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [names, *([shown(row.get(name)) for name in names] for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(names))]
    lines = (
        "  ".join(_aligned(cell, width, first=place == 0) for place, (cell, width) in _placed(line, widths))
        for line in cells
    )
    return "\n".join([f"\n{title}", *(line.rstrip() for line in lines)])


def _placed(line: Iterable[str], widths: Iterable[int]) -> Iterable[tuple[int, tuple[str, int]]]:
    return enumerate(zip(line, widths, strict=True))


def _aligned(cell: str, width: int, *, first: bool) -> str:
    return cell.ljust(width) if first else cell.rjust(width)


def shown(value: Any) -> str:
    """A figure as people read it: three digits that mean something, and thousands set apart."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004  # from there on, whole numbers
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def headline(results: Results) -> str:
    """The figures that matter, and what is missing."""
    rows = [{"figure": name, results.size: value} for name, value in results.headline.items()]
    missing = [{"not run": name, "reason": reason} for name, reason in results.not_run.items()]
    return table("Medians", rows) + ("\n" + table("What could not be run", missing) if missing else "")
