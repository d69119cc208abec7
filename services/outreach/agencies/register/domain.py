"""An agency as the register holds it, what it must fulfil, and whether it may work on a day. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

MOST_LIVE = 2
"""Keys of one kind at a time: the one in use, and the one that takes its place."""

API_KEY_LASTS = timedelta(days=366)
"""A year at most."""


class State(StrEnum):
    """Whether an agency may work at all."""

    ACTIVE = "active"
    SUSPENDED = "suspended"


class Scope(StrEnum):
    """What a machine of an agency may ask for."""

    PLACEMENTS_READ = "placements:read"
    PLACEMENTS_WRITE = "placements:write"
    PERMITS = "permits"
    WEBHOOKS = "webhooks"
    STATEMENTS_READ = "statements:read"


class Alg(StrEnum):
    """How a client signs."""

    EDDSA = "EdDSA"
    ES256 = "ES256"


@dataclass(frozen=True, slots=True)
class Agency:
    """One agency; who listed it, and who changed it last. The first of `commission_ppm` is that of tier 1."""

    name: str
    state: State
    state_reason: str
    licence_number: str
    licence_until: date
    contract_number: str
    contract_from: date
    contract_until: date
    last_evaluation_on: date | None
    trained_until: date | None
    published: bool
    capacity: int
    commission_ppm: tuple[int, ...]
    scopes: tuple[Scope, ...]
    complaints: int
    listed_by: str
    listed_at: datetime
    changed_by: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class ClientKey:
    """A public key that clients of an agency sign with; what was removed stays, so that no `kid` means two keys."""

    kid: str
    alg: Alg
    jwk: dict[str, str]
    added_by: str
    added_at: datetime
    removed_by: str = ""
    removed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key that is shown as it is: its first part, and the hash of the whole."""

    prefix: str
    sha256: str
    scopes: tuple[Scope, ...]
    expires_at: datetime
    issued_by: str
    issued_at: datetime
    revoked_by: str = ""
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One step of an agency's way, for ever: what was done, by whom, when, and with which words."""

    step: str
    actor: str
    at: datetime
    content: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AgencyFile:
    """All that the register holds of one agency; `agency` is None before it is listed."""

    agency_id: str
    agency: Agency | None
    keys: Mapping[str, ClientKey]
    api_keys: Mapping[str, ApiKey]
    entries: tuple[Entry, ...]


def kept_as(agency_id: str) -> str:
    """The name of the directive under which lanes keep the register's word of an agency."""
    return f"agency/{agency_id}"


class Terms(Protocol):
    """What an agency is listed with, as far as its parts must agree."""

    @property
    def contract_from(self) -> date: ...
    @property
    def contract_until(self) -> date: ...
    @property
    def last_evaluation_on(self) -> date | None: ...
    @property
    def trained_until(self) -> date | None: ...


class Standing(Protocol):
    """How an agency stands, whoever tells it: the register, or the directive of a lane."""

    @property
    def state(self) -> str: ...
    @property
    def licence_until(self) -> date: ...
    @property
    def contract_from(self) -> date: ...
    @property
    def contract_until(self) -> date: ...


def wrong_with(terms: Terms, on: date) -> tuple[str, str] | None:
    """The field that contradicts another or the day, and why; None where all is well."""
    if terms.contract_until < terms.contract_from:
        return "contract_until", "the contract would end before it begins"
    if terms.last_evaluation_on is not None and terms.last_evaluation_on > on + timedelta(days=1):
        return "last_evaluation_on", "nobody has evaluated the agency yet on that day"
    return None


def why_not(standing: Standing, on: date) -> str:
    """Why an agency may not work on a day; empty where it may."""
    if standing.state != State.ACTIVE:
        return "the agency is suspended"
    if on > standing.licence_until:
        return "the agency's licence has lapsed"
    if on < standing.contract_from:
        return "the agency's contract has not begun"
    if on > standing.contract_until:
        return "the agency's contract has ended"
    return ""
