"""The routes of an API and the description of them: every route may answer with a problem, and says so."""

from copy import deepcopy
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from shared.http import health, operations
from shared.http.problems import MEDIA_TYPE, ProblemDetails
from shared.service import Service

_REFERENCE = {"$ref": "#/components/schemas/ProblemDetails"}
_ANSWER = {"description": "A problem, by RFC 9457.", "content": {MEDIA_TYPE: {"schema": _REFERENCE}}}


def add_routes(app: FastAPI, service: Service) -> None:
    """Give an application the routes of a service, and the description of them."""
    for router in (health.routes(), service.routes(), operations.routes()):
        app.include_router(router)
    describe(app)


def describe(app: FastAPI) -> None:
    """Have the application describe its errors as they are."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            found = get_openapi(title=app.title, version=app.version, routes=app.routes)
            app.openapi_schema = _with_problems(deepcopy(found))  # the routes keep parts of it
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to replace it


def document(service: Service) -> dict[str, Any]:
    """The OpenAPI description of a service, made without a database or a broker."""
    app = FastAPI(title=f"Fairdue {service.name}", version="1", redoc_url=None)
    add_routes(app, service)
    return app.openapi()


def _with_problems(schema: dict[str, Any]) -> dict[str, Any]:
    schemas = schema.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    problem = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs", {}))
    schemas["ProblemDetails"] = problem
    for path in schema.get("paths", {}).values():
        for operation in path.values():
            responses = operation.setdefault("responses", {})
            responses.pop("422", None)
            for status, response in responses.items():
                if status.startswith("4") and _is_problem(response, schemas):
                    response["content"] = {MEDIA_TYPE: response["content"].pop("application/json")}
            responses["default"] = _ANSWER
            schemas.update(_taken_out(operation))
    return schema


def _is_problem(response: dict[str, Any], schemas: dict[str, Any]) -> bool:
    """Whether a refusal is a problem with more members; the refusals of other standards stay as they are."""
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    named = schemas.get(schema.get("$ref", "").rpartition("/")[2], schema)
    return set(named.get("properties", ())) >= ProblemDetails.model_fields.keys()


def _taken_out(operation: dict[str, Any]) -> dict[str, Any]:
    """The definitions inside of an operation's own body, which are to stand with all the others."""
    contents = operation.get("requestBody", {}).get("content", {}).values()
    return {name: each for content in contents for name, each in content["schema"].pop("$defs", {}).items()}
