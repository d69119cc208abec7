"""The descriptions in `docs/api` are those of the services as they stand."""

from pathlib import Path

from services import contracts_cli
from shared.contracts import generate


def test_the_generated_descriptions_are_up_to_date() -> None:
    """If this fails: `python -m services.contracts_cli`."""
    root = Path(__file__).parents[2] / generate.API
    assert generate.out_of_date(contracts_cli.files(), root, contracts_cli.OWNED) == []
