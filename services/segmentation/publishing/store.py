"""The register of strategies: the tables in which it lies, and the queries of the routes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

import msgspec
from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.segmentation import StrategyDocument
from shared.messaging.layout import Layout, Table

REGISTER = "strategies"
"""The owner of the one register."""


class State(StrEnum):
    """How a version stands in the register; from its date on, one that is approved is in effect."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Books:
    """Where a lender's books stand, as the register has heard."""

    lender_id: str
    business_date: date


@dataclass(frozen=True, slots=True)
class Version:
    """One version, whole, and who did what with it."""

    strategy: str
    version: int
    effective_from: date
    document: StrategyDocument
    digest: str
    state: State
    proposed_by: str
    proposed_at: datetime
    approved_by: str = ""
    approved_at: datetime | None = None
    withdrawn_by: str = ""
    withdrawn_at: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One step of a version's way, for ever: what was done, by whom, when, and to which text."""

    strategy: str
    version: int
    step: str
    actor: str
    at: datetime
    digest: str
    reason: str


@dataclass(frozen=True, slots=True)
class Register:
    """All versions that were ever proposed."""

    register: str
    books: Mapping[str, Books]
    versions: Mapping[tuple[str, int], Version]
    entries: tuple[Entry, ...]


LAYOUT = Layout(
    Register,
    {
        "books": Table("books_date", Books, key=("lender_id",)),
        "versions": Table("strategy_version", Version, key=("strategy", "version")),
        "entries": Table("strategy_entry", Entry, use="journal"),
    },
    owner="register",
)

_COLUMNS = """strategy, version, effective_from, document::text AS document, digest, state, proposed_by, proposed_at,
    approved_by, approved_at, withdrawn_by, withdrawn_at, reason"""
_ALL = text(f"SELECT {_COLUMNS} FROM strategy_version ORDER BY strategy, version")
_ENTRIES = text("""
    SELECT step, actor, at, digest, reason FROM strategy_entry
    WHERE strategy = :strategy AND version = :version ORDER BY id
""")
_BOOKS = text("SELECT max(business_date) FROM lane_clock")


async def list_versions(connection: AsyncConnection) -> Sequence[Version]:
    """All versions that were ever proposed, by strategy and number."""
    return [_version(row) for row in (await connection.execute(_ALL)).mappings()]


async def list_entries(connection: AsyncConnection, strategy: str, version: int) -> Sequence[RowMapping]:
    """What was done with a version, in order."""
    return (await connection.execute(_ENTRIES, {"strategy": strategy, "version": version})).mappings().all()


async def books_stand_on(connection: AsyncConnection) -> date:
    """The latest business date that any lane has heard of; the least of all dates where none has."""
    return (await connection.execute(_BOOKS)).scalar_one() or date.min


def _version(row: RowMapping) -> Version:
    document = msgspec.json.decode(row["document"], type=StrategyDocument)
    return Version(**{**row, "document": document, "state": State(row["state"])})
