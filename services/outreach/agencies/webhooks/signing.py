"""Standard Webhooks: how a secret is made, shown and sealed, and how it signs what is sent."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime

from shared.vault import Vault

PREFIX = "whsec_"
SECRET_BYTES = 32


def fresh_secret() -> bytes:
    """A new secret."""
    return secrets.token_bytes(SECRET_BYTES)


def shown(secret: bytes) -> str:
    """A secret as its owner is given it, once."""
    return PREFIX + base64.b64encode(secret).decode()


def sealed(vault: Vault, agency_id: str, secret: bytes) -> bytes:
    """A secret as it is kept and told."""
    return vault.seal(secret, table="webhook_endpoint", column="secret", owner=agency_id)


def opened(vault: Vault, agency_id: str, kept: bytes) -> bytes:
    """A secret to sign by. Raises SealBroken."""
    return vault.open(kept, table="webhook_endpoint", column="secret", owner=agency_id)


def headers_of(keys: Iterable[bytes], delivery_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """What says whose a call is: the same id for every attempt, and a signature by each secret, the newest first."""
    timestamp = str(int(at.timestamp()))
    signed = b".".join((delivery_id.encode(), timestamp.encode(), body))
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_signature(key, signed) for key in keys),
    }


def _signature(key: bytes, signed: bytes) -> str:
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
