"""Made-up people who are to be seen nowhere, every form in which they might be, and every place to look at."""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from shared.contracts import catalogue, core_banking
from shared.messaging.broker import Broker, Lane, Record
from shared.messaging.control import control_topic
from shared.messaging.packing import unpacked
from shared.service import SHARDS
from tests.e2e.owners import Owners

CANARIES: Mapping[str, str] = {
    "a name in Chinese": "欧阳金丝雀",
    "an address in Chinese": "上海市金丝雀路四千七百号",
    "a name": "Wilhelmina Kanarienvogel",
    "an address": "47 Kanarienweg Düsseldorf",
    "an e-mail address": "kanarienvogel.w@example.com",
    "a number": "+861009876504711",
    "a number with blanks": "+49 555 0471 1471",
    "an identity number": "00000019770707471X",
    "another identity number": "KANARI-4711-0815",
    "a party of the bank": "PARTEI-KANARI-1",
    "another party": "KANARI-PARTEI-2",
    "a text in an event that nobody can read": "Kanarienvogelfutter",
}
ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "gb18030")
SHORTEST = 8
"""Characters of base64 without which a hit could be chance."""


def forms(text: str) -> Iterator[bytes]:
    """A text as it might lie or travel somewhere, each form once."""
    yield from dict.fromkeys([*_plain(text), *_wrapped(text)])


def _plain(text: str) -> Iterator[bytes]:
    yield from (text.encode(encoding) for encoding in ENCODINGS)
    yield from (text.lower().encode(), text.upper().encode(), repr(text)[1:-1].encode())
    yield json.dumps(text)[1:-1].encode()
    yield json.dumps(text)[1:-1].upper().replace("\\U", "\\u").encode()
    yield quote(text).encode()


def _wrapped(text: str) -> Iterator[bytes]:
    for encoding in ENCODINGS:
        plain = text.encode(encoding)
        yield from (plain.hex().encode(), plain.hex().upper().encode())
        for lead in range(3):
            # What stands in front shifts base64 by one or two bytes; the ends depend on what stands beside.
            inner = base64.b64encode(bytes(lead) + plain)[(0, 2, 3)[lead] :].rstrip(b"=")[:-1]
            assert len(inner) >= SHORTEST
            yield from (inner, inner.replace(b"+", b"-").replace(b"/", b"_"))


FORMS = {form: what for what, text in CANARIES.items() for form in forms(text)}


def seen(content: bytes) -> set[str]:
    """Which canaries are in it, in whatever form."""
    return {what for form, what in FORMS.items() if form in content}


@dataclass(frozen=True)
class Place:
    """Something that was looked at."""

    where: str
    content: bytes


def found(places: Iterable[Place]) -> dict[str, set[str]]:
    """Where canaries were seen, and which."""
    hits: dict[str, set[str]] = {}
    for place in places:
        if what := seen(place.content):
            hits.setdefault(place.where, set()).update(what)
    return hits


async def records(log: Broker, topics: Iterable[str]) -> list[Record]:
    """All that the log holds on some topics."""
    lanes = [Lane(topic, number) for topic in topics for number in range(SHARDS)]
    ends, starts = await log.end_offsets(lanes), await log.earliest_offsets(lanes)
    left = {lane for lane in lanes if ends[lane] > starts[lane]}
    reader = await log.reader()
    await reader.assign({lane: starts[lane] for lane in left})
    held: list[Record] = []
    while left:
        held += await reader.fetch(1_000, 5.0)
        left -= {record.lane for record in held if record.offset + 1 >= ends[record.lane]}
    await reader.close()
    return held


def internal_topics() -> list[str]:
    """Every topic but the bank's own, which is in clear by its nature."""
    ours = [topic for topic in catalogue.TOPICS if topic != core_banking.TOPIC]
    return [*ours, *map(control_topic, ours)]


async def of_topics(log: Broker) -> list[Place]:
    """Every record of the internal topics, with key and headers."""
    return [
        Place(record.lane.topic, b"\n".join((record.key or b"", record.value, repr(record.headers).encode())))
        for record in await records(log, internal_topics())
    ]


async def of_databases(owners: Owners) -> list[Place]:
    """Every value of every column of every table, whatever its type."""
    places: list[Place] = []
    tables = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'"
    for service in owners.urls:
        for (table,) in await owners.rows(service, tables):
            rows = await owners.rows(service, f'SELECT * FROM "{table}"')
            places += [Place(f"{service}.{table}", _bytes(value)) for row in rows for value in row]
    return places


def _bytes(value: object) -> bytes:
    return unpacked(value) if isinstance(value, bytes) else str(value).encode()
