"""Every connector of a core system, with inputs of its own to begin from; and what must hold of whatever it reads."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from services.intake.connectors import mambu
from services.intake.connectors.cloud_events import decode, outgoing
from services.intake.connectors.debezium import outbox, tables
from services.intake.connectors.fineract.events import Core
from services.intake.connectors.fineract.messages import Fineract
from services.intake.connectors.fineract.schemas import Schemas
from services.intake.connectors.iso20022 import camt054, pacs004
from services.intake.connectors.iso20022.money import Collecting
from services.intake.connectors.iso20022.postings import Postings
from services.intake.connectors.sealing import Sealer
from services.intake.connectors.sending import Ignored, Outcome, Refused, Sent
from shared.contracts import core_banking
from shared.contracts.core_banking import PaymentPosted
from shared.settings import Settings
from tests.unit.connectors import avro
from tests.unit.fuzz.anything import AT, CANARY, record

SEALER = Sealer.for_trying(Settings.demo({}).vault)


class Connector(NamedTuple):
    """How it reads, and examples that it reads well."""

    read: Callable[[bytes], Sequence[Outcome]]
    examples: Sequence[bytes]


def check(connector: Connector, data: bytes) -> Sequence[Outcome]:
    """Events that ingress takes, and refusals that show nothing of what was read; every exception passes."""
    outcomes = connector.read(data)
    for outcome in outcomes:
        match outcome:
            case Sent(event_id, time, fact):
                written = outgoing(fact, source="/fuzz", event_id=event_id, time=time)
                decode(record(core_banking.TOPIC, written.value, written.headers), SEALER)
            case Refused(place, field, reason):
                assert CANARY not in f"{place} {field} {reason}"
                assert reason
            case Ignored(place, reason):
                assert CANARY not in f"{place} {reason}"
                assert reason
    return outcomes


def _fineract() -> Connector:
    with TemporaryDirectory() as folder:
        schemas = Schemas([avro.write_schemas(Path(folder))])
    currency, flags = {"code": "INR"}, {"active": True}
    payment = {
        "id": 1,
        "loanId": 2,
        "currency": currency,
        "amount": Decimal(5),
        "date": CANARY,
        "submittedOnDate": "2031-05-05",
    }
    period = {"period": 1, "dueDate": "2031-05-01", "principalOutstanding": Decimal(9)}
    account = {
        "id": 2,
        "clientId": 3,
        "loanProductId": 4,
        "status": flags,
        "repaymentSchedule": {"currency": currency, "periods": [period, period | {"period": 2}]},
        "summary": {"currency": currency, "totalOutstanding": Decimal(18)},
    }
    client = {"id": 3, "displayName": CANARY, "mobileNo": "+86 138", "emailAddress": "a@b"}
    said = [
        ("LoanTransactionMakeRepaymentPostBusinessEvent", "LoanTransactionDataV1", payment),
        ("LoanAccountSnapshotBusinessEvent", "LoanAccountDataV1", account),
        ("ClientCreateBusinessEvent", "ClientDataV1", client),
    ]
    examples = [avro.bulk(*said), *(avro.message(*each) for each in said)]
    return Connector(Fineract(schemas, Core("bank")).read, examples)


COLLECTING = Collecting("bank")


def _camt054() -> Connector:
    booked = (
        f"<Ntry><AcctSvcrRef>{CANARY}</AcctSvcrRef><Amt Ccy='EUR'>1.50</Amt><CdtDbtInd>CRDT</CdtDbtInd>"
        f"<Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2031-05-06</Dt></BookgDt><NtryDtls><TxDtls><Refs><TxId>t</TxId></Refs>"
        "<RmtInf><Ustrd>L-1</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>"
    )
    as_json = {
        "CdtDbtInd": "CRDT",
        "BookgDt": {"DtTm": "2031-05-06T10:00:00Z"},
        "NtryRef": CANARY,
        "NtryDtls": [{"TxDtls": {"Amt": {"@": "7", "@Ccy": "JPY"}, "RmtInf": {"Ustrd": ["L-1"]}}}],
    }
    name = camt054.MESSAGE
    examples = [
        f"<Document xmlns='urn:x'><{name}><Ntfctn>{booked * 2}</Ntfctn></{name}></Document>".encode(),
        json.dumps({name: {"Ntfctn": [{"Ntry": [as_json]}]}}).encode(),
    ]

    def read(data: bytes) -> Sequence[Outcome]:
        with Postings() as postings:
            return camt054.read(data, COLLECTING, postings)

    return Connector(read, examples)


def _pacs004() -> Connector:
    postings = Postings()
    at = datetime(2031, 1, 1, tzinfo=UTC)
    paid = PaymentPosted(lender_id="bank", loan_id="L-1", payment_id="p", amount=150, currency="EUR", posted_at=at)
    postings.remember(paid, [f"TxId:{CANARY}"])
    returned = f"<OrgnlTxId>{CANARY}</OrgnlTxId><RtrdIntrBkSttlmAmt Ccy='EUR'>1.50</RtrdIntrBkSttlmAmt>"
    header = "<GrpHdr><CreDtTm>2031-05-06T10:00:00Z</CreDtTm></GrpHdr>"
    example = f"<Document><PmtRtr>{header}<TxInf>{returned}</TxInf></PmtRtr></Document>".encode()
    return Connector(partial(pacs004.read, collecting=COLLECTING, postings=postings), [example])


POSTED = "core-banking.payment-posted.v1"
PAYMENT = {
    "loan_id": "L-1",
    "payment_id": "p",
    "amount": "8.50",
    "currency": "EUR",
    "posted_at": "2031-05-06T10:00:00Z",
}


def _change(table: str, row: object) -> bytes:
    source = {"table": table, "ts_ms": 1_900_000_000_000}
    return json.dumps({"before": None, "after": row, "source": source, "op": "c", "ts_ms": CANARY}).encode()


def _outbox() -> Connector:
    headers = (("id", b"e"), ("type", POSTED.encode()))
    row = {"id": CANARY, "type": POSTED, "payload": json.dumps(PAYMENT)}
    examples = [json.dumps(PAYMENT).encode(), json.dumps(json.dumps(PAYMENT)).encode(), _change("outbox", row)]
    return Connector(lambda data: outbox.read(data, headers, AT, "bank"), examples)


def _tables() -> Connector:
    fields: dict[str, str | tables.Field] = {
        **{name: name for name in PAYMENT},
        "posted_at": tables.Field(column="posted_at", form="milliseconds"),
    }
    mapped = tables.Tables((tables.Table("payments", ("create",), POSTED, fields),))
    row = {**PAYMENT, "posted_at": 1_900_000_000_000, "name": CANARY}
    return Connector(lambda data: tables.read(data, mapped, "bank"), [_change("payments", row)])


def _mambu() -> Connector:
    metadata = {"eid": CANARY, "occurred_at": "2031-05-06T10:00:00Z"}
    event = {"metadata": metadata, "body": json.dumps({"type": POSTED, "data": PAYMENT})}
    example = json.dumps({"cursor": {"offset": CANARY}, "events": [event, event]}).encode()
    return Connector(lambda data: mambu.read(data, "bank"), [example])


CONNECTORS = {
    "fineract": _fineract(),
    "camt.054": _camt054(),
    "pacs.004": _pacs004(),
    "debezium outbox": _outbox(),
    "debezium tables": _tables(),
    "mambu": _mambu(),
}
