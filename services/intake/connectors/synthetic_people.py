"""The people of the made-up bank: names, numbers and addresses that cannot belong to anybody."""

from datetime import datetime
from typing import Final

from services.intake.connectors.synthetic_book import Dice
from shared.contracts.core_banking import ContactKind, ContactOwner, ContactPoint, ContactSource, PartyProfile

LENDER: Final = "synthetic-bank"

# Chances in ten-thousandths.
HAS_GUARANTOR, VERIFIED = 1_000, 8_000

FAMILY_NAMES: Final = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨"
GIVEN_NAMES: Final = ("安宁", "明远", "小雨", "建华", "思齐", "文静", "子轩", "秋实", "春晓", "一帆", "晨光", "若水")


def profile(dice: Dice, party: str, updated_at: datetime) -> PartyProfile:
    """A person who does not exist: the phone's prefix and the identity number's region are not in use."""
    contacts = [
        _mobile(dice, party, updated_at, ContactOwner.DEBTOR),
        ContactPoint(kind=ContactKind.EMAIL, value=f"{party.lower()}@example.com", source=ContactSource.DEBTOR),
        ContactPoint(kind=ContactKind.ADDRESS, value=f"上海市样例路{1 + dice.number(999, party, 'house')}号"),
    ]
    if dice.happens(HAS_GUARANTOR, party, "guarantor"):
        contacts.append(_mobile(dice, party, updated_at, ContactOwner.GUARANTOR))
    return PartyProfile(
        lender_id=LENDER,
        party_id=party,
        updated_at=updated_at,
        name=_name(dice, party),
        id_number=f"000000{1950 + dice.number(55, party, 'born')}0101{dice.number(10_000, party, 'identity'):04d}",
        contacts=tuple(contacts),
        time_zones=("Asia/Shanghai",),
    )


def _name(dice: Dice, party: str) -> str:
    family = FAMILY_NAMES[dice.number(len(FAMILY_NAMES), party, "family name")]
    return family + GIVEN_NAMES[dice.number(len(GIVEN_NAMES), party, "given name")]


def _mobile(dice: Dice, party: str, updated_at: datetime, owner: ContactOwner) -> ContactPoint:
    number = dice.number(10**8, party, updated_at.date(), "phone", owner)
    verified = dice.happens(VERIFIED, party, updated_at.date(), "verified", owner)
    return ContactPoint(
        kind=ContactKind.MOBILE,
        value=f"+86100{number:08d}",
        owner=owner,
        verified=verified,
        source=ContactSource.DEBTOR,
    )
