"""By which of a debtor's contact points a channel reaches them: chosen by what may be read without a key."""

from collections.abc import Mapping, Sequence

from shared.contracts.core_banking import ContactKind, ContactOwner
from shared.contracts.intake import SealedContact
from shared.profiles import HeldProfile, contacts_of

KINDS: Mapping[str, Sequence[ContactKind]] = {
    "sms": (ContactKind.MOBILE, ContactKind.PHONE),
    "phone": (ContactKind.MOBILE, ContactKind.PHONE),
    "email": (ContactKind.EMAIL,),
    "letter": (ContactKind.ADDRESS,),
}
"""What reaches somebody by a channel, the best first."""


def chosen(held: HeldProfile | None, channel: str) -> SealedContact | None:
    """The debtor's own contact point: a verified one first, then the best kind, then the bank's order."""
    kinds = KINDS.get(channel, ())
    own = [each for each in contacts_of(held) if each.owner is ContactOwner.DEBTOR and each.kind in kinds]
    return min(own, key=lambda each: (not each.verified, kinds.index(each.kind)), default=None)


def counted_as(point: SealedContact | None) -> str:
    """What stands for a contact point in the ledger and in permits; "" for the one that the bank has on file."""
    return "" if point is None else point.digest or point.id
