"""Errors as RFC 9457 problems: they name the field, and never echo what the caller sent."""

import json
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = {"Retry-After": "5"}
"""Seconds until a caller should try again when a part is down."""

_SENTENCES = {
    # These messages of pydantic repeat the input, or what a validator made of it.
    "union_tag_invalid": "Input should be one of the accepted kinds",
    "value_error": "Input is not acceptable",
    "assertion_error": "Input is not acceptable",
    "uuid_parsing": "Input should be a valid UUID",
    "json_invalid": "The body is not valid JSON",
}
_MAX_ERRORS = 50


class FieldError(BaseModel):
    """One field that was not accepted, and why."""

    model_config = ConfigDict(extra="forbid")

    field: str
    reason: str


class ProblemDetails(BaseModel):
    """An error, by RFC 9457."""

    model_config = ConfigDict(extra="forbid")

    type: str = Field(description="Names the kind of problem; stable, safe to compare with.")
    title: str
    status: int
    detail: str = ""
    instance: str = Field(default="", description="The request, as its id stands in the logs.")
    field: str | None = Field(default=None, description="The field, header or parameter at fault, where there is one.")
    errors: list[FieldError] | None = None


class Problem(Exception):  # noqa: N818  # the RFC's own word
    """An answer that is not the wanted one; `detail` is for people and carries no personal data.

    members: more than every problem has, as JSON; a route that answers so describes them (`ProblemDetails`, extended).
    """

    def __init__(
        self,
        status: int,
        title: str,
        detail: str = "",
        *,
        field: str = "",
        errors: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{status} {title}")
        self.status, self.title, self.detail, self.field = status, title, detail, field
        self.errors, self.headers, self.members = tuple(errors), dict(headers or {}), dict(members or {})


def type_of(title: str) -> str:
    """The URI that names a kind of problem."""
    return "urn:fairdue:problem:" + re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def response_of(problem: Problem, request_id: str = "") -> Response:
    """The problem as a response; `request_id` is the id under which the request stands in the logs."""
    details = ProblemDetails(
        type=type_of(problem.title),
        title=problem.title,
        status=problem.status,
        detail=problem.detail,
        instance=f"urn:uuid:{request_id}" if request_id else "",
        field=problem.field or None,
        errors=[FieldError(field=field, reason=reason) for field, reason in problem.errors] or None,
    )
    body = json.dumps({**problem.members, **details.model_dump(exclude_none=True)})
    return Response(body, problem.status, headers=problem.headers, media_type=MEDIA_TYPE)


def unavailable(part: str) -> Problem:
    """The problem for a part of the system that does not answer just now."""
    return Problem(503, f"The {part} does not answer", "Nothing was done; try again later.", headers=RETRY_AFTER)


def of_http_exception(error: HTTPException) -> Problem:
    """The problem that the framework's own exception stands for."""
    phrase = HTTPStatus(error.status_code).phrase
    detail = "" if error.detail == phrase else str(error.detail)
    return Problem(error.status_code, phrase, detail, headers=error.headers)


def of_validation(error: RequestValidationError) -> Problem:
    """The problem for input that does not fit: 400 where a header is missing or the body is no JSON, else 422."""
    found = error.errors()[:_MAX_ERRORS]
    errors, first = [_field_error(one) for one in found], found[0]
    title, status = "Invalid input", 422
    if first["type"] == "json_invalid":
        title, status = "Malformed body", 400
    elif first["loc"][0] == "header":
        title, status = "Missing or malformed header", 400
    field, reason = errors[0]
    return Problem(status, title, reason, field=field, errors=errors)


def _field_error(found: Mapping[str, Any]) -> tuple[str, str]:
    place = [str(part) for part in found["loc"][1:]]
    if found["type"] == "json_invalid" or not place:
        place = [str(found["loc"][0])]
    return ".".join(place)[:200], _SENTENCES.get(found["type"], str(found["msg"]))


def add_to(app: FastAPI) -> None:
    """Have every expected error of an application answered as a problem; the rest is the middleware's."""

    def on_problem(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)  # noqa: S101  # the framework calls by type
        return response_of(error, request_id_of(request.scope))

    def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101
        problem = of_http_exception(error)
        if problem.status == HTTPStatus.METHOD_NOT_ALLOWED:
            problem.headers["Allow"] = _allowed(request)
        return response_of(problem, request_id_of(request.scope))

    def on_validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        return response_of(of_validation(error), request_id_of(request.scope))

    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestValidationError, on_validation)


_METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")


def _allowed(request: Request) -> str:
    """Every method of the path: the framework names those of one route, and a path may have several."""
    asked = {method: {**request.scope, "method": method} for method in _METHODS}
    routes = request.app.routes
    return ", ".join(m for m, scope in asked.items() if any(r.matches(scope)[0] is Match.FULL for r in routes))


def request_id_of(scope: Mapping[str, Any]) -> str:
    """The id that the middleware gave a request."""
    return str(scope.get("state", {}).get("request_id", ""))
