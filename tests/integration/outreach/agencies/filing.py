"""Documents as agencies and staff file them over HTTP, and made-up contents."""

import base64
from typing import Any

import asyncpg
import httpx

from services.outreach.agencies.documents.domain import BEGINNINGS, MediaType
from tests.integration.outreach.agency_desk import own
from tests.integration.outreach.people import ANNA, Office

PDF, JPEG, PNG = (BEGINNINGS[each] + b" of a payment" for each in (MediaType.PDF, MediaType.JPEG, MediaType.PNG))
MANDATE = BEGINNINGS[MediaType.PDF] + b" mandate"


def said(content: bytes = PDF, **other: Any) -> dict[str, Any]:
    """What is sent to file a content."""
    sent = {"kind": "proof_of_payment", "media_type": "application/pdf", "content": base64.b64encode(content).decode()}
    return {**sent, **other}


def under(placement_id: str, document_id: str = "") -> str:
    """Where an agency finds the documents of a placement."""
    return own(placement_id, "documents") + (f"/{document_id}" if document_id else "")


def of_debtor(document_id: str = "", debtor_id: str = ANNA) -> str:
    """Where staff find those of a debtor."""
    return f"/v1/debtors/{debtor_id}/documents" + (f"/{document_id}" if document_id else "")


async def filed(office: Office, placement_id: str, role: str = "alpha", key: str = "", **other: Any) -> dict[str, Any]:
    """A document that an agency has filed."""
    answer = await office.post(under(placement_id), said(**other), role=role, key=key)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def given(office: Office, placement_id: str, role: str = "operator", content: bytes = MANDATE) -> dict[str, Any]:
    """A paper that staff have given to an agency."""
    path = f"/v1/debtors/{ANNA}/placements/{placement_id}/documents"
    answer = await office.post(path, said(content, kind="mandate"), role=role)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def rows(dsn: str, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
    """What a query finds, as the owner of the tables."""
    connection = await asyncpg.connect(dsn)
    try:
        return [tuple(row) for row in await connection.fetch(query, *arguments)]
    finally:
        await connection.close()


def problem(answer: httpx.Response) -> dict[str, Any]:
    """What a refusal says, but for the request that it is of."""
    assert answer.headers["content-type"] == "application/problem+json"
    return {name: each for name, each in answer.json().items() if name != "instance"}
