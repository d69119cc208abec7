"""Where personal data stop being readable: the bank's profiles in, sealed profiles out."""

import hashlib
import hmac
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from shared.contracts.core_banking import ContactKind, ContactPoint, DebtorUpdated, PartyProfile
from shared.contracts.ingress import Indexed, ProfileReceived
from shared.contracts.intake import SealedContact, SealedProfile
from shared.keys import FileKeys, KeyStore, LocalKms
from shared.profiles import ID_NUMBER, NAME, TABLE, column_of
from shared.vault import Vault

PHONE, IDENTITY = "phone", "id_number"
_NUMBERS = frozenset({ContactKind.PHONE, ContactKind.MOBILE})
_NUMBER_DIGITS = 10
"""A number is found with and without its country's code: by its last digits."""

_DIGEST_BYTES = 16
_INDEX_PURPOSE = b"fairdue/index/"

AnyProfile: TypeAlias = PartyProfile | DebtorUpdated


@dataclass(frozen=True, slots=True)
class BlindIndex:
    """Finds equal numbers without keeping any: HMAC-SHA-256 under a key that does nothing else."""

    key: bytes = field(repr=False)

    def digest(self, kind: str, value: str) -> str:
        """What stands for a number, however it is written; "" for a text that holds none."""
        plain = _normalised(kind, value)
        if not plain:
            return ""
        content = _INDEX_PURPOSE + kind.encode() + b"/" + plain.encode()
        return hmac.digest(self.key, content, hashlib.sha256)[:_DIGEST_BYTES].hex()


@dataclass(frozen=True, slots=True)
class Sealer:
    """All that the edge needs to let no person through: pseudonyms, data keys, and the blind index."""

    vault: Vault
    keys: KeyStore
    index: BlindIndex

    @classmethod
    def for_trying(cls, vault: Vault) -> "Sealer":
        """One that seals under keys which are kept nowhere, to see whether an event would be taken."""
        return cls(vault, FileKeys(LocalKms(bytes(32))), BlindIndex(bytes(32)))

    def pseudonym(self, lender_id: str, party_id: str) -> str:
        """The debtor who a lender's party is."""
        return self.vault.pseudonym(lender_id, party_id)

    def is_forgotten(self, debtor_id: str, updated_at: datetime) -> bool:
        """Whether the debtor was erased after the bank last knew them so: then nothing may be sealed anew."""
        forgotten_at = self.keys.forgotten_at(debtor_id)
        return forgotten_at is not None and updated_at <= forgotten_at

    def profile(self, said: AnyProfile, debtor_id: str) -> ProfileReceived:
        """The profile with every personal field sealed for its own place."""
        key = self.keys.sealing(debtor_id)

        def sealed(column: str, text: str) -> bytes:
            return key.vault.seal(text.encode(), table=TABLE, column=column, owner=debtor_id) if text else b""

        contacts = {_id(key.vault, point): point for point in _contacts(said)}
        profile = SealedProfile(
            key_id=key.key_id,
            updated_at=said.updated_at,
            language=said.language,
            time_zones=said.time_zones if isinstance(said, PartyProfile) else (),
            name=sealed(NAME, said.name),
            id_number=sealed(ID_NUMBER, said.id_number),
            contacts=tuple(
                _sealed(name, each, sealed(column_of(name), each.value), self._point(each))
                for name, each in contacts.items()
            ),
        )
        return ProfileReceived(profile=profile, index=self._indexed(said, contacts.values()))

    def _point(self, point: ContactPoint) -> str:
        """What stands for a contact point, so that contacts with it can be counted by who may not read it."""
        return self.index.digest(PHONE if point.kind in _NUMBERS else point.kind, point.value)

    def _indexed(self, said: AnyProfile, contacts: Iterable[ContactPoint]) -> tuple[Indexed, ...]:
        numbers = [(PHONE, each.value) for each in contacts if each.kind in _NUMBERS]
        found = {(kind, self.index.digest(kind, value)) for kind, value in (*numbers, (IDENTITY, said.id_number))}
        return tuple(Indexed(kind=kind, digest=digest) for kind, digest in sorted(found) if digest)


def _contacts(said: AnyProfile) -> tuple[ContactPoint, ...]:
    if isinstance(said, PartyProfile):
        return said.contacts
    given = ((ContactKind.PHONE, said.phones), (ContactKind.EMAIL, said.emails), (ContactKind.ADDRESS, said.addresses))
    return tuple(ContactPoint(kind=kind, value=value) for kind, values in given for value in values if value)


def _id(vault: Vault, point: ContactPoint) -> str:
    """The same for the same contact point in each profile of a debtor; it tells nothing once the key is gone."""
    return vault.pseudonym(f"{point.owner}/{point.kind}", point.value)


def _sealed(name: str, point: ContactPoint, value: bytes, digest: str) -> SealedContact:
    return SealedContact(
        id=name,
        kind=point.kind,
        owner=point.owner,
        verified=point.verified,
        source=point.source,
        value=value,
        digest=digest,
    )


def _normalised(kind: str, value: str) -> str:
    plain = unicodedata.normalize("NFKC", value)
    if kind == PHONE:
        return "".join(each for each in plain if each.isdecimal())[-_NUMBER_DIGITS:]
    return "".join(each for each in plain if each.isalnum()).upper()
