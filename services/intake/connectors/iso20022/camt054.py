"""camt.054, the bank's notice of debits and credits on the account that debtors pay to."""

from collections.abc import Iterator
from functools import partial
from typing import Final, NamedTuple
from xml.etree.ElementTree import Element

from services.intake.connectors import drafting
from services.intake.connectors.iso20022 import documents
from services.intake.connectors.iso20022.documents import text
from services.intake.connectors.iso20022.money import (
    Collecting,
    amount_of,
    identifier,
    moment,
    references_of,
    reversal,
)
from services.intake.connectors.iso20022.postings import Postings
from services.intake.connectors.sending import Ignored, Outcome, Refused
from shared.contracts.core_banking import PaymentPosted
from shared.service import Rejected

MESSAGE: Final = "BkToCstmrDbtCdtNtfctn"
_AMOUNTS: Final = ("Amt", "AmtDtls/TxAmt/Amt")
_REMITTANCE: Final = ("RmtInf/Strd/CdtrRefInf/Ref", "RmtInf/Ustrd", "Refs/EndToEndId")
"""Where a debtor's bank puts what the debtor wrote, the strictest form first."""


class _Booking(NamedTuple):
    """One transaction of an entry."""

    entry: Element
    details: Element
    place: str
    alone: bool


def read(data: bytes, collecting: Collecting, postings: Postings) -> list[Outcome]:
    """What comes of a notice; a part that cannot be read takes no other with it."""
    outcomes: list[Outcome] = []
    try:
        for number, entry in enumerate(documents.parts(data, MESSAGE, ("Ntry",)), 1):
            outcomes += _entry(entry, f"entry {number}", collecting, postings)
    except Rejected as refusal:
        outcomes.append(Refused("", refusal.field, refusal.reason))
    return outcomes


def _entry(entry: Element, place: str, collecting: Collecting, postings: Postings) -> Iterator[Outcome]:
    if text(entry, "Sts/Cd", "Sts") not in {"BOOK", ""}:
        yield Ignored(place, "is not booked yet")
        return
    details = entry.findall("NtryDtls/TxDtls")
    if not details:
        yield Refused(place, "TxDtls", "is required: without it nobody knows which loan was paid")
    for number, each in enumerate(details, 1):
        booking = _Booking(entry, each, f"{place}, transaction {number}", len(details) == 1)
        yield from drafting.attempted(booking.place, partial(_booking, booking, collecting, postings))


def _booking(booking: _Booking, collecting: Collecting, postings: Postings) -> Iterator[Outcome]:
    entry, details = booking.entry, booking.details
    is_credit = text(details, "CdtDbtInd") or text(entry, "CdtDbtInd")
    taken_back = text(entry, "RvslInd") in {"true", "1"} or details.find("RtrInf") is not None
    if is_credit == "CRDT" and not taken_back:
        yield _credit(booking, collecting, postings)
    elif is_credit == "DBIT" and taken_back:
        posting = postings.find(collecting.lender_id, references_of(details, "Refs/"))
        yield reversal(postings, posting, _amount(booking), moment(entry, "BookgDt", collecting.zone))
    elif is_credit in {"CRDT", "DBIT"}:
        yield Ignored(booking.place, "is no payment of a debtor's")
    else:
        raise Rejected("is neither CRDT nor DBIT", field="CdtDbtInd")


def _credit(booking: _Booking, collecting: Collecting, postings: Postings) -> Outcome:
    amount, currency = _amount(booking)
    posted_at = moment(booking.entry, "BookgDt", collecting.zone)
    references = references_of(booking.details, "Refs/")
    posting = PaymentPosted(
        lender_id=collecting.lender_id,
        loan_id=_loan(booking.details, collecting),
        payment_id=_payment_id(booking, references),
        amount=amount,
        currency=currency,
        posted_at=posted_at,
    )
    sent = drafting.sent(f"{posting.payment_id}/posted", posted_at, posting)
    postings.remember(posting, references)
    return sent


def _amount(booking: _Booking) -> tuple[int, str]:
    """The transaction's own amount; that of the entry where it is the only one."""
    if booking.alone and not any(booking.details.find(path) is not None for path in _AMOUNTS):
        return amount_of(booking.entry, "Amt")
    return amount_of(booking.details, *_AMOUNTS)


def _loan(details: Element, collecting: Collecting) -> str:
    for path in _REMITTANCE:
        found = collecting.loans_in((each.text or "").strip() for each in details.findall(path))
        if len(found) > 1:
            raise Rejected("names more than one loan", field="RmtInf")
        if found:
            return found.pop()
    raise Rejected("names no loan", field="RmtInf")


def _payment_id(booking: _Booking, references: list[str]) -> str:
    """By what the account's servicer knows the booking, else by what the payer's bank knows the payment."""
    own = text(booking.details, "Refs/AcctSvcrRef")
    of_entry = text(booking.entry, "AcctSvcrRef", "NtryRef")
    if own:
        return identifier(own)
    if of_entry:
        return identifier(of_entry if booking.alone else f"{of_entry}/{booking.place.rpartition(' ')[2]}")
    if references:
        return identifier(references[0])
    raise Rejected("is required: without a reference a payment could be counted twice", field="AcctSvcrRef")
