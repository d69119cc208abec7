"""Checks the hash chains: that what is kept of each lane's facts is what was committed, in order and without a hole.

Every transaction adds one link per lane, kept after the outbox is dropped. Where the outbox still has the facts, their
hash must give the link; everywhere, links must follow each other, and the last must be the lane's head.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TypeAlias

import asyncpg

from shared.messaging.broker import Lane
from shared.messaging.frames import chained
from shared.messaging.packing import DamagedError, unpacked

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

LINKS = """
SELECT l.kind, l.number, l.topic, l.partition, l.incarnation, l.seq_from, l.seq_to, l.head, o.body
FROM audit_link l
LEFT JOIN outbox o USING (kind, number, topic, partition, incarnation, seq_from)
ORDER BY l.kind, l.number, l.topic, l.partition, l.id
"""
HEADS = "SELECT kind, number, topic, partition, head FROM lane_out"


@dataclass(frozen=True, slots=True)
class Broken:
    """A place at which a chain does not hold, and why."""

    source: str
    lane: Lane
    seq: int
    reason: str


async def verify(connection: Connection, service: str) -> list[Broken]:
    """Walk every chain of a service's database; nothing is returned where all hold."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        heads = {tuple(row[:4]): row["head"] for row in await connection.fetch(HEADS)}
        return [each async for each in _walk(connection, service, heads)]


async def _walk(connection: Connection, service: str, heads: dict[tuple[object, ...], bytes]) -> AsyncIterator[Broken]:
    last: dict[tuple[object, ...], asyncpg.Record] = {}
    async for link in connection.cursor(LINKS):
        place = tuple(link[:4])
        reason = _fault(service, last.get(place), link)
        if reason:
            yield Broken(_source(service, link), _lane(link), link["seq_from"], reason)
        last[place] = link
    for place, head in heads.items():
        end = last.get(place)
        if end is not None and end["head"] != head:
            yield Broken(_source(service, end), _lane(end), end["seq_to"], "the last link is not the lane's head")


def _fault(service: str, before: asyncpg.Record | None, link: asyncpg.Record) -> str:
    renewed = before is not None and link["incarnation"] > before["incarnation"]
    expected = 1 if before is None or renewed else before["seq_to"] + 1
    if link["seq_from"] != expected:
        return f"a link is missing before this one: expected {expected}"
    head = b"" if before is None else before["head"]
    try:
        body = None if link["body"] is None else unpacked(link["body"])
    except DamagedError as error:
        return str(error)
    if body is not None and chained(head, _source(service, link), _lane(link), link["seq_from"], body) != link["head"]:
        return "the facts do not give this link"
    return ""


def _source(service: str, link: asyncpg.Record) -> str:
    return f"{service}/{link['kind']}/{link['number']}"


def _lane(link: asyncpg.Record) -> Lane:
    return Lane(link["topic"], link["partition"])
