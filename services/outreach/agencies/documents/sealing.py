"""Contents of documents, as they lie: sealed under the debtor's key, for one placement, and named by what they hold.

To seal the same content for the same placement again gives the same bytes (ADR 20), so their hash names it: whoever has
the hash learns nothing of a short content by guessing, as they would from one of the content itself.
"""

import hashlib
from dataclasses import dataclass, field

from shared.contracts.envelope import derived_id
from shared.keys import KeyStore
from shared.vault import SealBroken

TABLE = "placement_document_content"


@dataclass(frozen=True, slots=True)
class SealedContent:
    """A content that nobody reads without the debtor's key. after_erasure: the debtor had another key once."""

    document_id: str
    sha256: str
    key_id: str
    after_erasure: bool
    sealed: bytes = field(repr=False)


def sealed(content: bytes, keys: KeyStore, debtor_id: str, placement_id: str) -> SealedContent:
    """Seal a content. Raises KeysUnavailableError."""
    key = keys.sealing(debtor_id)
    hidden = key.vault.seal(content, table=TABLE, column=_column(placement_id), owner=debtor_id)
    sha256 = hashlib.sha256(hidden).hexdigest()
    # Asked after the key was given: whoever is erased in between is seen to be.
    after_erasure = keys.forgotten_at(debtor_id) is not None
    return SealedContent(derived_id(placement_id, sha256), sha256, key.key_id, after_erasure, hidden)


def opened(content: SealedContent, keys: KeyStore, debtor_id: str, placement_id: str) -> bytes:
    """The content as it was filed. Raises KeyForgottenError, KeysUnavailableError, SealBroken."""
    if hashlib.sha256(content.sealed).hexdigest() != content.sha256:
        raise SealBroken(f"{TABLE}: these bytes are not those that were filed")
    vault = keys.opening(debtor_id, content.key_id)
    return vault.open(content.sealed, table=TABLE, column=_column(placement_id), owner=debtor_id)


def _column(placement_id: str) -> str:
    return f"content/{placement_id}"
