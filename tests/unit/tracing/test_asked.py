"""The spans of requests over REST: a route's template and how it ended, and nothing that was sent."""

import httpx
import pytest
from fastapi import FastAPI, HTTPException

from shared.http import middleware
from shared.tracing.exporting import Exporter
from shared.tracing.spans import Kind
from tests.e2e.canaries import CANARIES, seen

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def exporter() -> Exporter:
    return Exporter("http://127.0.0.1:1", 1.0)


def client(exporter: Exporter | None) -> httpx.AsyncClient:
    app = FastAPI()

    @app.get("/v1/people/{name}")
    async def people(name: str) -> str:
        if name == "broken":
            raise RuntimeError(name)
        if name == "gone":
            raise HTTPException(404)
        return name

    @app.get("/livez")
    async def livez() -> str:
        return "yes"

    app.add_middleware(middleware.Observed, service="intake", exporter=exporter)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


@pytest.mark.parametrize(("name", "status", "failed"), [("a", 200, False), ("gone", 404, False), ("broken", 500, True)])
async def test_a_request_has_a_span_under_its_caller(exporter: Exporter, name: str, status: int, failed: bool) -> None:  # noqa: FBT001
    async with client(exporter) as asking:
        assert (await asking.get(f"/v1/people/{name}", headers={"traceparent": CALLER})).status_code == status
    (span,) = exporter._waiting
    assert (span.service, span.kind, span.name) == ("intake", Kind.SERVER, "GET /v1/people/{name}")
    assert (span.trace, span.parent, span.failed) == (CALLER[3:35], CALLER[36:52], failed)
    assert span.span != span.parent
    assert 0 <= span.ended - span.began < 60 * 10**9
    assert span.attributes == {
        "http.request.method": "GET", "http.route": "/v1/people/{name}", "http.response.status_code": status
    }  # fmt: skip


async def test_without_a_caller_a_request_is_the_root_of_its_trace(exporter: Exporter) -> None:
    async with client(exporter) as asking:
        await asking.get("/v1/people/a", headers={"traceparent": "malformed"})
    assert [span.parent for span in exporter._waiting] == [""]


@pytest.mark.parametrize("path", ["/livez", "/nothing/here"])
async def test_who_looks_whether_we_live_leaves_no_span(exporter: Exporter, path: str) -> None:
    async with client(exporter) as asking:
        await asking.get(path)
    assert not exporter._waiting


async def test_a_trace_that_is_not_taken_leaves_no_span() -> None:
    nothing = Exporter("http://127.0.0.1:1", 0.0)
    for one in (nothing, None):
        async with client(one) as asking:
            assert (await asking.get("/v1/people/a")).status_code == 200
    assert not nothing._waiting


async def test_what_a_caller_sends_is_in_no_span(exporter: Exporter) -> None:
    async with client(exporter) as asking:
        for text in CANARIES.values():
            answer = await asking.get(f"/v1/people/{text}", params={"q": text}, headers={"x-name": text.encode().hex()})
            assert answer.status_code == 200
    assert len(exporter._waiting) == len(CANARIES)
    assert seen(repr(exporter._waiting).encode()) == set()
