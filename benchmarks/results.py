"""What a run has found: the headline's figures, the rounds below them, and what could not be run, with the reason."""

import dataclasses
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from benchmarks.machine import described
from benchmarks.plan import Plan

NO_TIME: Final = "no time was left"
HEADLINE: Final = (
    "floor_ratio",
    "naive_ratio",
    "best_peer_ratio",
    "loans_per_second",
    "cpu_seconds_per_million",
    "payment_to_stop_p99_ms",
    "low_load_ratio",
    "cost_ratio_1m_100k",
    "verdicts_per_second_core",
)


@dataclass
class Results:
    """Collected section by section."""

    size: str
    headline: dict[str, float | None] = field(default_factory=lambda: dict.fromkeys(HEADLINE))
    sections: dict[str, Any] = field(default_factory=dict)
    not_run: dict[str, str] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=described)
    failed: bool = False
    began: float = field(default_factory=time.monotonic)

    def used(self, plan: Plan) -> float:
        """Which part of its time a plan has used."""
        return (time.monotonic() - self.began) / plan.seconds

    def found(self, name: str, value: float) -> None:
        """Set a figure of the headline. Raises KeyError for one that there is not."""
        if name not in self.headline:
            raise KeyError(name)
        self.headline[name] = value

    def left_out(self, name: str, who: str) -> None:
        """Note for whom no time was left in a round."""
        self.not_run[name] = f"{self.not_run[name]}, {who}" if name in self.not_run else f"{NO_TIME} for {who}"

    def fail(self, name: str, error: Exception) -> None:
        """Note that a whole section could not be run though it should have been."""
        self.not_run[name], self.failed = " ".join(f"{type(error).__name__}: {error}".split())[:400], True

    def as_data(self) -> dict[str, Any]:
        """As it is written to the file."""
        below = {"size": self.size, "machine": self.machine, "not_run": self.not_run, **self.sections}
        return {**self.headline, **below}

    def write(self, file: Path) -> None:
        """Write it as JSON."""
        file.write_bytes(msgspec.json.format(msgspec.json.encode(self.as_data()), indent=2) + b"\n")


def plain(found: Any) -> dict[str, Any]:
    """A dataclass with its derived figures, as plain data."""
    derived = {
        name: getattr(found, name)
        for kind in type(found).__mro__
        for name, value in vars(kind).items()
        if isinstance(value, property)
    }
    return {**dataclasses.asdict(found), **derived}
