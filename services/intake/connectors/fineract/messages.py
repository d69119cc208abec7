"""What Fineract puts on Kafka: a message around a payload, or around a bulk of items that have one payload each."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import partial
from typing import Final, NamedTuple

from services.intake.connectors import drafting
from services.intake.connectors.fineract import fields
from services.intake.connectors.fineract.events import About, Core, outcomes
from services.intake.connectors.fineract.fields import Fields
from services.intake.connectors.fineract.schemas import Decoded, Schemas
from services.intake.connectors.sending import Ignored, Outcome
from shared.service import Rejected

MAX_BYTES: Final = 1 << 20
"""The largest message that is read, as on our own public topic."""

MESSAGE: Final = "org.apache.fineract.avro.MessageV1"
BULK: Final = "org.apache.fineract.avro.BulkMessagePayloadV1"


class _Message(NamedTuple):
    key: str
    type: str
    at: datetime
    business_date: str
    payload: Decoded


class Fineract:
    """Reads messages of the topic of external events; nothing is remembered from one to the next."""

    def __init__(self, schemas: Schemas, core: Core) -> None:
        self._schemas, self._core = schemas, core

    @property
    def source(self) -> str:
        """What the events of this core are told under."""
        return f"/fineract/{self._core.tenant}"

    def read(self, value: bytes) -> list[Outcome]:
        """What comes of one message, whatever its bytes are."""
        return drafting.attempted("", lambda: self._read(value))

    def _read(self, value: bytes) -> Iterable[Outcome]:
        if len(value) > MAX_BYTES:
            raise Rejected(f"is larger than {MAX_BYTES} bytes")
        name, record = self._schemas.decoded(value)
        if name != MESSAGE:
            raise Rejected("is no message of Fineract's external events")
        if fields.text(record, "tenantId") != self._core.tenant:
            return [Ignored("", "is of another tenant")]
        message = self._opened(record)
        return self._items(message) if message.payload.name == BULK else outcomes(self._core, *_about(message))

    def _opened(self, record: Fields) -> _Message:
        return _Message(
            key=fields.text(record, "idempotencyKey"),
            type=fields.text(record, "type"),
            at=drafting.instant(record.get("createdAt"), "createdAt"),
            business_date=fields.text(record, "businessDate"),
            payload=self._payload(record),
        )

    def _payload(self, record: Fields) -> Decoded:
        """What is wrapped in a message or an item, written with the schema that it says."""
        data = record.get("data")
        if not isinstance(data, bytes):
            raise Rejected("is required", field="data")
        payload = self._schemas.decoded(data, "data")
        if payload.name != record.get("dataschema"):
            raise Rejected("was written with another schema than it says", field="data")
        return payload

    def _items(self, bulk: _Message) -> Iterator[Outcome]:
        """The events of a bulk, each by itself: one that is refused takes none of the others with it."""
        for place, item in enumerate(fields.parts(bulk.payload.record, "datas")):
            yield from drafting.attempted(f"item {place}", partial(self._item, bulk, item, place))

    def _item(self, bulk: _Message, item: Fields, place: int) -> Iterator[Outcome]:
        key, type_ = f"{bulk.key}/{place}", fields.text(item, "type")
        opened = bulk._replace(key=key, type=type_, payload=self._payload(item))
        for found in outcomes(self._core, *_about(opened)):
            yield found._replace(place=f"item {place}") if isinstance(found, Ignored) else found


def _about(message: _Message) -> tuple[About, Decoded]:
    business_date = drafting.day(message.business_date, "businessDate")
    return About(message.key, message.type, message.at, business_date), message.payload
