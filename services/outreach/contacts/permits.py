"""Permits as documents: what a gateway or an agency is shown, and how it tells a real one.

A permit is signed with Ed25519 over its canonical JSON, `base64url(document).base64url(signature)`; whoever checks it
needs the public key alone.
"""

import base64
import binascii
import hashlib
import hmac
from datetime import datetime

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


class Permit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Leave to make one contact, once, before it expires.

    party: whom it is with. contact_point: by which way, as the profile names it, where that was said; point: what
    stands for it under the index key, "" where none is bound. held_by: who may use it; nobody else may.
    """

    permit_id: str
    debtor_id: str
    channel: str
    purpose: str
    key: str
    pack: str
    pack_version: str
    permitted_at: datetime
    expires_at: datetime
    party: str = "debtor"
    contact_point: str = ""
    held_by: str = "outreach"
    point: str = ""


class NoPermitError(Exception):
    """These bytes are no permit of ours."""


_encoder = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder(Permit)


class Signer:
    """Signs permits; the key follows from the installation's secret."""

    def __init__(self, secret: bytes) -> None:
        """Derive a key of its own. `secret`: 32 random bytes."""
        self._key = Ed25519PrivateKey.from_private_bytes(hmac.digest(secret, b"fairdue/permits", hashlib.sha256))

    @property
    def public_key(self) -> bytes:
        """The 32 bytes that permits are checked with."""
        return self._key.public_key().public_bytes_raw()

    def signed(self, permit: Permit) -> str:
        """The permit as it is shown."""
        document = _encoder.encode(permit)
        return f"{_text(document)}.{_text(self._key.sign(document))}"


def opened(shown: str, public_key: bytes) -> Permit:
    """The permit that was shown. Raises NoPermitError."""
    try:
        document, signature = (base64.urlsafe_b64decode(part) for part in shown.split("."))
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, document)
        return _decoder.decode(document)
    except (ValueError, binascii.Error, InvalidSignature, msgspec.DecodeError):
        raise NoPermitError from None


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode()
