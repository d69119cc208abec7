"""The descriptions in `docs/api` are those of the services as they stand."""

import json
import re
from pathlib import Path

from fastapi import FastAPI

from services import contracts_cli
from shared.contracts import core_banking, generate
from shared.http.openapi import add_routes


def test_the_generated_descriptions_are_up_to_date() -> None:
    """If this fails: `python -m services.contracts_cli`."""
    root = Path(__file__).parents[2] / generate.API
    assert generate.out_of_date(contracts_cli.files(), root, contracts_cli.OWNED) == []


def test_what_the_bank_may_post_is_described_whole() -> None:
    document = json.dumps(contracts_cli.files()[Path("openapi-intake.json")])
    schemas = json.loads(document)["components"]["schemas"]
    posted = {each["$ref"].rpartition("/")[2] for each in schemas["PostedEvent"]["anyOf"]}
    assert {schemas[name]["properties"]["type"]["const"] for name in posted} == set(core_banking.EVENTS)
    assert set(re.findall(r"#/components/schemas/(\w+)", document)) <= set(schemas)
    assert "$defs" not in document


def test_describing_twice_says_the_same() -> None:
    [intake] = [service for service in contracts_cli.declared() if service.name == "intake"]
    app = FastAPI()
    add_routes(app, intake)
    once, app.openapi_schema = app.openapi(), None
    assert app.openapi() == once
