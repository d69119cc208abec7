"""Wall clocks of single processes, set forward and back by libfaketime while the monotonic clock runs on."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

WHERE = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib/faketime/libfaketimeMT.so.1")


def clock_library() -> Path | None:
    """The library that moves a process's clock; Debian's package `faketime` has it."""
    return next((path for pattern in WHERE for path in sorted(Path("/").glob(pattern.removeprefix("/")))), None)


@dataclass(frozen=True)
class WallClock:
    """The clock of a process that was started with `environment()`; it stands as the file says."""

    file: Path

    def environment(self) -> Mapping[str, str]:
        """What the process needs to be told at its start."""
        self.set(0)
        return {
            "LD_PRELOAD": str(clock_library()),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, seconds: int) -> None:
        """Have it so many seconds ahead of the machine's, or behind."""
        fresh = self.file.with_suffix(".fresh")
        fresh.write_text(f"{seconds:+d}\n")
        fresh.rename(self.file)
