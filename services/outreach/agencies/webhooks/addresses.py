"""Where a webhook may lead: never into a private network, whatever its name is resolved to."""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

import httpx

IpAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""Every address of a host. Raises OSError where there is none."""

PORTS: Final = frozenset({443, 8443})
LONGEST_URL: Final = 500
_NOWHERE: Final = tuple(
    map(
        ipaddress.ip_network,
        ("::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/23", "2002::/16", "fec0::/10", "168.63.129.16/32"),
    )
)
"""What is not private by its range, and leads inside all the same: translated, tunnelled, or a cloud's own."""


class InsideError(Exception):
    """The address may not be called; the text says why, and names no address."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def checked(url: str, *, to_private: bool = False) -> httpx.URL:
    """An address that may be called, as far as its text says. Raises InsideError."""
    try:
        parts = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError, ValueError):
        raise InsideError("this is no address of the web") from None
    if parts.scheme not in {"https", "http"} or len(url) > LONGEST_URL:
        raise InsideError("this is no address of the web")
    if not parts.host or not url.isascii() or not url.isprintable() or " " in url:
        raise InsideError("this is no address of the web")
    if parts.userinfo or parts.fragment:
        raise InsideError("an address holds neither credentials nor a fragment")
    if to_private:
        return parts
    _check_outside(parts)
    return parts


def _check_outside(parts: httpx.URL) -> None:
    if parts.scheme != "https":
        raise InsideError("only https is called")
    if (443 if parts.port is None else parts.port) not in PORTS:
        raise InsideError("only the ports 443 and 8443 are called")
    try:
        literal = ipaddress.ip_address(parts.host)
    except ValueError:
        return
    if is_inside(literal):
        raise InsideError("the address lies in a private network")


async def pinned(parts: httpx.URL, resolving: Resolve, attempt: int, *, to_private: bool = False) -> str:
    """The one address of a host that is called, another at the next attempt where there are more.

    Raises InsideError where any of them lies inside, OSError where there is none.
    """
    host = parts.raw_host.decode("ascii")
    found = await resolving(host, parts.port or 443)
    if not found:
        raise OSError("the host has no address")
    if not to_private and any(is_inside(ipaddress.ip_address(each)) for each in found):
        raise InsideError("the address lies in a private network")
    return found[(attempt - 1) % len(found)]


def is_inside(address: IpAddress) -> bool:
    """Whether an address, or the one that it stands for, is not of the public network."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    special = address.is_multicast or address.is_reserved or address.is_unspecified
    return special or not address.is_global or any(address in each for each in _NOWHERE)
