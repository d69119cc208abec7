"""PostgreSQL refuses to run as root: when we are root, the server runs as an account of its own.

That account must be able to pass through the folders above the data and the binaries. Where their permissions do not
allow it (a checkout below /root, say), it alone is let through by an access control entry: it may pass, not look.
"""

import errno
import os
import pwd
import stat
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

NAME = "fairdue-postgres"

_ACCESS = "system.posix_acl_access"
_HEADER = struct.Struct("<I")
_ENTRY = struct.Struct("<HHI")
_VERSION, _NO_ID = 2, 0xFFFFFFFF
_OWNER, _USER, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x10, 0x20
_PASS = 1


class AccountError(Exception):
    """The server's account cannot be made, or cannot reach what it needs; one line for the person who starts it."""


@dataclass(frozen=True, slots=True)
class Account:
    """Whom the server runs as."""

    uid: int
    gid: int

    def own(self, path: Path) -> None:
        """Give a file or an empty folder to the account."""
        os.chown(path, self.uid, self.gid)


def server_account() -> Account | None:
    """The account to run the server as: made once where we are root, None (our own) elsewhere. Raises AccountError."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(NAME)
    except KeyError:
        entry = _created()
    return Account(entry.pw_uid, entry.pw_gid)


def _created() -> pwd.struct_passwd:
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", NAME]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  # a fixed command
        return pwd.getpwnam(NAME)
    except (OSError, subprocess.CalledProcessError, KeyError) as error:
        message = f"PostgreSQL cannot run as root, and the account {NAME} cannot be made: run as an ordinary user"
        raise AccountError(message) from error


def let_through(account: Account, target: Path) -> None:
    """Let the account reach `target` through every folder above it. Raises AccountError."""
    for folder in reversed(target.resolve().parents):
        found = folder.stat()
        if found.st_mode & stat.S_IXOTH or found.st_uid == account.uid:
            continue
        try:
            _add_entry(folder, account.uid)
        except OSError as error:
            message = f"the account {NAME} may not pass through {folder}: choose another folder, or do not run as root"
            raise AccountError(message) from error


def make_readable(folder: Path) -> None:
    """Let everybody read a tree of public files (the binaries), as a strict umask may have prevented."""
    for path in (folder, *folder.rglob("*")):
        mode = path.stat().st_mode
        wanted = mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0)
        if wanted != mode:
            path.chmod(wanted)


def _add_entry(folder: Path, uid: int) -> None:
    """Add "user `uid` may pass" to the folder's access control list (Linux; the kernel's form of it)."""
    entries = _entries(folder)
    entries = [entry for entry in entries if entry[::2] != (_USER, uid)]
    mask = next((permissions for tag, permissions, _ in entries if tag == _MASK), 0)
    group = next(permissions for tag, permissions, _ in entries if tag == _GROUP)
    entries = [entry for entry in entries if entry[0] != _MASK]
    entries += [(_USER, _PASS, uid), (_MASK, mask | group | _PASS, _NO_ID)]
    packed = _HEADER.pack(_VERSION) + b"".join(_ENTRY.pack(*entry) for entry in sorted(entries))
    os.setxattr(folder, _ACCESS, packed)


def _entries(folder: Path) -> list[tuple[int, int, int]]:
    try:
        packed = os.getxattr(folder, _ACCESS)
    except OSError as error:
        if error.errno != errno.ENODATA:
            raise
        mode = folder.stat().st_mode
        return [(_OWNER, mode >> 6 & 7, _NO_ID), (_GROUP, mode >> 3 & 7, _NO_ID), (_OTHER, mode & 7, _NO_ID)]
    return list(_ENTRY.iter_unpack(packed[_HEADER.size :]))
