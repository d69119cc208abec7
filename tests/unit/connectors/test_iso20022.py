"""Notices of credit become payments, returns take them back, and a document that is bad is refused where it is bad."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.intake.connectors.iso20022 import camt054, pacs004
from services.intake.connectors.iso20022.documents import LONGEST_TEXT, MAX_DEPTH, MAX_ELEMENTS, MAX_JSON
from services.intake.connectors.iso20022.money import Collecting
from services.intake.connectors.iso20022.postings import Postings
from services.intake.connectors.sending import Ignored, Outcome, Refused, Sent
from shared.contracts.core_banking import PaymentPosted, PaymentReversed
from tests.real_data import real

ZONE = ZoneInfo("Europe/Helsinki")
COLLECTING = Collecting("bank", ZONE)


@pytest.fixture
def postings() -> Iterator[Postings]:
    with Postings() as postings:
        yield postings


def transaction(
    references: str = "<TxId>tx-1</TxId>", amount: str = "88.16", loan: str = "L-1", currency: str = "EUR"
) -> str:
    money = f'<Amt Ccy="{currency}">{amount}</Amt>' if amount else ""
    return f"<TxDtls><Refs>{references}</Refs>{money}<RmtInf><Ustrd>{loan}</Ustrd></RmtInf></TxDtls>"


def entry(*transactions: str, indicator: str = "CRDT", day: str = "<Dt>2031-05-06</Dt>", more: str = "") -> str:
    return (
        f'<Ntry><NtryRef>entry-1</NtryRef><Amt Ccy="EUR">88.16</Amt><CdtDbtInd>{indicator}</CdtDbtInd>{more}'
        f"<BookgDt>{day}</BookgDt><NtryDtls>{''.join(transactions)}</NtryDtls></Ntry>"
    )


def camt(*entries: str) -> bytes:
    name = "urn:iso:std:iso:20022:tech:xsd:camt.054.001.08"
    body = f"<Ntfctn><Id>n</Id>{''.join(entries)}</Ntfctn>"
    message = f"<{camt054.MESSAGE}>{body}</{camt054.MESSAGE}>"
    return f'<?xml version="1.0"?><Document xmlns="{name}">{message}</Document>'.encode()


def pacs(*transactions: str, created: str = "2031-05-09T10:30:00+00:00") -> bytes:
    head = f"<GrpHdr><MsgId>m</MsgId><CreDtTm>{created}</CreDtTm></GrpHdr>"
    return f"<Document><PmtRtr>{head}{''.join(transactions)}</PmtRtr></Document>".encode()


def returned(reference: str = "<OrgnlTxId>tx-1</OrgnlTxId>", amount: str = "88.16", more: str = "") -> str:
    return f'<TxInf>{reference}<RtrdIntrBkSttlmAmt Ccy="EUR">{amount}</RtrdIntrBkSttlmAmt>{more}</TxInf>'


def only(outcomes: list[Outcome]) -> Any:
    [found] = outcomes
    return found.fact if isinstance(found, Sent) else found


def test_a_credit_is_a_payment_to_the_loan_that_its_remittance_names(postings: Postings) -> None:
    [sent] = camt054.read(camt(entry(transaction())), COLLECTING, postings)
    posted_at = datetime(2031, 5, 6, tzinfo=ZONE)
    payment = PaymentPosted(
        lender_id="bank", loan_id="L-1", payment_id="entry-1", amount=8816, currency="EUR", posted_at=posted_at
    )
    assert sent == Sent("entry-1/posted", posted_at, payment)


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("88.16", "EUR", 8816),
        ("88", "EUR", 8800),
        ("88.1600000", "EUR", 8816),
        ("5000", "JPY", 5000),
        ("1.234", "KWD", 1234),
        ("1.2345", "CLF", 12345),
        ("0.29", "USD", 29),
        ("9007199254740.93", "USD", 900719925474093),
    ],
)
def test_an_amount_is_exact_in_minor_units_of_its_currency(
    postings: Postings, amount: str, currency: str, minor: int
) -> None:
    posted = only(camt054.read(camt(entry(transaction(amount=amount, currency=currency))), COLLECTING, postings))
    assert (posted.amount, posted.currency) == (minor, currency)


@pytest.mark.parametrize(
    ("amount", "currency", "field", "reason"),
    [
        ("88.165", "EUR", "Amt", "has more than the 2 decimal places of EUR"),
        ("5000.5", "JPY", "Amt", "has more than the 0 decimal places of JPY"),
        ("1.00", "EUX", "currency", "is no currency of ISO 4217"),
        ("1.00", "", "currency", "is no currency of ISO 4217"),
        ("1e3", "EUR", "Amt", "is no decimal number"),
        ("1,00", "EUR", "Amt", "is no decimal number"),
        ("1_0", "EUR", "Amt", "is no decimal number"),
        ("\u0661", "EUR", "Amt", "is no decimal number"),
        ("NaN", "EUR", "Amt", "is no decimal number"),
        (" ", "EUR", "Amt", "is no decimal number"),
        ("9" * 20, "EUR", "Amt", "is too large"),
        ("0.00", "EUR", "amount", "Expected `int` >= 1"),
        ("0.0000000000000000000000000000000000001", "EUR", "Amt", "has more than the 2 decimal places of EUR"),
    ],
)
def test_an_amount_that_is_none_is_refused(
    postings: Postings, amount: str, currency: str, field: str, reason: str
) -> None:
    data = camt(entry(transaction(amount=amount, currency=currency)))
    refused = camt054.read(data, COLLECTING, postings)
    assert refused == [Refused("entry 1, transaction 1", field, reason)]


def test_the_entrys_amount_is_that_of_its_only_transaction_and_of_no_other(postings: Postings) -> None:
    assert only(camt054.read(camt(entry(transaction(amount=""))), COLLECTING, postings)).amount == 8816
    two = camt054.read(camt(entry(transaction(amount=""), transaction(amount="1"))), COLLECTING, postings)
    assert isinstance(two[0], Refused)
    assert (two[0].field, two[0].reason) == ("Amt", "is required")


def test_transactions_of_one_entry_are_payments_of_their_own(postings: Postings) -> None:
    data = camt(entry(transaction(amount="1"), transaction(amount="bad"), transaction(amount="3")))
    first, second, third = camt054.read(data, COLLECTING, postings)
    assert isinstance(first, Sent)
    assert second == Refused("entry 1, transaction 2", "Amt", "is no decimal number")
    assert isinstance(third, Sent)
    assert [first.event_id, third.event_id] == ["entry-1/1/posted", "entry-1/3/posted"]


def test_a_booking_with_its_time_counts_from_then(postings: Postings) -> None:
    data = camt(entry(transaction(), day="<DtTm>2031-05-06T10:00:00Z</DtTm>"))
    assert only(camt054.read(data, COLLECTING, postings)).posted_at == datetime(2031, 5, 6, 10, tzinfo=UTC)


def test_a_loan_is_found_in_a_longer_text_by_the_banks_own_pattern(postings: Postings) -> None:
    collecting = Collecting("bank", ZONE, re.compile(r"LOAN (\d+)"))
    data = camt(entry(transaction(loan="rate for LOAN 4711 thanks")))
    assert only(camt054.read(data, collecting, postings)).loan_id == "4711"
    two = camt(entry(transaction(loan="LOAN 1</Ustrd><Ustrd>LOAN 2")))
    assert only(camt054.read(two, collecting, postings)).reason == "names more than one loan"


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (entry(transaction(), more="<Sts><Cd>PDNG</Cd></Sts>"), "is not booked yet"),
        (entry(transaction(), more="<Sts>PDNG</Sts>"), "is not booked yet"),
        (entry(transaction(), indicator="DBIT"), "is no payment of a debtor's"),
        (entry(transaction(), more="<RvslInd>true</RvslInd>"), "is no payment of a debtor's"),
    ],
)
def test_what_is_no_payment_is_ignored(postings: Postings, part: str, reason: str) -> None:
    [ignored] = camt054.read(camt(part), COLLECTING, postings)
    assert isinstance(ignored, Ignored)
    assert ignored.reason == reason


def test_an_entry_without_transactions_is_refused_and_the_next_is_read(postings: Postings) -> None:
    refused, sent = camt054.read(camt(entry(), entry(transaction())), COLLECTING, postings)
    assert refused == Refused("entry 1", "TxDtls", "is required: without it nobody knows which loan was paid")
    assert isinstance(sent, Sent)


# -- taken back ----------------------------------------------------------------------------------------------------


def test_a_return_takes_back_the_payment_that_it_names(postings: Postings) -> None:
    posted = only(camt054.read(camt(entry(transaction())), COLLECTING, postings))
    [sent] = pacs004.read(pacs(returned()), COLLECTING, postings)
    at = datetime(2031, 5, 9, 10, 30, tzinfo=UTC)
    reversal = PaymentReversed(
        lender_id="bank",
        loan_id="L-1",
        payment_id=posted.payment_id,
        amount=8816,
        currency="EUR",
        posted_at=posted.posted_at,
        reversed_at=at,
    )
    assert sent == Sent("entry-1/reversed", at, reversal)


def test_a_reversal_on_the_account_is_the_same_as_the_return_between_the_banks(postings: Postings) -> None:
    camt054.read(camt(entry(transaction())), COLLECTING, postings)
    by_bank = pacs004.read(pacs(returned()), COLLECTING, postings)
    debit = entry(transaction(), indicator="DBIT", day="<Dt>2031-05-12</Dt>", more="<RvslInd>true</RvslInd>")
    assert camt054.read(camt(debit), COLLECTING, postings) == by_bank


@pytest.mark.parametrize(
    ("part", "field", "reason"),
    [
        (returned("<OrgnlTxId>tx-2</OrgnlTxId>"), "", "takes back a payment that is not known here"),
        (returned("<OrgnlEndToEndId>NOTPROVIDED</OrgnlEndToEndId>"), "", "takes back a payment that is not known here"),
        (returned(amount="88.15"), "Amt", "takes back another amount than was booked"),
        (returned(more="<IntrBkSttlmDt>today</IntrBkSttlmDt>"), "IntrBkSttlmDt", "is no date"),
        ("<TxInf><OrgnlTxId>tx-1</OrgnlTxId></TxInf>", "RtrdIntrBkSttlmAmt", "is required"),
    ],
)
def test_a_return_that_fits_no_payment_is_refused(postings: Postings, part: str, field: str, reason: str) -> None:
    camt054.read(
        camt(entry(transaction("<TxId>tx-1</TxId><EndToEndId>NOTPROVIDED</EndToEndId>"))), COLLECTING, postings
    )
    assert pacs004.read(pacs(part), COLLECTING, postings) == [Refused("transaction 1", field, reason)]


def test_a_reference_that_two_payments_share_names_neither(postings: Postings) -> None:
    same = "<EndToEndId>rent</EndToEndId>"
    data = camt(entry(transaction(same, amount="1"), transaction(same, amount="1")))
    camt054.read(data, COLLECTING, postings)
    refused = pacs004.read(pacs(returned("<OrgnlEndToEndId>rent</OrgnlEndToEndId>", "1")), COLLECTING, postings)
    assert refused == [Refused("transaction 1", "EndToEndId", "is the reference of more than one payment")]


def test_payments_are_still_known_when_the_file_is_opened_again(tmp_path: Path) -> None:
    with Postings(tmp_path / "postings") as postings:
        camt054.read(camt(entry(transaction())), COLLECTING, postings)
    with Postings(tmp_path / "postings") as postings:
        assert isinstance(only(pacs004.read(pacs(returned()), COLLECTING, postings)), PaymentReversed)
        other = pacs004.read(pacs(returned()), Collecting("other"), postings)
        assert only(other).reason == "takes back a payment that is not known here"


# -- documents that are bad ----------------------------------------------------------------------------------------

BOMB = b'<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><Document>&b;</Document>'
DECLARED = "declares a document type or entities, which are not read"
TOO_MUCH = "is larger or deeper than any real message"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (BOMB, DECLARED),
        (b'<!DOCTYPE d SYSTEM "http://127.0.0.1/x"><Document/>', DECLARED),
        (b'<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]><Document>&x;</Document>', DECLARED),
        (b"", "is not XML (line 1, column 1)"),
        (b"<Document>", "is not XML (line 1, column 11)"),
        (b'<?xml version="1.0" encoding="nonsense"?><a/>', "is in an encoding that is not read"),
        (b"<Document><Other/></Document>", f"holds no {camt054.MESSAGE}"),
        (camt("<a>" * MAX_DEPTH + "</a>" * MAX_DEPTH), TOO_MUCH),
        (camt("<a/>" * (MAX_ELEMENTS + 1)), TOO_MUCH),
        (camt(entry("<a/>" * (MAX_ELEMENTS + 1))), TOO_MUCH),
        (camt("9" * 2 * LONGEST_TEXT), "holds a text that is longer than any real one"),
        (b'{"a":' + b"[" * 5_000, "the JSON is nested too deeply"),
        (b'{"Document":{}}', f"holds no {camt054.MESSAGE}"),
        (b"{" + b" " * MAX_JSON, f"is larger than {MAX_JSON} bytes"),
    ],
)
def test_a_document_that_is_none_is_refused_whole(postings: Postings, data: bytes, reason: str) -> None:
    [refused] = camt054.read(data, COLLECTING, postings)
    assert isinstance(refused, Refused)
    assert refused.reason == reason


def test_a_document_that_breaks_off_has_told_what_stood_before_the_break(postings: Postings) -> None:
    whole = camt(entry(transaction()), entry(transaction(loan="L-2")))
    first, broken = camt054.read(whole[:-80], COLLECTING, postings)
    assert isinstance(first, Sent)
    assert isinstance(broken, Refused)
    assert broken.reason.startswith("is not XML (line 1, column ")


# -- what a real bank sent -----------------------------------------------------------------------------------------


def as_xml(name: str, value: Any) -> str:
    """The sample is XML written as JSON."""
    if isinstance(value, list):
        return "".join(as_xml(name, each) for each in value)
    inner = value if isinstance(value, dict) else {"@": value}
    attributes = "".join(f' {key[1:]}="{each}"' for key, each in inner.items() if key.startswith("@") and key != "@")
    children = "".join(as_xml(key, each) for key, each in inner.items() if not key.startswith("@"))
    return f"<{name}{attributes}>{inner.get('@', '')}{children}</{name}>"


@pytest.mark.parametrize("form", ["json", "xml"])
def test_a_real_notice_is_read_in_both_forms(postings: Postings, form: str) -> None:
    data = real("formats/camt054_sample.json").read_bytes()
    if form == "xml":
        data = as_xml("Document", json.loads(data)).encode()
    read = camt054.read(data, COLLECTING, postings)
    payments = [each.fact for each in read if isinstance(each, Sent) and isinstance(each.fact, PaymentPosted)]
    assert [(each.loan_id, each.amount, each.currency) for each in payments] == [
        ("9597349", 8816, "EUR"),
        ("9544208", 74245, "EUR"),
    ]
    assert [each for each in read if isinstance(each, Refused)] == [
        Refused("entry 3, transaction 1", "RmtInf", "names no loan"),
        Refused("entry 4, transaction 1", "RmtInf", "names no loan"),
    ]


def test_a_real_return_is_refused_until_its_payment_is_known(postings: Postings) -> None:
    data = real("formats/iso20022_pacs004_return_sample.xml").read_bytes()
    unknown = "takes back a payment that is not known here"
    assert pacs004.read(data, COLLECTING, postings) == [Refused("transaction 1", "", unknown)]
    camt054.read(camt(entry(transaction("<EndToEndId>ORIG-E2E-001</EndToEndId>", "5000.00"))), COLLECTING, postings)
    reversal = only(pacs004.read(data, COLLECTING, postings))
    assert isinstance(reversal, PaymentReversed)
    assert reversal.reversed_at == datetime(2025, 1, 15, 10, 30, tzinfo=UTC)
