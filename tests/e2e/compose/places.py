"""Where on this machine the parts of docker-compose.yml are: hosts, ports, secrets and volumes are put elsewhere.

Nothing else of the file is changed: what a container would be given is what its process here is given.
"""

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from shared.ports import free_port
from tests.unit.deploy.composing import ROOT, SECRETS, Composed

_PLACE = re.compile(r"(?P<host>[a-z][a-z-]*|0\.0\.0\.0|127\.0\.0\.1):(?P<port>\d{4,5})\b")
OWN = {"0.0.0.0", "127.0.0.1"}
"""What a container calls itself."""


@dataclass
class Places:
    """The places of one stack, below one folder."""

    folder: Path
    composed: Composed
    ports: dict[tuple[str, int], int] = field(default_factory=dict)

    def port(self, service: str, port: int) -> int:
        """The port here of a container's port there."""
        while (service, port) not in self.ports:
            free = free_port()
            if free not in self.ports.values():
                self.ports[service, port] = free
        return self.ports[service, port]

    def text(self, service: str, text: str) -> str:
        """A text of a service's part of the file, with what it names put where it is here."""
        text = text.replace(SECRETS, f"{self.folder / 'secrets'}/")
        for volume in self.composed.services[service].get("volumes", ()):
            source, target, *_ = volume.split(":")
            text = re.sub(rf"(?<![\w/]){re.escape(target)}(?=$|/)", str(self.source(source)), text)
        return _PLACE.sub(lambda found: self._placed(service, found), text)

    def source(self, source: str) -> Path:
        """Where a volume or a mounted file lies; what addresses stand in it is rewritten in a copy."""
        if not source.startswith("./"):
            folder = self.folder / "volumes" / source
            folder.mkdir(parents=True, exist_ok=True)
            return folder
        copy = self.folder / "mounted" / source
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            original = ROOT / source
            _ = shutil.copytree(original, copy) if original.is_dir() else shutil.copy(original, copy)
        return copy

    def environment(self, service: str) -> dict[str, str]:
        """What a service is told; ports that it takes by default are said."""
        told: Mapping[str, str] = self.composed.services[service].get("environment", {})
        environment = {name: self.text(service, value) for name, value in told.items()}
        if "FAIRDUE_HOST" in environment:
            environment["FAIRDUE_HOST"] = "127.0.0.1"
            environment["FAIRDUE_WORKER_PORT"] = str(self.port(service, int(told["FAIRDUE_WORKER_PORT"])))
        for published in self.composed.services[service].get("ports", ()):
            port = int(published.rpartition(":")[2])
            environment[f"FAIRDUE_PORT_{service.removesuffix('-api').upper()}"] = str(self.port(service, port))
        return environment

    def scrape(self) -> None:
        """Have the scraper look for the parts where they are."""
        file = self.source("./deploy/prometheus") / "prometheus.yml"
        file.write_text(self.text("prometheus", file.read_text()))

    def _placed(self, service: str, found: re.Match[str]) -> str:
        host, port = found["host"], int(found["port"])
        if host not in OWN and host not in self.composed.services:
            return found[0]
        return f"127.0.0.1:{self.port(service if host in OWN else host, port)}"


def targets(folder: Path) -> list[str]:
    """Whom a configuration scrapes."""
    content = yaml.safe_load((folder / "prometheus.yml").read_text())
    jobs = content["scrape_configs"]
    return [target for job in jobs for group in job["static_configs"] for target in group["targets"]]
