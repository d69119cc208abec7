"""Write every generated description below `docs/api`, with the OpenAPI of each service: `[--check]`."""

import importlib
import sys
from pathlib import Path

from shared.contracts import generate
from shared.http import openapi
from shared.service import Service
from shared.settings import SERVICES, Settings

OWNED = (*generate.OWNED, "openapi-*.json")
"""What lies below `docs/api` because this wrote it."""


def declared() -> list[Service]:
    """Every service, as it declares itself under the settings of the demo."""
    settings = Settings.demo()
    return [importlib.import_module(f"services.{name}.service").declare(settings) for name in SERVICES]


def files() -> dict[Path, generate.Json]:
    """Every generated file, by its path below `docs/api`."""
    descriptions = [(service, openapi.document(service)) for service in declared()]
    return {**generate.contract_files(), **generate.openapi_files(descriptions)}


def main(arguments: list[str] | None = None) -> int:
    """Write or check; 0, or 1 where `--check` found files out of date."""
    return generate.run(files(), OWNED, arguments)


if __name__ == "__main__":
    sys.exit(main())
