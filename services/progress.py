"""A progress bar with the business date and the rate: redrawn on a terminal, a line a step elsewhere."""

import sys
import time
from datetime import date
from typing import TextIO

WIDTH = 30


class Progress:
    """Shows how far a stepped run is."""

    def __init__(self, steps: int, unit: str, out: TextIO | None = None) -> None:
        """`steps` in all; `unit` is what is counted beside them."""
        self._steps, self._unit, self._out = steps, unit, out or sys.stderr
        self._started = time.monotonic()
        self._counted_from: int | None = None

    def show(self, done: int, business_date: date, count: int) -> None:
        """Show `done` steps and the count so far; the rate is since this process began."""
        if self._counted_from is None:
            self._counted_from = count
        now = time.monotonic()
        rate = (count - self._counted_from) / max(now - self._started, 0.001)
        full = WIDTH * done // max(self._steps, 1)
        bar = "█" * full + "·" * (WIDTH - full)
        line = f"{bar} {business_date}  {done}/{self._steps}  {count:,} {self._unit}  {rate:,.0f}/s"
        self._out.write(f"\r{line}\x1b[K" if self._out.isatty() else f"{line}\n")
        self._out.flush()

    def close(self) -> None:
        """Leave the bar's line."""
        if self._out.isatty():
            self._out.write("\n")
