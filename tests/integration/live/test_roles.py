"""API and worker as two processes on the same databases and broker."""

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from shared.ports import free_port
from shared.postgres.server import PostgresServer
from tests.integration.live.process import Product, eventually, overdue

pytestmark = pytest.mark.slow

DEMO = {"FAIRDUE_MODE": "demo"}
WORKER_PORT = free_port()


@dataclass
class Pair:
    api: Product
    worker: Product


@pytest.fixture(scope="module")
def migrated(home: Path) -> Path:
    """An installation whose databases are up to date, and whose server runs."""
    migrating = Product(home, ("migrate", "intake"), DEMO)
    migrating.start()
    assert migrating.process is not None
    assert migrating.process.wait(60) == 0, migrating.said()
    return home


@pytest.fixture(scope="module")
def pair(migrated: Path) -> Iterator[Pair]:
    """The two halves of intake."""
    pair = Pair(
        Product(migrated, ("run", "intake", "--role", "api"), DEMO),
        Product(migrated, ("run", "intake", "--role", "worker"), {**DEMO, "FAIRDUE_WORKER_PORT": str(WORKER_PORT)}),
    )
    pair.api.start()
    yield pair
    pair.api.clean_up()
    pair.worker.clean_up()


def test_the_api_alone_is_ready_and_takes_commands_that_wait(pair: Pair) -> None:
    eventually(lambda: pair.api.get("intake", "/livez").status_code == 200)
    assert pair.api.held("intake") == {}
    assert pair.api.say(overdue("too-early")).status_code == 503


def test_together_they_work(pair: Pair) -> None:
    pair.worker.start()
    eventually(lambda: pair.api.say(overdue("anna")).status_code == 202)
    assert eventually(lambda: pair.api.case(pair.api.debtor("anna")))["status"] == "open"
    assert pair.api.held("intake") == {"ingress": 7, "lane": 32, "profiles": 32}
    assert pair.api.ready("intake")


def of_worker(path: str) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{WORKER_PORT}{path}", timeout=20)


def test_the_worker_tells_its_health_and_its_metrics_by_itself(pair: Pair) -> None:
    assert of_worker("/livez").json() == {"live": True}
    eventually(lambda: of_worker("/readyz").status_code == 200)
    answer = of_worker("/readyz")
    assert answer.json()["ready"] is True
    assert {check["name"] for check in answer.json()["checks"]} == {"worker ingress", "worker lane", "worker profiles"}
    assert 'events_applied_total{kind="lane",service="intake"}' in of_worker("/metrics").text
    assert of_worker("/v1/shards").status_code == 404


def test_the_api_does_not_know_how_far_the_worker_is(pair: Pair) -> None:
    assert {shard["lag"] for shard in pair.api.get("intake", "/v1/shards").json()} == {None}


def test_a_command_of_the_one_is_applied_by_the_other(pair: Pair) -> None:
    answer = pair.api.post(
        "intake", "/v1/shards/lane/3/resume", {"reason": "only trying"}, headers={"Idempotency-Key": "resume-3"}
    )
    assert answer.json() == {"result": {"number": 3, "status": "resumed"}}
    eventually(lambda: "shard_resumed" in pair.worker.said())


def test_a_worker_that_is_killed_is_followed_by_another(pair: Pair) -> None:
    pair.worker.end(signal.SIGKILL)
    assert pair.api.say(overdue("ben")).status_code == 202
    pair.worker.start()
    assert eventually(lambda: pair.api.case(pair.api.debtor("ben")))["status"] == "open"


def test_neither_stops_the_server_that_it_found(pair: Pair, home: Path) -> None:
    assert pair.worker.end() == 0
    assert pair.api.end(signal.SIGINT) == 0
    assert PostgresServer(home / "data" / "up" / "postgres").is_running()
    assert "Traceback" not in pair.worker.said() + pair.api.said()


def test_a_database_without_migrations_is_refused_in_one_line(migrated: Path) -> None:
    lacking = Product(migrated, ("run", "legal"), DEMO)
    lacking.start()
    assert lacking.process is not None
    assert lacking.process.wait(30) == 2
    assert lacking.said().startswith("fairdue: the database of legal lacks ")
    assert len(lacking.said().splitlines()) == 1


def test_a_database_that_is_away_is_named_in_one_line(migrated: Path) -> None:
    settings = {**DEMO, "DATABASE_URL_LEGAL": "postgresql://nobody:nothing@127.0.0.1:1/legal"}
    lacking = Product(migrated, ("run", "legal"), settings)
    lacking.log.unlink(missing_ok=True)
    lacking.start()
    assert lacking.process is not None
    assert lacking.process.wait(30) == 2
    assert lacking.said().startswith("fairdue: the database of legal does not answer: ")
    assert len(lacking.said().splitlines()) == 1


def test_what_a_service_watches_is_shown_by_a_process_that_answers_rest_alone(migrated: Path) -> None:
    migrating = Product(migrated, ("migrate", "outreach"), DEMO)
    migrating.start()
    assert migrating.process is not None
    assert migrating.process.wait(60) == 0, migrating.said()
    api = Product(migrated, ("run", "outreach", "--role", "api"), DEMO)
    api.start()
    try:
        eventually(lambda: "red_lines_counted_at_seconds{" in api.get("outreach", "/metrics").text)
        shown = api.get("outreach", "/metrics").text
        assert 'contacts_without_permit{service="outreach",source="ledger"} 0.0' in shown
        assert "gateway_log" not in shown, "nothing is sent here, so no gateway keeps a log"
        assert api.end() == 0
    finally:
        api.clean_up()
