"""A small Fineract: schemas of the shape that it writes with, and messages in its encoding."""

import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form

ROOT = "org.apache.fineract.avro"
MESSAGE, BULK = f"{ROOT}.MessageV1", f"{ROOT}.BulkMessagePayloadV1"
CREATED = "2031-05-06T07:08:09.123456"
DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 8}

_ITEM = {"type": "string", "category": "string", "dataschema": "string", "data": "bytes"}
_MONEY = dict.fromkeys(("principal", "interest", "feeCharges", "penaltyCharges"), "bigdecimal")
_FLAGS = ("active", "closedObligationsMet", "overpaid", "closedWrittenOff", "closedRescheduled", "pendingApproval")

SHAPES: Mapping[str, Mapping[str, Any]] = {
    "MessageV1": {
        **_ITEM,
        **dict.fromkeys(("createdAt", "businessDate", "tenantId", "idempotencyKey"), "string"),
    },
    "BulkMessageItemV1": _ITEM,
    "BulkMessagePayloadV1": {"datas": {"type": "array", "items": "BulkMessageItemV1"}},
    "CurrencyV1": {"code": "string"},
    "StatusV1": dict.fromkeys(_FLAGS, "boolean"),
    "PeriodV1": {
        "period": "int",
        "dueDate": "string",
        **{f"{name}Outstanding": kind for name, kind in _MONEY.items()},
    },
    "ScheduleV1": {"currency": "CurrencyV1", "periods": {"type": "array", "items": "PeriodV1"}},
    "SummaryV1": {"currency": "CurrencyV1", "totalOutstanding": "bigdecimal"},
    "LoanAccountDataV1": {
        **dict.fromkeys(("id", "clientId", "loanProductId"), "long"),
        "status": "StatusV1",
        "repaymentSchedule": "ScheduleV1",
        "summary": "SummaryV1",
    },
    "TypeV1": dict.fromkeys(("repayment", "accrual"), "boolean"),
    "LoanTransactionDataV1": {
        **dict.fromkeys(("id", "loanId"), "long"),
        "type": "TypeV1",
        "currency": "CurrencyV1",
        "amount": "bigdecimal",
        **dict.fromkeys(("date", "submittedOnDate"), "string"),
    },
    "LoanTransactionAdjustmentDataV1": dict.fromkeys(
        ("transactionToAdjust", "newTransactionDetail"), "LoanTransactionDataV1"
    ),
    "ClientDataV1": {"id": "long", **dict.fromkeys(("displayName", "mobileNo", "emailAddress"), "string")},
    "OfficeDataV1": {"id": "long"},
}
"""Every field of every record; each may be missing but for those of messages and lists."""

_NEVER_NULL = {"MessageV1", "BulkMessageItemV1", "BulkMessagePayloadV1"}


def source(name: str, shape: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A schema as Fineract's files have it: others by name, and its own word for decimals."""
    fields = [
        {"name": field, "type": kind if name in _NEVER_NULL or isinstance(kind, dict) else ["null", kind]}
        for field, kind in (shape or SHAPES[name]).items()
    ]
    return {"type": "record", "namespace": ROOT, "name": name, "fields": fields}


def write_schemas(folder: Path, shapes: Mapping[str, Mapping[str, Any]] = SHAPES) -> Path:
    """A release's folder of schemas."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, shape in shapes.items():
        (folder / f"{name}.avsc").write_text(json.dumps(source(name, shape)))
    return folder


def wrapped(name: str, record: Mapping[str, Any], shapes: Mapping[str, Mapping[str, Any]] = SHAPES) -> bytes:
    """A record in single-object encoding."""
    schema = _whole(name, shapes, set())
    key = bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))
    buffer = BytesIO()
    fastavro.schemaless_writer(buffer, fastavro.parse_schema(schema), dict(record))
    return b"\xc3\x01" + key + buffer.getvalue()


def _whole(name: str, shapes: Mapping[str, Mapping[str, Any]], met: set[str]) -> Any:
    if name == "bigdecimal":
        return dict(DECIMAL)
    if name not in shapes:
        return name
    if name in met:
        return f"{ROOT}.{name}"
    met.add(name)
    found = source(name, shapes[name])
    for field in found["fields"]:
        field["type"] = _of(field["type"], shapes, met)
    return found


def _of(kind: Any, shapes: Mapping[str, Mapping[str, Any]], met: set[str]) -> Any:
    if isinstance(kind, list):
        return [_of(each, shapes, met) for each in kind]
    if isinstance(kind, dict):
        return {**kind, "items": _of(kind["items"], shapes, met)}
    return _whole(kind, shapes, met)


def message(type_: str, payload: str, record: Mapping[str, Any], **others: Any) -> bytes:
    """One event as it stands on the topic."""
    around = {
        "type": type_,
        "category": "Loan",
        "dataschema": f"{ROOT}.{payload}",
        "data": wrapped(payload, record),
        "createdAt": CREATED,
        "businessDate": "2031-05-06",
        "tenantId": "default",
        "idempotencyKey": "key-1",
    }
    return wrapped("MessageV1", {**around, **others})


def bulk(*items: tuple[str, str, Mapping[str, Any]]) -> bytes:
    """Several events in one message."""
    datas: Sequence[Mapping[str, Any]] = [
        {"type": type_, "category": "none", "dataschema": f"{ROOT}.{payload}", "data": wrapped(payload, record)}
        for type_, payload, record in items
    ]
    return message("BulkBusinessEvent", "BulkMessagePayloadV1", {"datas": datas})
