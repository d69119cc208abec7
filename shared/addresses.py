"""What an address of a part looks like."""

import ipaddress
from urllib.parse import parse_qs, urlsplit

ENCRYPTED = frozenset({"require", "verify-ca", "verify-full"})
"""The values of `sslmode` with which nothing is ever said in the open; the driver's own default falls back to that."""


def is_host_and_port(server: str) -> bool:
    """Whether this is `host:port` and nothing else."""
    parts = urlsplit(f"//{server}")
    try:
        return bool(parts.hostname and parts.port) and not (parts.path or parts.query or parts.username)
    except ValueError:
        return False


def is_postgres(url: str) -> bool:
    """Whether this is the address of a database on a PostgreSQL server."""
    try:
        parts = urlsplit(url)
        return parts.scheme in {"postgresql", "postgres"} and len(parts.path) > 1 and parts.port != 0
    except ValueError:
        return False


def is_plain_address(url: str) -> bool:
    """Whether it is an address of the web with nothing but a host, a port and a path."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    extra = parts.username or parts.password or parts.query or parts.fragment
    return parts.scheme in {"https", "http"} and bool(parts.hostname) and not extra


def is_web(url: str) -> bool:
    """Whether this is such an address, of a page that nobody on the way can read or change."""
    if not is_plain_address(url):
        return False
    parts = urlsplit(url)
    return parts.scheme == "https" or is_loopback(parts.hostname or "")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, seen from itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_overheard(url: str) -> bool:
    """Whether what is said to this database crosses a network, and nothing makes sure that it is encrypted."""
    parts = urlsplit(url)
    modes = parse_qs(parts.query).get("sslmode", [])
    return not is_loopback(parts.hostname or "") and not (modes and ENCRYPTED.issuperset(modes))
