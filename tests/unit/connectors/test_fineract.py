"""Messages of Fineract become events of ours; each that cannot is refused with what is wrong with it."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.intake.connectors.fineract.events import PAYMENTS, Core
from services.intake.connectors.fineract.messages import MAX_BYTES, Fineract
from services.intake.connectors.fineract.schemas import SchemaFolderError, Schemas
from services.intake.connectors.sending import Ignored, Outcome, Refused, Sent
from shared.contracts.core_banking import (
    ClosingReason,
    ContactKind,
    ContactPoint,
    Instalment,
    LoanClosed,
    LoanOverdue,
    PartyProfile,
    PaymentPosted,
    PaymentReversed,
)
from tests.real_data import real
from tests.unit.connectors import avro

ZONE = ZoneInfo("Asia/Kolkata")
CORE = Core("bank", ZONE, portfolio="retail", jurisdiction="IN", language="en")
CREATED = datetime(2031, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
REPAID = "LoanTransactionMakeRepaymentPostBusinessEvent"
ADJUSTED = "LoanAdjustTransactionBusinessEvent"
SNAPSHOT = "LoanAccountSnapshotBusinessEvent"


@pytest.fixture(scope="module")
def fineract(tmp_path_factory: pytest.TempPathFactory) -> Fineract:
    return Fineract(Schemas([avro.write_schemas(tmp_path_factory.mktemp("schemas"))]), CORE)


def period(number: int | None, due: str, principal: str, interest: str = "0") -> dict[str, Any]:
    return {
        "period": number,
        "dueDate": due,
        "principalOutstanding": Decimal(principal),
        "interestOutstanding": Decimal(interest),
        "feeChargesOutstanding": Decimal("0.05"),
        "penaltyChargesOutstanding": None,
    }


def account(**others: Any) -> dict[str, Any]:
    schedule = {
        "currency": {"code": "INR"},
        "periods": [
            period(None, "2031-01-01", "900"),
            period(1, "2031-04-06", "100.5", "2.25"),
            period(2, "2031-05-06", "100.5"),
            period(3, "2031-06-06", "100.5"),
            {**period(4, "2031-03-06", "0"), "feeChargesOutstanding": None},
        ],
    }
    return {
        "id": 7,
        "clientId": 12,
        "loanProductId": 3,
        "status": {"active": True},
        "repaymentSchedule": schedule,
        "summary": {"currency": {"code": "INR"}, "totalOutstanding": Decimal("301.5")},
        **others,
    }


def transaction(number: int = 31, amount: str = "50.25", **others: Any) -> dict[str, Any]:
    return {
        "id": number,
        "loanId": 7,
        "type": {"repayment": True},
        "currency": {"code": "INR"},
        "amount": Decimal(amount),
        "date": "2031-05-01",
        "submittedOnDate": "2031-05-05",
        **others,
    }


def facts(outcomes: list[Outcome]) -> list[Any]:
    return [each.fact for each in outcomes if isinstance(each, Sent)]


def test_an_account_becomes_a_snapshot_of_all_that_has_fallen_due_and_is_unpaid(fineract: Fineract) -> None:
    [sent] = fineract.read(avro.message(SNAPSHOT, "LoanAccountDataV1", account()))
    assert sent == Sent(
        "key-1",
        CREATED,
        LoanOverdue(
            lender_id="bank",
            loan_id="7",
            party_id="12",
            as_of=date(2031, 5, 6),
            posting_cut_off=CREATED,
            currency="INR",
            instalments=(
                Instalment(number=1, due_on=date(2031, 4, 6), principal=10050, interest=225, fee=5),
                Instalment(number=2, due_on=date(2031, 5, 6), principal=10050, fee=5),
            ),
            outstanding=30150,
            product="3",
            portfolio="retail",
            jurisdiction="IN",
        ),
    )


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("closedObligationsMet", ClosingReason.PAID),
        ("overpaid", ClosingReason.PAID),
        ("closedWrittenOff", ClosingReason.WRITTEN_OFF),
        ("closedRescheduled", ClosingReason.RESTRUCTURED),
    ],
)
def test_an_account_that_has_ended_closes_the_loan(fineract: Fineract, status: str, reason: ClosingReason) -> None:
    said = account(status={status: True}, repaymentSchedule=None)
    read = fineract.read(avro.message("LoanStatusChangedBusinessEvent", "LoanAccountDataV1", said))
    assert facts(read) == [LoanClosed(lender_id="bank", loan_id="7", party_id="12", reason=reason, closed_at=CREATED)]


def test_a_disbursal_that_is_undone_ends_the_loan_and_one_that_waits_is_ignored(fineract: Fineract) -> None:
    waiting = account(status={"pendingApproval": True})
    [closed] = facts(fineract.read(avro.message("LoanUndoDisbursalBusinessEvent", "LoanAccountDataV1", waiting)))
    assert closed.reason == ClosingReason.NO_LOAN
    ignored = fineract.read(avro.message("LoanCreatedBusinessEvent", "LoanAccountDataV1", waiting))
    assert ignored == [Ignored("", "is of a loan that is not paid out")]


@pytest.mark.parametrize("type_", sorted(PAYMENTS))
def test_a_payment_names_the_loan_alone_and_counts_from_the_day_of_its_booking(fineract: Fineract, type_: str) -> None:
    [sent] = fineract.read(avro.message(type_, "LoanTransactionDataV1", transaction()))
    posted = datetime(2031, 5, 5, tzinfo=ZONE)
    assert facts([sent]) == [
        PaymentPosted(lender_id="bank", loan_id="7", payment_id="31", amount=5025, currency="INR", posted_at=posted)
    ]


def test_a_transaction_that_is_no_payment_is_ignored(fineract: Fineract) -> None:
    read = fineract.read(avro.message("LoanAccrualTransactionCreated", "LoanTransactionDataV1", transaction()))
    assert read == [Ignored("", "is a transaction that is no payment")]


def test_a_reversal_says_of_its_payment_what_the_payment_said(fineract: Fineract) -> None:
    [posted] = facts(fineract.read(avro.message(REPAID, "LoanTransactionDataV1", transaction())))
    said = {"transactionToAdjust": transaction(), "newTransactionDetail": None}
    [reversed_] = facts(fineract.read(avro.message(ADJUSTED, "LoanTransactionAdjustmentDataV1", said)))
    assert isinstance(reversed_, PaymentReversed)
    assert reversed_.reversed_at == CREATED
    for field in ("loan_id", "payment_id", "amount", "currency", "posted_at"):
        assert getattr(reversed_, field) == getattr(posted, field)


def test_an_adjustment_takes_back_one_payment_and_books_another_under_its_own_names(fineract: Fineract) -> None:
    said = {"transactionToAdjust": transaction(31), "newTransactionDetail": transaction(32, "40")}
    read = fineract.read(avro.message(ADJUSTED, "LoanTransactionAdjustmentDataV1", said))
    assert [type(fact) for fact in facts(read)] == [PaymentReversed, PaymentPosted]
    assert [(each.event_id, each.fact.payment_id) for each in read if isinstance(each, Sent)] == [  # type: ignore[attr-defined]
        ("key-1", "31"),
        ("key-1/1", "32"),
    ]


@pytest.mark.parametrize("amount", ["0", None])
def test_a_transaction_of_nothing_takes_no_place(fineract: Fineract, amount: str | None) -> None:
    nothing = {**transaction(32), "amount": Decimal(amount) if amount else None}
    said = {"transactionToAdjust": transaction(31), "newTransactionDetail": nothing}
    read = fineract.read(avro.message(ADJUSTED, "LoanTransactionAdjustmentDataV1", said))
    assert [type(fact) for fact in facts(read)] == [PaymentReversed]


def test_an_adjustment_of_what_is_no_payment_is_ignored(fineract: Fineract) -> None:
    said = {"transactionToAdjust": transaction(type={"accrual": True}), "newTransactionDetail": None}
    read = fineract.read(avro.message(ADJUSTED, "LoanTransactionAdjustmentDataV1", said))
    assert read == [Ignored("", "adjusts a transaction that is no payment")]


def test_a_client_becomes_a_profile(fineract: Fineract) -> None:
    said = {"id": 12, "displayName": "Asha Rao", "mobileNo": "+919800000000", "emailAddress": None}
    read = fineract.read(avro.message("ClientActivateBusinessEvent", "ClientDataV1", said))
    contact = ContactPoint(kind=ContactKind.MOBILE, value="+919800000000")
    profile = PartyProfile(
        lender_id="bank", party_id="12", updated_at=CREATED, name="Asha Rao", contacts=(contact,), language="en"
    )
    assert facts(read) == [profile]


def test_of_a_bulk_each_item_is_an_event_and_a_bad_one_takes_no_other_with_it(fineract: Fineract) -> None:
    items = [
        (REPAID, "LoanTransactionDataV1", transaction(31)),
        (REPAID, "LoanTransactionDataV1", transaction(32, currency={"code": "CODE"})),
        ("OfficeCreated", "OfficeDataV1", {"id": 1}),
        (REPAID, "LoanTransactionDataV1", transaction(33)),
    ]
    first, second, third, fourth = fineract.read(avro.bulk(*items))
    assert isinstance(first, Sent)
    assert second == Refused("item 1", "currency", "is no currency of ISO 4217")
    assert third == Ignored("item 2", "says nothing about arrears")
    assert isinstance(fourth, Sent)
    assert (first.event_id, fourth.event_id) == ("key-1/0", "key-1/3")


def test_the_same_message_gives_the_same_events_each_time(fineract: Fineract) -> None:
    message = avro.bulk((REPAID, "LoanTransactionDataV1", transaction()), (SNAPSHOT, "LoanAccountDataV1", account()))
    assert fineract.read(message) == fineract.read(message)


def refusal(fineract: Fineract, message: bytes) -> tuple[str, str]:
    [found] = fineract.read(message)
    assert isinstance(found, Refused)
    return found.field, found.reason


def test_a_schema_that_is_not_known_is_a_refusal_that_names_its_fingerprint(fineract: Fineract) -> None:
    other: dict[str, Mapping[str, Any]] = {**avro.SHAPES, "OfficeDataV1": {"id": "long", "name": "string"}}
    data = avro.wrapped("OfficeDataV1", {"id": 1, "name": "x"}, other)
    message = avro.message("OfficeCreated", "OfficeDataV1", {"id": 1}, data=data)
    field, reason = refusal(fineract, message)
    assert field == "data"
    assert reason == f"was written with a schema that is not known here (fingerprint {data[2:10][::-1].hex()})"


def test_schemas_of_two_releases_under_one_name_are_told_apart(tmp_path: Path) -> None:
    new: dict[str, Mapping[str, Any]] = {
        **avro.SHAPES,
        "ClientDataV1": {"suffix": "string", **avro.SHAPES["ClientDataV1"]},
    }
    folders = [avro.write_schemas(tmp_path / "old"), avro.write_schemas(tmp_path / "new", new)]
    fineract = Fineract(Schemas(folders), CORE)
    old_message = avro.message("ClientUpdate", "ClientDataV1", {"id": 1, "displayName": "Old"})
    data = avro.wrapped("ClientDataV1", {"suffix": "x", "id": 1, "displayName": "New"}, new)
    new_message = avro.message("ClientUpdate", "ClientDataV1", {"id": 1}, data=data)
    names = [fact.name for message in (old_message, new_message) for fact in facts(fineract.read(message))]
    assert names == ["Old", "New"]


@pytest.mark.parametrize(
    ("message", "field", "reason"),
    [
        (b"", "", "is not in Avro's single-object encoding"),
        (b"{}", "", "is not in Avro's single-object encoding"),
        (avro.wrapped("OfficeDataV1", {"id": 1}), "", "is no message of Fineract's external events"),
        (avro.message("X", "OfficeDataV1", {"id": 1}) + b"\0", "", "is longer than its schema says"),
        (avro.message("X", "OfficeDataV1", {"id": 1})[:-1], "", "does not keep to its schema"),
        (b"\xc3\x01" + bytes(MAX_BYTES), "", f"is larger than {MAX_BYTES} bytes"),
        (
            avro.message("X", "OfficeDataV1", {"id": 1}, dataschema="org.example.Other"),
            "data",
            "was written with another schema than it says",
        ),
        (avro.message("X", "OfficeDataV1", {"id": 1}, createdAt="now"), "createdAt", "is no date with a time"),
        (avro.message("X", "OfficeDataV1", {"id": 1}, idempotencyKey=""), "idempotencyKey", "is required"),
        (
            avro.message(SNAPSHOT, "LoanAccountDataV1", account(clientId=None)),
            "clientId",
            "is required: a loan of a group has no debtor of its own",
        ),
        (
            avro.message(SNAPSHOT, "LoanAccountDataV1", account(repaymentSchedule=None)),
            "repaymentSchedule",
            "is required",
        ),
        (
            avro.message(REPAID, "LoanTransactionDataV1", transaction(amount="50.255")),
            "amount",
            "has more than the 2 decimal places of INR",
        ),
        (
            avro.message(REPAID, "LoanTransactionDataV1", transaction(submittedOnDate="soon")),
            "submittedOnDate",
            "is no date",
        ),
        (
            avro.message(REPAID, "LoanTransactionDataV1", transaction(amount="-1")),
            "amount",
            "Expected `int` >= 1",
        ),
    ],
)
def test_what_cannot_be_an_event_is_refused_with_the_reason(
    fineract: Fineract, message: bytes, field: str, reason: str
) -> None:
    assert refusal(fineract, message) == (field, reason)


def test_a_message_of_another_tenant_is_none_of_ours(fineract: Fineract) -> None:
    message = avro.message(REPAID, "LoanTransactionDataV1", transaction(), tenantId="other")
    assert fineract.read(message) == [Ignored("", "is of another tenant")]


def test_a_folder_without_schemas_is_refused_and_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(SchemaFolderError, match="holds no Avro schemas"):
        Schemas([tmp_path])
    (tmp_path / "a.avsc").write_text("{")
    with pytest.raises(SchemaFolderError, match=r"a\.avsc: is no Avro schema"):
        Schemas([tmp_path])


# -- what a real Fineract wrote ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real_schemas() -> Schemas:
    return Schemas([real("fineract/avro")])


@pytest.fixture(scope="module")
def golden() -> list[dict[str, Any]]:
    return [json.loads(line) for line in real("fineract/golden_vectors.jsonl").read_text().splitlines()]


def plain(value: Any) -> Any:
    """A record as the golden vectors write it: decimals as text."""
    match value:
        case Decimal():
            return str(value)
        case Mapping():
            return {key: plain(each) for key, each in value.items()}
        case list():
            return [plain(each) for each in value]
        case _:
            return value


def test_every_golden_vector_is_decoded_as_java_wrote_it(real_schemas: Schemas, golden: list[dict[str, Any]]) -> None:
    for vector in golden:
        name, message = real_schemas.decoded(bytes.fromhex(vector["value_hex"]))
        assert name == "org.apache.fineract.avro.MessageV1"
        assert {key: value for key, value in message.items() if key != "data"} == vector["decoded_message"]
        payload_name, payload = real_schemas.decoded(message["data"])
        assert payload_name == vector["dataschema"]
        opened = [
            {**item, "data": real_schemas.decoded(item["data"]).record if isinstance(item["data"], bytes) else None}
            for item in payload.get("datas", ())
        ]
        assert plain({**payload, **({"datas": opened} if opened else {})}) == vector["decoded_payload"]
    assert len(golden) == 3


def test_of_every_golden_vector_each_event_is_read_or_refused_for_its_made_up_currency(
    real_schemas: Schemas, golden: list[dict[str, Any]]
) -> None:
    fineract = Fineract(real_schemas, CORE)
    read = [outcome for vector in golden for outcome in fineract.read(bytes.fromhex(vector["value_hex"]))]
    assert [type(outcome) for outcome in read] == [Ignored, Refused, Refused, Ignored]
    assert {outcome.field for outcome in read if isinstance(outcome, Refused)} == {"currency"}


def test_a_golden_vector_in_a_real_currency_is_an_overdue_instalment(
    real_schemas: Schemas, golden: list[dict[str, Any]]
) -> None:
    """Avro writes a text as its length and its bytes: one of the same length can be put in its place."""
    swapped = [bytes.fromhex(vector["value_hex"]).replace(b"\x08CODE", b"\x06USD") for vector in golden]
    fineract = Fineract(real_schemas, CORE)
    message = swapped[1]
    [refused] = fineract.read(message)  # its data are one byte shorter than their length says
    assert isinstance(refused, Refused)
    outer = message.index(b"\xc3\x01", 2)
    length = len(message) - outer
    before = message[:outer].removesuffix(b"\x82\x02")
    encoded = bytes([length * 2 & 0x7F | 0x80, length * 2 >> 7])
    [fact] = facts(fineract.read(before + encoded + message[outer:]))
    assert fact == LoanOverdue(
        lender_id="bank",
        loan_id="1",
        as_of=date(2022, 12, 1),
        posting_cut_off=datetime(2022, 12, 1, 10, 15, 30, 148627, tzinfo=UTC),
        currency="USD",
        instalments=(
            Instalment(number=1, due_on=date(2022, 11, 30), principal=10000, interest=3000, penalty=5000, fee=500),
        ),
        outstanding=18500,
        portfolio="retail",
        jurisdiction="IN",
    )
