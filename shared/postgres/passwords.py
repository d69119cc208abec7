"""The passwords of the embedded server's roles, made once and kept in one file that only its owner can read."""

import json
import os
import secrets
from pathlib import Path


class Passwords:
    """A password per role, made when it is first asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def of(self, role: str) -> str:
        """The role's password."""
        known = self._known()
        if role not in known:
            known[role] = secrets.token_urlsafe(24)
            write_private(self._path, json.dumps(known, indent=1))
        return known[role]

    def _known(self) -> dict[str, str]:
        try:
            known: dict[str, str] = json.loads(self._path.read_text())
        except FileNotFoundError:
            return {}
        return known


def write_private(path: Path, text: str) -> None:
    """Replace a file at once, readable by its owner only; a crash leaves the old one or the new one."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
