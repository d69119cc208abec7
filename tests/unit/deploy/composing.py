"""docker-compose.yml as an engine reads it: anchors merged, variables put in, and what is missing refused."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
FILE = ROOT / "docker-compose.yml"
SECRETS = "/run/secrets/"

_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?:\?(?P<complaint>[^}]*)|-(?P<usual>[^}]*)))?\}")


class MissingVariableError(Exception):
    """A variable that the file asks for is not set."""


@dataclass(frozen=True)
class Composed:
    """The file, read."""

    content: Mapping[str, Any]

    @classmethod
    def read(cls, variables: Mapping[str, str], file: Path = FILE) -> "Composed":
        """Read the file with these variables. Raises MissingVariableError."""
        content = _put_in(yaml.safe_load(file.read_text()), variables)
        return cls({name: part for name, part in content.items() if not name.startswith("x-")})

    @property
    def services(self) -> Mapping[str, Mapping[str, Any]]:
        found: Mapping[str, Mapping[str, Any]] = self.content["services"]
        return found

    @property
    def ours(self) -> Mapping[str, Mapping[str, Any]]:
        """The services that run our image."""
        return {name: one for name, one in self.services.items() if one["image"].startswith("fairdue:")}

    def secret_file(self, name: str) -> str:
        """Where a secret lies on the host."""
        file: str = self.content["secrets"][name]["file"]
        return file


def _put_in(part: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(part, dict):
        return {name: _put_in(one, variables) for name, one in part.items()}
    if isinstance(part, list):
        return [_put_in(one, variables) for one in part]
    return _VARIABLE.sub(lambda found: _value(found, variables), part) if isinstance(part, str) else part


def _value(found: re.Match[str], variables: Mapping[str, str]) -> str:
    value = variables.get(found["name"]) or found["usual"]
    if value is None:
        raise MissingVariableError(f"{found['name']}: {found['complaint']}")
    return value
