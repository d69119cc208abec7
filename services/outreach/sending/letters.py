"""Letters that were written: kept as they were handed over, sealed under the debtor's key."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime

from shared.keys import KeyStore
from shared.vault import Vault

TABLE = "letter"


@dataclass(frozen=True, slots=True)
class KeptLetter:
    """A letter, as it is kept for ever; `sha256` is of the file as it was printed."""

    debtor_id: str
    contact_id: str
    template: str
    template_version: int
    language: str
    sha256: str
    key_id: str
    sealed: bytes = field(repr=False)
    written_at: datetime


def sealed(
    pdf: bytes, vault: Vault, key_id: str, of: tuple[str, str], template: tuple[str, int, str], at: datetime
) -> KeptLetter:
    """A letter to be kept: `of` a debtor and a contact; `template` is its name, version and language."""
    debtor_id, contact_id = of
    content = vault.seal(pdf, table=TABLE, column=_column(contact_id), owner=debtor_id)
    return KeptLetter(debtor_id, contact_id, *template, hashlib.sha256(pdf).hexdigest(), key_id, content, at)


def opened(letter: KeptLetter, keys: KeyStore) -> bytes:
    """The file as it was printed. Raises KeyForgottenError, KeysUnavailableError, SealBroken."""
    vault = keys.opening(letter.debtor_id, letter.key_id)
    return vault.open(letter.sealed, table=TABLE, column=_column(letter.contact_id), owner=letter.debtor_id)


def _column(contact_id: str) -> str:
    return f"pdf/{contact_id}"
