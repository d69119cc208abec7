"""What an address of a part looks like."""

from urllib.parse import urlsplit


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
