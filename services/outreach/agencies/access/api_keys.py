"""API keys for partners who cannot sign: 256 random bits, shown once, of which we keep a prefix and a hash."""

import hashlib
import hmac
import secrets

_MARK = "fd"


def made() -> tuple[str, str]:
    """A new key, and its prefix."""
    prefix = secrets.token_hex(6)
    return f"{_MARK}_{prefix}_{secrets.token_urlsafe(32)}", prefix


def digest_of(key: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def prefix_in(key: str) -> str:
    """The prefix of what is shown, "" where it cannot be a key of ours."""
    mark, _, rest = key.partition("_")
    prefix, _, secret = rest.partition("_")
    return prefix if mark == _MARK and secret and prefix.isalnum() and prefix.isascii() else ""


def matches(key: str, digest: str) -> bool:
    """Whether a key is the one whose hash was kept."""
    return hmac.compare_digest(digest_of(key), digest)
