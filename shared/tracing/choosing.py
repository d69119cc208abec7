"""Where traces go, and which part of them."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from shared.addresses import is_loopback, is_plain_address
from shared.environment import Environment, SettingsError

ENDPOINT: Final = "FAIRDUE_OTLP_ENDPOINT"
RATIO: Final = "FAIRDUE_TRACE_RATIO"
_RATIO: Final = re.compile(r"[01](\.0*)?|0\.\d{1,12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Traces:
    """What is set for traces; without an endpoint there are none."""

    endpoint: str = ""
    ratio: float = 0.01

    @property
    def overheard(self) -> bool:
        """Whether spans would cross a network in the open."""
        parts = urlsplit(self.endpoint)
        return parts.scheme == "http" and not is_loopback(parts.hostname or "")


def read_traces(read: Environment) -> Traces:
    """Read and check what is set. Raises SettingsError."""
    endpoint = read.text(ENDPOINT).rstrip("/")
    if endpoint and not is_plain_address(endpoint):
        raise SettingsError(ENDPOINT, "needs http://host:port or https://host:port of a collector that speaks OTLP")
    ratio = read.text(RATIO, "0.01")
    if not _RATIO.fullmatch(ratio):
        raise SettingsError(RATIO, f"{ratio!r} is not a number from 0 to 1")
    return Traces(endpoint, float(ratio))
