"""How personal data is stored: sealed, so that the same plain text in the same place always gives the same bytes.

docs/decisions/0020-sealed-fields-are-deterministic.md says why, and what lost.
"""

import hashlib
import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
_FORMAT = b"\x01"
_NONCE_BYTES = 12
_PSEUDONYM_BYTES = 16


class SealBroken(Exception):  # noqa: N818  # the name is what the reader must know: do not trust these bytes
    """The sealed bytes were changed, belong to another place or owner, or were sealed under another key."""


class Vault:
    """Seals and opens personal fields under one key, and derives the pseudonyms that stand for people elsewhere."""

    def __init__(self, key: bytes) -> None:
        """Derive one key per purpose. `key`: 32 random bytes. Raises ValueError."""
        if len(key) != KEY_BYTES:
            message = f"the personal data key has {len(key)} bytes instead of {KEY_BYTES}"
            raise ValueError(message)
        self._cipher = AESGCM(_subkey(key, b"fairdue/seal"))
        self._nonce_key = _subkey(key, b"fairdue/nonce")
        self._pseudonym_key = _subkey(key, b"fairdue/pseudonym")

    def seal(self, plain: bytes, *, table: str, column: str, owner: str) -> bytes:
        """Encrypt a field for one place and owner; the result is 29 bytes longer than the plain text."""
        place = _place(table, column, owner)
        nonce = hmac.digest(self._nonce_key, place + plain, hashlib.sha256)[:_NONCE_BYTES]
        return _FORMAT + nonce + self._cipher.encrypt(nonce, plain, place)

    def open(self, sealed: bytes, *, table: str, column: str, owner: str) -> bytes:
        """Decrypt a field that was sealed for exactly this place and owner. Raises SealBroken."""
        version, nonce, secret = sealed[:1], sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        if version != _FORMAT or len(nonce) != _NONCE_BYTES:
            message = f"{table}.{column}: these bytes were not sealed by a vault"
            raise SealBroken(message)
        try:
            return self._cipher.decrypt(nonce, secret, _place(table, column, owner))
        except InvalidTag:
            message = f"{table}.{column}: the seal does not fit the key, the place or the owner"
            raise SealBroken(message) from None

    def pseudonym(self, lender_id: str, party_id: str) -> str:
        """Name a lender's party without naming it: 32 hex characters, the debtor_id."""
        digest = hmac.digest(self._pseudonym_key, _joined(lender_id, party_id), hashlib.sha256)
        return digest[:_PSEUDONYM_BYTES].hex()


def _subkey(key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose).derive(key)


def _place(table: str, column: str, owner: str) -> bytes:
    return _FORMAT + _joined(table, column, owner)


def _joined(*parts: str) -> bytes:
    """Join with lengths, so that ("ab", "c") and ("a", "bc") differ."""
    encoded = [part.encode() for part in parts]
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)
