"""How often one caller may ask: a burst, then a steady rate, and each caller for themselves."""

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from shared.http import rates
from shared.http.auth import Tokens
from shared.http.middleware import Observed
from shared.http.rates import BURST_SECONDS, Paced, Rates
from shared.settings import ApiToken

TOKENS = Tokens([ApiToken("north", "agency", "token-of-north"), ApiToken("south", "agency", "token-of-south")])


class Watch:
    """A clock that is moved by hand."""

    at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def watch() -> Watch:
    return Watch()


def test_a_quiet_caller_may_ask_at_once_for_a_while_and_then_at_a_steady_rate(watch: Watch) -> None:
    found = Rates(2, watch)
    assert [found.wait("a") for _ in range(2 * BURST_SECONDS)] == [0.0] * 2 * BURST_SECONDS
    assert found.wait("a") == pytest.approx(0.5)
    watch.at += 0.5
    assert [found.wait("a"), found.wait("a")] == pytest.approx([0.0, 0.5])


def test_a_bucket_never_holds_more_than_its_burst(watch: Watch) -> None:
    found = Rates(1, watch)
    found.wait("a")
    watch.at += 86_400
    assert [found.wait("a") for _ in range(BURST_SECONDS + 1)] == [0.0] * BURST_SECONDS + [1.0]


def test_who_was_seen_longest_ago_is_forgotten_first(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "MOST_CALLERS", 2)
    found = Rates(1, watch)
    for _ in range(BURST_SECONDS):
        found.wait("old")
    found.wait("kept")
    assert found.wait("old") > 0
    found.wait("new")
    assert found.wait("old") > 0
    assert found.wait("kept") == 0


async def answering(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Anything at all."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def client_of(watch: Watch, address: str = "192.0.2.1") -> httpx.AsyncClient:
    app = Observed(Paced(answering, rates=Rates(1, watch), tokens=TOKENS), service="toy")
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, client=(address, 1)), base_url="http://toy")


async def exhausted(client: httpx.AsyncClient, **headers: str) -> httpx.Response:
    """The first answer after a caller's burst."""
    for _ in range(BURST_SECONDS):
        assert (await client.get("/v1/cases", headers=headers)).status_code == 200
    return await client.get("/v1/cases", headers=headers)


async def test_too_often_is_a_problem_that_says_when_to_come_again(watch: Watch) -> None:
    async with client_of(watch) as client:
        refused = await exhausted(client, Authorization="Bearer token-of-north")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["title"] == "Too many requests"


async def test_a_client_that_runs_wild_takes_nothing_from_others(watch: Watch) -> None:
    async with client_of(watch) as client:
        assert (await exhausted(client, Authorization="Bearer token-of-north")).status_code == 429
        for other in ({"Authorization": "bearer token-of-south"}, {}):
            assert (await client.get("/v1/cases", headers=other)).status_code == 200


async def test_whoever_guesses_at_tokens_is_one_caller_with_all_their_guesses(watch: Watch) -> None:
    async with client_of(watch) as client:
        for number in range(BURST_SECONDS):
            guess = {"Authorization": f"Bearer guess-{number}"}
            assert (await client.get("/v1/cases", headers=guess)).status_code == 200
        assert (await client.get("/v1/cases", headers={"Authorization": "Bearer guess"})).status_code == 429


@pytest.mark.parametrize("path", sorted(rates.FREE))
async def test_whoever_watches_over_the_process_is_always_answered(watch: Watch, path: str) -> None:
    async with client_of(watch) as client:
        await exhausted(client)
        assert (await client.get(path)).status_code == 200
