"""pacs.004, the return of a payment: it names what it returns, and nothing of the loan."""

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Final
from xml.etree.ElementTree import Element

from services.intake.connectors import drafting
from services.intake.connectors.iso20022 import documents
from services.intake.connectors.iso20022.documents import text
from services.intake.connectors.iso20022.money import Collecting, amount_of, references_of, reversal
from services.intake.connectors.iso20022.postings import Postings
from services.intake.connectors.sending import Outcome, Refused
from shared.service import Rejected

MESSAGE: Final = "PmtRtr"


def read(data: bytes, collecting: Collecting, postings: Postings) -> list[Outcome]:
    """What comes of a return; each transaction by itself."""
    outcomes: list[Outcome] = []
    created, number = "", 0
    try:
        for part in documents.parts(data, MESSAGE, ("GrpHdr", "TxInf")):
            if part.tag == "GrpHdr":
                created = text(part, "CreDtTm")
                continue
            number += 1
            returned = partial(_returned, part, created, collecting, postings)
            outcomes += drafting.attempted(f"transaction {number}", returned)
    except Rejected as refusal:
        outcomes.append(Refused("", refusal.field, refusal.reason))
    return outcomes


def _returned(part: Element, created: str, collecting: Collecting, postings: Postings) -> Iterator[Outcome]:
    posting = postings.find(collecting.lender_id, references_of(part, "Orgnl"))
    yield reversal(postings, posting, amount_of(part, "RtrdIntrBkSttlmAmt"), _when(part, created, collecting))


def _when(part: Element, created: str, collecting: Collecting) -> datetime:
    """When the money went back: the day of settlement, else when the message was made."""
    settled = text(part, "IntrBkSttlmDt")
    if settled:
        return drafting.start_of(drafting.day(settled, "IntrBkSttlmDt"), collecting.zone)
    return drafting.instant(created, "CreDtTm", collecting.zone)
