"""Why a database cannot be brought up to date, in one line for the person who can mend it, and without its password."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from sqlalchemy.exc import DBAPIError

_PLAIN: Final = re.compile(r"[\w.\-]{1,63}", re.ASCII)
_NO_ENTRY: Final = "the server does not let us in; check role and password in {variable}"
_NO_ROOM: Final = "the server takes no connections just now (SQLSTATE {state}); wait, then migrate again"
_BY_STATE: Final = {
    "3D000": "it does not exist; create it for this role (deploy/postgres/databases.sh does), then migrate again",
    "28P01": _NO_ENTRY,
    "28000": _NO_ENTRY,
    "42501": "the role may not make tables there; make it the owner, or name another in {variable}",
    "53300": _NO_ROOM,
    "57P03": _NO_ROOM,
    "FD001": "it was filled by a version with other shards; begin with empty databases and topics",
}
"""By SQLSTATE; FD001 is of a migration of ours."""


class DatabaseRefusedError(Exception):
    """A database is not there, or does not let us in; its text says what to do."""

    def __init__(self, service: str, dsn: str, error: BaseException) -> None:
        super().__init__(f"the database of {service}{_named(dsn)}: {_problem(service, error)}")


@dataclass(frozen=True, slots=True)
class _Place:
    """What of an address may be shown."""

    database: str
    role: str
    server: str


def _place(dsn: str) -> _Place | None:
    """None where the parts of an address cannot be told apart for certain: a password might stand among them."""
    parts = urlsplit(dsn)
    database, role = unquote(parts.path[1:]), unquote(parts.username or "")
    server = parts.netloc.rpartition("@")[2]
    plain = all(_PLAIN.fullmatch(each) for each in (database, role)) and parts.netloc.count("@") == 1
    return _Place(database, role, server) if plain else None


def _named(dsn: str) -> str:
    place = _place(dsn)
    return f" ({place.database} at {place.server}, as {place.role})" if place else ""


def _problem(service: str, error: BaseException) -> str:
    variable = f"DATABASE_URL_{service.upper()}"
    state = _state(error)
    if state in _BY_STATE:
        return _BY_STATE[state].format(variable=variable, state=state)
    if isinstance(error, OSError):
        return f"the server does not answer ({_kind(error)}); start it, or mend the address in {variable}"
    return f"it refuses the migrations ({_kind(error)}{f', SQLSTATE {state}' if state else ''}); see its log"


def _state(error: BaseException) -> str:
    told = error.orig if isinstance(error, DBAPIError) else error
    return str(getattr(told, "sqlstate", None) or "")


def _kind(error: BaseException) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
