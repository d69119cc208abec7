"""What a run costs: processor time by group of processes, and the most memory that each has held."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

_KIBIBYTE = 1024


@dataclass(frozen=True, slots=True)
class Groups:
    """The processes of a run: ours by name, the broker's, and the database's first one with its children."""

    ours: Mapping[str, int]
    broker: int | None
    database: int


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of processor time: ours, the broker's, the database's, this harness's, and everybody else's."""

    ours: float
    broker: float
    database: float
    harness: float
    others: float

    @property
    def total(self) -> float:
        """What the work itself took."""
        return self.ours + self.broker + self.database

    def since(self, before: "Cost") -> "Cost":
        """What was used between two looks."""
        return Cost(
            ours=self.ours - before.ours,
            broker=self.broker - before.broker,
            database=self.database - before.database,
            harness=self.harness - before.harness,
            others=max(self.others - before.others, 0.0),
        )


def cost(groups: Groups) -> Cost:
    """What each group has used so far."""
    ours = sum(_seconds(pid) for pid in groups.ours.values())
    broker = _seconds(groups.broker) if groups.broker is not None else 0.0
    database = _with_children(groups.database)
    harness = _seconds(psutil.Process().pid)
    return Cost(ours, broker, database, harness, _busy() - ours - broker - database - harness)


def _busy() -> float:
    """What all processors together have worked so far."""
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    counted_twice = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
    return float(sum(times) - idle - counted_twice)


def _seconds(pid: int) -> float:
    with suppress(psutil.NoSuchProcess):
        times = psutil.Process(pid).cpu_times()
        return float(times.user + times.system)
    return 0.0


def _with_children(pid: int) -> float:
    """A server's own time, that of its living children, and that of those which it has outlived."""
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        times = parent.cpu_times()
        outlived = times.children_user + times.children_system
        return float(_seconds(pid) + outlived + sum(_seconds(child.pid) for child in parent.children()))
    return 0.0


def peak_memory(pids: Mapping[str, int]) -> dict[str, int]:
    """The most bytes of memory that each process has held so far."""
    return {name: _peak(pid) for name, pid in pids.items()}


def _peak(pid: int) -> int:
    with suppress(OSError):
        return _high_water_mark(Path(f"/proc/{pid}/status").read_text().splitlines())
    with suppress(psutil.NoSuchProcess):
        return int(psutil.Process(pid).memory_info().rss)
    return 0


def _high_water_mark(lines: Iterable[str]) -> int:
    line = next((line for line in lines if line.startswith("VmHWM:")), "VmHWM: 0 kB")
    return int(line.split()[1]) * _KIBIBYTE


def described() -> dict[str, object]:
    """What a reader has to know of the machine to compare figures."""
    return {
        "processors": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load_average": [round(each, 2) for each in psutil.getloadavg()],
    }
