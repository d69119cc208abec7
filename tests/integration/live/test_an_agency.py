"""An agency on the running product: it logs in, is offered a case, works it, and hears at once that it was paid."""

import base64
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.integration.live.process import LENDER, Product, event, eventually, overdue, today
from tests.integration.outreach.agencies.receiver import Request

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

AGENCY = "east-recovery"


class Hearing(BaseHTTPRequestHandler):
    """Keeps what the agency is sent."""

    heard: ClassVar[list[Request]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        Hearing.heard.append(Request(self.path, headers, body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing: who asks is no secret, and no news."""


@pytest.fixture(scope="module")
def hook() -> Iterator[str]:
    """Where the agency is told."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Hearing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/fairdue"
        server.shutdown()


@pytest.fixture(scope="module")
def product(home: Path) -> Iterator[Product]:
    """The system with one debtor in arrears."""
    product = Product(home, settings={"FAIRDUE_WEBHOOKS_TO_PRIVATE": "allow"})
    product.start()
    product.await_ready()
    product.say(overdue("placed", days=40))
    yield product
    product.clean_up()


class Agency:
    """A machine of an agency, with a key of its own."""

    def __init__(self, product: Product) -> None:
        self.product, self.key = product, Ed25519PrivateKey.generate()

    @property
    def jwk(self) -> dict[str, str]:
        public = jwt.get_algorithm_by_name("EdDSA").to_jwk(self.key.public_key(), as_dict=True)
        return {"kid": "spring", **{name: public[name] for name in ("kty", "crv", "x")}}

    def token(self) -> str:
        """What it signs for, as the guide says."""
        url, now = self.product.url("outreach", "/v1/oauth/token"), int(time.time())
        claims = {"iss": AGENCY, "sub": AGENCY, "aud": url, "iat": now, "exp": now + 60, "jti": str(uuid.uuid4())}
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": jwt.encode(claims, self.key, algorithm="EdDSA", headers={"kid": "spring"}),
        }
        answer = httpx.post(url, data=form, timeout=20)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def asks(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Ask for something of its own, under a token that is new each time."""
        headers = {"Authorization": f"Bearer {self.token()}", "Idempotency-Key": str(uuid.uuid4())}
        return httpx.request(method, self.product.url("outreach", path), json=body, headers=headers, timeout=40)

    def placements(self) -> list[dict[str, Any]]:
        """What it has."""
        items: list[dict[str, Any]] = self.asks("GET", "/v1/agency/placements").json()["items"]
        return items


def told() -> set[str]:
    """Of what the agency has been told."""
    return {each.content["type"] for each in Hearing.heard}


def supervised(product: Product, path: str, body: Any) -> httpx.Response:
    """What a supervisor asks of outreach."""
    return product.post("outreach", path, body, "supervisor", {"Idempotency-Key": str(uuid.uuid4())})


def terms() -> dict[str, Any]:
    day = today()
    return {
        "agency_id": AGENCY,
        "name": "East Recovery Ltd",
        "licence_number": "L-4711",
        "licence_until": str(day + timedelta(400)),
        "contract_number": "C-17",
        "contract_from": str(day - timedelta(30)),
        "contract_until": str(day + timedelta(300)),
        "last_evaluation_on": str(day - timedelta(30)),
        "trained_until": str(day + timedelta(100)),
        "published": True,
        "capacity": 10,
        "commission_ppm": [180_000],
    }


def paid_in_full() -> dict[str, Any]:
    now = datetime.now(UTC).isoformat()
    data = {"lender_id": LENDER, "loan_id": "loan-placed", "party_id": "placed", "payment_id": "payment-1",
            "amount": 10_000, "currency": "CNY", "posted_at": now}  # fmt: skip
    return event("core-banking.payment-posted.v1", "payment-1", data)


PAPER = b"%PDF-1.7 a mandate"


def exchange_papers(product: Product, agency: Agency, debtor_id: str, placement_id: str) -> None:
    """The lender gives a mandate, which the agency is told of; the agency files evidence. Each reads the other's."""
    said = {"media_type": "application/pdf", "content": base64.b64encode(PAPER).decode()}
    under = f"/placements/{placement_id}/documents"
    given = supervised(product, f"/v1/debtors/{debtor_id}{under}", {**said, "kind": "mandate"}).json()["document_id"]
    eventually(lambda: "outreach.placement-document-filed.v1" in told())
    assert agency.asks("GET", f"/v1/agency{under}/{given}").content == PAPER
    evidence = {**said, "content": base64.b64encode(PAPER + b" received").decode(), "kind": "correspondence"}
    filed = agency.asks("POST", f"/v1/agency{under}", evidence).json()["document_id"]
    assert product.get("outreach", f"/v1/debtors/{debtor_id}/documents/{filed}").content == PAPER + b" received"


def test_a_case_goes_to_an_agency_and_comes_back_with_the_payment(product: Product, hook: str) -> None:
    agency, debtor_id = Agency(product), product.debtor("placed")
    date = {"lender_id": LENDER, "business_date": str(today())}
    product.say(event("core-banking.business-date-advanced.v1", "day", date))
    assert supervised(product, "/v1/agencies", terms()).status_code == 201
    assert supervised(product, f"/v1/agencies/{AGENCY}/keys", agency.jwk).status_code == 201
    secret = agency.asks("POST", "/v1/agency/webhooks", {"url": hook}).json()["secret"]
    eventually(lambda: product.of_debtor("outreach", debtor_id).get("treatment"))

    offer = f"/v1/debtors/{debtor_id}/placements"
    wanted = {"agency_id": AGENCY, "days": 60}
    eventually(lambda: supervised(product, offer, wanted).status_code == 201)
    (placement,) = agency.placements()
    assert (placement["state"], placement["amount"]) == ("offered", 10_000)
    own = f"/v1/agency/placements/{placement['placement_id']}"
    assert agency.asks("POST", f"{own}/accept").json()["state"] == "accepted"
    (offered,) = eventually(lambda: Hearing.heard)
    assert offered.content["type"] == "outreach.placement-offered.v1"
    assert offered.signed_by(secret)

    exchange_papers(product, agency, debtor_id, placement["placement_id"])
    product.say(paid_in_full())
    eventually(lambda: told() >= {"outreach.placement-paid.v1", "outreach.placement-ended.v1"})
    assert [each["state"] for each in agency.placements()] == ["ended"]
    refused = agency.asks("POST", f"{own}/permits", {"channel": "phone"})
    assert refused.status_code == 409, refused.text
    statement = agency.asks("GET", f"/v1/agency/statements/{today():%Y-%m}").json()
    assert [(line["amount"], line["commission"]) for line in statement["lines"]] == [(10_000, 1_800)]
