"""Ports of this machine's loopback for servers that are started here."""

import random
import socket
from itertools import islice
from typing import Final

_PORTS: Final = range(20_000, 30_000)
"""Below the range from which outgoing connections take theirs, so that a stopped server finds its port free again."""


def free_ports(number: int) -> list[int]:
    """So many different TCP ports of 127.0.0.1 on which nobody listens, and which no outgoing connection takes."""
    drawn = random.SystemRandom().sample(_PORTS, len(_PORTS))
    return list(islice(filter(is_free, drawn), number))


def free_port() -> int:
    """One such port."""
    return free_ports(1)[0]


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
