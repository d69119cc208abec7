"""What camt.054 and pacs.004 have in common: amounts, references, and the reversal of a booked payment."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final
from xml.etree.ElementTree import Element

from services.intake.connectors import drafting
from services.intake.connectors.iso20022.documents import text
from services.intake.connectors.iso20022.postings import Postings
from services.intake.connectors.money import minor_units
from services.intake.connectors.sending import Sent
from shared.contracts.core_banking import PaymentPosted
from shared.service import Rejected

IDENTIFIER: Final = re.compile(r"[A-Za-z0-9._:/@+\-]{1,128}", re.ASCII)
ANY_LOAN: Final = re.compile(rf"^{IDENTIFIER.pattern}$", re.ASCII)
"""Where a bank says nothing else, a text that is nothing but an id is a loan's."""

LONGEST_TEXT: Final = 1_000
NOT_PROVIDED: Final = "NOTPROVIDED"
REFERENCES: Final = ("UETR", "TxId", "InstrId", "EndToEndId", "AcctSvcrRef")
"""By what a payment is named, the surest first."""


@dataclass(frozen=True, slots=True)
class Collecting:
    """Whose money it is: the lender, the zone of its booking days, and how a remittance text names a loan.

    loan: looked for in the text; where it has a group, the group is the loan.
    """

    lender_id: str
    zone: tzinfo = UTC
    loan: re.Pattern[str] = ANY_LOAN

    def loans_in(self, written: Iterable[str]) -> set[str]:
        """The loans that some texts name."""
        found = (self.loan.search(each) for each in written if len(each) <= LONGEST_TEXT)
        return {match[match.re.groups and 1] for match in found if match}


def amount_of(part: Element, *paths: str) -> tuple[int, str]:
    """An amount in minor units and its currency, from the first path that is there. Raises Rejected."""
    for path in paths:
        found = part.find(path)
        if found is not None:
            field = path.rpartition("/")[2]
            currency = found.get("Ccy", "")
            return minor_units((found.text or "").strip(), currency, field), currency
    raise Rejected("is required", field=paths[0].rpartition("/")[2])


def references_of(part: Element, prefix: str = "") -> list[str]:
    """The references that a part gives, as `UETR:…`, those of nothing left out."""
    given = ((name, text(part, f"{prefix}{name}")) for name in REFERENCES)
    return [f"{name}:{value}" for name, value in given if value and value.upper() != NOT_PROVIDED]


def identifier(value: str) -> str:
    """A text as an id of ours: itself where it may be one, else a digest of it."""
    if IDENTIFIER.fullmatch(value):
        return value
    return f"sha256:{hashlib.sha256(value.encode(errors='surrogatepass')).hexdigest()[:32]}"


def moment(part: Element, path: str, zone: tzinfo) -> datetime:
    """A booking date, or the date and time where the bank says it. Raises Rejected."""
    exact = text(part, f"{path}/DtTm")
    if exact:
        return drafting.instant(exact, path, zone)
    return drafting.start_of(drafting.day(text(part, f"{path}/Dt"), path), zone)


def reversal(postings: Postings, posting: PaymentPosted, amount: tuple[int, str], at: datetime) -> Sent:
    """A payment that was taken back, all of it. Raises Rejected."""
    if amount != (posting.amount, posting.currency):
        raise Rejected("takes back another amount than was booked", field="Amt")
    reversed_at = postings.taken_back(posting, at)
    fact = drafting.taken_back(posting, reversed_at)
    return drafting.sent(f"{posting.payment_id}/reversed", reversed_at, fact)
