"""The description of an API says what really comes back."""

import httpx

from shared.http import openapi
from shared.service import Service


async def test_every_route_declares_its_problems(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            answer = operation["responses"]["default"]["content"]["application/problem+json"]["schema"]
            assert answer == {"$ref": "#/components/schemas/ProblemDetails"}, (method, path)
            assert "422" not in operation["responses"]
    schemas = document["components"]["schemas"]
    assert {"ProblemDetails", "FieldError"} <= set(schemas)
    assert "HTTPValidationError" not in schemas


async def test_the_generated_description_is_the_one_that_is_served(client: httpx.AsyncClient, service: Service) -> None:
    assert openapi.document(service) == (await client.get("/openapi.json")).json()


async def test_routes_say_who_may_call_and_which_header_names_a_write(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    replay = document["paths"]["/v1/dead-letters/{letter_id}/replay"]["post"]
    assert replay["security"] == [{"HTTPBearer": []}]
    assert ("Idempotency-Key", True) in {(one["name"], one["required"]) for one in replay["parameters"]}


async def test_the_pages_for_people_are_there(client: httpx.AsyncClient) -> None:
    assert (await client.get("/docs")).status_code == 200
