"""docker-compose.yml as it stands, on a real Kafka, PostgreSQL and Prometheus: a case, crashes, and nothing lost."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from shared.embedded.kafka_server import missing
from shared.messaging.broker_from_url import open_broker
from shared.observability import metrics
from shared.settings import SERVICES
from tests.e2e.compose.places import targets
from tests.e2e.compose.stack import Stack
from tests.e2e.invariants import broken
from tests.e2e.owners import Owners
from tests.integration.live.process import LENDER, eventually, overdue
from tests.unit.deploy.composing import FILE, Composed
from tests.unit.deploy.rules import metrics_named, panels, queries, recorded

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

CHECKED = [
    name
    for name, one in Composed.read({"FAIRDUE_SECRETS": "-", "FAIRDUE_LENDERS": "-"}, FILE).services.items()
    if "healthcheck" in one
]
NOT_HERE = {"grafana": "there is no Grafana server to run"}
PATIENCE = 150.0
DAYS = 20
"""Past the days of the hold-out, to which chance may send anybody before."""

FIRST, SECOND, THIRD = (tuple(f"{when}-{n}" for n in range(3)) for when in ("early", "amidst", "after"))


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    if reason := missing():
        pytest.skip(f"no Kafka: {reason}")
    if shutil.which("prometheus") is None:
        pytest.skip("there is no prometheus on the PATH")
    with TemporaryDirectory(prefix="fairdue-") as folder:
        Path(folder).chmod(0o755)
        stack = Stack(Path(folder))
        try:
            stack.start()
            stack.start_prometheus()
            eventually(lambda: said(stack, FIRST), PATIENCE)
            yield stack
        finally:
            stack.stop()


def said(stack: Stack, parties: tuple[str, ...]) -> bool:
    return stack.say(*(overdue(party, days=DAYS) for party in parties))


def debtor(stack: Stack, party: str) -> str:
    found = eventually(lambda: stack.get("intake", f"/v1/debtors?lender_id={LENDER}&party_id={party}"), PATIENCE)
    return str(found["debtor_id"])


def held(stack: Stack, service: str, debtor_id: str) -> dict[str, Any]:
    return stack.get(service, f"/v1/debtors/{debtor_id}")


@pytest.mark.parametrize("name", CHECKED)
def test_every_part_passes_the_check_of_the_file(stack: Stack, name: str) -> None:
    if name in NOT_HERE:
        assert stack.composed.services[name]["image"].startswith(name)
        return
    eventually(lambda: stack.healthy(name), PATIENCE)


def test_what_is_killed_comes_back_while_the_bank_goes_on(stack: Stack) -> None:
    starts = {name: part.starts for name, part in stack.parts.items()}
    victims = [f"{service}-{role}" for service in SERVICES for role in ("worker", "api")]
    for name in victims:
        process = stack.parts[name].process
        assert process is not None
        process.send_signal(signal.SIGKILL)
    stack.kafka.kill()
    stack.postgres.kill()
    stack.postgres.start()
    stack.start_kafka()
    eventually(lambda: said(stack, SECOND), PATIENCE)
    for name in victims:
        eventually(lambda name=name: stack.parts[name].starts > starts[name], PATIENCE)  # type: ignore[misc]
        eventually(lambda name=name: stack.healthy(name), PATIENCE)  # type: ignore[misc]
    assert said(stack, THIRD)


@pytest.mark.parametrize("party", [*FIRST, *SECOND, *THIRD])
def test_a_loan_that_is_overdue_becomes_a_case_a_treatment_a_plan_and_a_figure(stack: Stack, party: str) -> None:
    debtor_id = debtor(stack, party)
    case = eventually(lambda: stack.get("intake", f"/v1/cases/{debtor_id}"), PATIENCE)
    assert case["status"] == "open"
    assert case["days_past_due"] - DAYS in {0, 1}  # the lender's next day may have begun
    eventually(lambda: held(stack, "segmentation", debtor_id).get("stage") == "INTENSIVE", PATIENCE)
    treatment = eventually(lambda: held(stack, "outreach", debtor_id).get("treatment", {}), PATIENCE)
    assert treatment["stage"] == "INTENSIVE"
    plan = eventually(lambda: held(stack, "outreach", debtor_id).get("plan", {}), PATIENCE)
    assert plan["steps"]
    assert eventually(lambda: held(stack, "legal", debtor_id), PATIENCE)["case"]["status"] == "open"
    counted = eventually(lambda: held(stack, "analytics", debtor_id).get("plans", []), PATIENCE)
    assert [each["plan_number"] for each in counted] == [plan["plan_number"]]


async def test_nothing_is_lost_and_nothing_done_twice(stack: Stack) -> None:
    owners = Owners({service: stack.postgres.dsn(service) for service in SERVICES})
    log = await open_broker(f"kafka://{stack.kafka.bootstrap}")
    try:
        wrong: dict[str, Any] = {"never looked": True}
        for _ in range(40):
            wrong = await broken(owners, log)
            if not wrong:
                break
        assert wrong == {}
    finally:
        await log.close()
    assert await owners.count("intake", "SELECT count(*) FROM collection_case") == len(FIRST + SECOND + THIRD)


def test_every_part_of_ours_is_scraped(stack: Stack) -> None:
    expected = set(targets(stack.places.source("./deploy/prometheus")))
    assert len(expected) == 2 * len(SERVICES)

    def up() -> bool:
        found = stack.ask_prometheus("targets")["activeTargets"]
        return {each["scrapeUrl"].split("/")[2] for each in found if each["health"] == "up"} == expected

    eventually(up, PATIENCE)


def scraped(stack: Stack) -> set[str]:
    return set(stack.ask_prometheus("label/__name__/values"))


def reconcile(stack: Stack) -> None:
    """Hold a book of one account that nobody knows against ours."""
    book = stack.folder / "book.csv"
    book.write_text(
        f"loan_id,as_of,past_due,outstanding,currency,status\nL-1,{datetime.now(UTC).date()},1,,CNY,overdue\n"
    )
    command = [sys.executable, "-m", "services.intake.reconciliation", str(book), "--lender", LENDER]
    report = ["--report", str(stack.folder / "drift.csv")]
    environment = {**os.environ, "DATABASE_URL_INTAKE": stack.postgres.dsn("intake")}
    done = subprocess.run([*command, *report], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr


def test_every_metric_that_is_declared_or_asked_for_is_scraped(stack: Stack) -> None:
    reconcile(stack)  # which shows some of them
    asked = {name for query in queries().values() for name in metrics_named(query)}
    declared = {one.name for one in metrics.ALL}
    red = {"contacts_without_permit", "contacts_after_payment", "quiet_hours_violations", "duplicate_contacts"}
    wanted = asked - (red - declared)
    eventually(lambda: not wanted - scraped(stack), 60)


def test_every_rule_is_evaluated_without_an_error(stack: Stack) -> None:
    def rules() -> list[dict[str, Any]]:
        return [rule for group in stack.ask_prometheus("rules")["groups"] for rule in group["rules"]]

    eventually(lambda: all(rule["health"] == "ok" for rule in rules()))
    assert {rule["lastError"] for rule in rules() if "lastError" in rule} == set()
    assert recorded() <= {rule["name"] for rule in rules()}


@pytest.mark.parametrize("name", [name for name, _ in panels()])
def test_every_panel_is_answered(stack: Stack, name: str) -> None:
    panel = next(panel for each, panel in panels() if each == name)
    for target in panel.get("targets", ()):
        expr = target["expr"].replace("$__rate_interval", "1m").replace("$service", ".*")
        eventually(lambda expr=expr: stack.ask_prometheus("query", query=expr)["result"], 60)  # type: ignore[misc]


def test_everything_ends_in_order(stack: Stack) -> None:
    ends = {name: part.end(signal.SIGTERM) for name, part in stack.parts.items()}
    assert ends == dict.fromkeys(stack.parts, 0)
    assert [line for name in stack.composed.ours if name in stack.parts for line in unstructured(stack, name)] == []


def unstructured(stack: Stack, name: str) -> list[str]:
    """Lines of a service's log that are neither for programs nor the one that says why a start is refused."""
    lines = stack.parts[name].log.read_text().splitlines()
    return [f"{name}: {line}" for line in lines if not line.startswith(("{", "fairdue: "))]
