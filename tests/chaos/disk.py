"""A small disk for the database, in memory, that can be full from one moment to the next."""

import shutil
import subprocess
from pathlib import Path

MEGABYTE = 1 << 20
BREATH = MEGABYTE // 8
SIZE = 6144 * MEGABYTE
"""What it may hold; only what is used takes memory."""


class SmallDisk:
    """A tmpfs on a folder where the machine lets us mount one; else `why_not` says why not."""

    def __init__(self, folder: Path) -> None:
        """Mount it."""
        self.folder = folder
        folder.mkdir(parents=True)
        self.why_not = self._mount(f"size={SIZE}", "-t", "tmpfs", "tmpfs")

    def fill(self) -> None:
        """Leave no room but for a breath."""
        used = shutil.disk_usage(self.folder).used
        self._remount(used + BREATH)

    def free(self) -> None:
        """Give the room back."""
        self._remount(SIZE)

    def close(self) -> None:
        """Unmount it, with everything on it."""
        if not self.why_not:
            _run("umount", "-l", str(self.folder))

    def _remount(self, size: int) -> None:
        problem = self._mount(f"remount,size={size}")
        if problem:
            raise OSError(problem)

    def _mount(self, options: str, *kind: str) -> str:
        return _run("mount", *kind, "-o", options, str(self.folder))


def _run(*command: str) -> str:
    """What went wrong; empty where nothing did."""
    if shutil.which(command[0]) is None:
        return f"there is no {command[0]}"
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stderr.strip().split("\n")[-1] or f"{command[0]} failed"
