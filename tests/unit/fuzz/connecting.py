"""Every connector of a core system, with inputs of its own to begin from; and what must hold of whatever it reads."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from services.intake.connectors.cloud_events import decode, outgoing
from services.intake.connectors.fineract.events import Core
from services.intake.connectors.fineract.messages import Fineract
from services.intake.connectors.fineract.schemas import Schemas
from services.intake.connectors.sealing import Sealer
from services.intake.connectors.sending import Ignored, Outcome, Refused, Sent
from shared.contracts import core_banking
from shared.settings import Settings
from tests.unit.connectors import avro
from tests.unit.fuzz.anything import CANARY, record

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


CONNECTORS = {"fineract": _fineract()}
