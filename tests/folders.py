"""Where the servers of tests keep their files: in memory where there is room.

A database is hundreds of files. To make and drop one for each test makes a disk's file system look for a number that no
file had in the last seconds, which took more of the processors than the tests themselves.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

MEMORY: Final = Path("/dev/shm")  # noqa: S108  # each folder in it has a name drawn by chance, and is closed to others
ROOM: Final = 4 * 2**30


@contextmanager
def folder_of_servers() -> Iterator[Path]:
    """A folder that a server's account can be given a place in; it is removed at the end."""
    with TemporaryDirectory(prefix="fairdue-", dir=MEMORY if _has_room(MEMORY) else None) as folder:
        yield Path(folder)


def _has_room(folder: Path) -> bool:
    return folder.is_dir() and shutil.disk_usage(folder).free > ROOM
