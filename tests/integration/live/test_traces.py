"""One overdue loan, followed through five services by a collector of traces that listens on a real socket."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest

from shared.settings import SERVICES
from tests.e2e.canaries import CANARIES, seen
from tests.e2e.people import ouyang
from tests.integration.live.process import Product, event, eventually, overdue
from tests.unit.tracing.collector import Seen, read

pytestmark = pytest.mark.slow

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
ALL_FIVE = {f"fairdue-{service}" for service in SERVICES}
PARTY = CANARIES["a party of the bank"]


class Receiver(ThreadingHTTPServer):
    """Takes OTLP over HTTP; while `hangs` is set it reads requests and answers none."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: list[bytes] = []
        self.hung = threading.Event()
        self.hangs = False
        self.ended = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def spans(self) -> list[Seen]:
        """All that has come."""
        return [span for body in self.bodies.copy() for span in read(body)]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.server.hangs:
            self.server.hung.set()
            self.server.ended.wait()
            return
        assert (self.path, self.headers["content-type"]) == ("/v1/traces", "application/json")
        self.server.bodies.append(body)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def receiving() -> Iterator[Receiver]:
    with Receiver() as receiver:
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        yield receiver
        receiver.ended.set()
        receiver.shutdown()


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture(scope="module")
def product(home: Path, receiver: Receiver) -> Iterator[Product]:
    """The five services, exporting every trace."""
    product = Product(home, settings={"FAIRDUE_OTLP_ENDPOINT": receiver.address, "FAIRDUE_TRACE_RATIO": "1"})
    product.start()
    product.await_ready()
    yield product
    product.clean_up()


def of_trace(receiver: Receiver) -> Sequence[Seen]:
    return [span for span in receiver.spans() if span.trace == TRACE]


def say_traced(product: Product, *events: dict[str, object]) -> None:
    headers = {"content-type": "application/cloudevents+json", "traceparent": f"00-{TRACE}-{CALLER}-01"}
    assert product.post("intake", "/v1/loan-events", list(events), "core_bank", headers).status_code == 202


def test_one_overdue_loan_is_one_connected_trace_through_five_services(product: Product, receiver: Receiver) -> None:
    profile = msgspec.to_builtins(ouyang())
    say_traced(product, event("core-banking.party-profile.v1", "profile-1", profile), overdue(PARTY))
    eventually(lambda: {span.service for span in of_trace(receiver)} >= ALL_FIVE)
    spans = eventually(lambda: connected(of_trace(receiver)))
    (root,) = (span for span in spans if span.parent == CALLER)
    assert (root.name, root.service, root.kind) == ("POST /v1/loan-events", "fairdue-intake", 2)
    assert len({span.span for span in spans}) == len(spans)
    names = {(span.service, span.name) for span in spans}
    assert names >= {(service, "intake.case-opened.v1") for service in ALL_FIVE - {"fairdue-intake"}}
    assert {"fairdue.event_id", "fairdue.lender", "fairdue.shard"} <= set(spans[-1].attributes)
    assert all(0 <= span.seconds < 60 for span in spans)


def connected(spans: Sequence[Seen]) -> Sequence[Seen]:
    """The spans where each hangs on another, but for the one that hangs on the caller; else none yet."""
    known = {span.span for span in spans} | {CALLER}
    return spans if all(span.parent in known for span in spans) else ()


def test_nothing_about_a_person_is_in_any_span(product: Product, receiver: Receiver) -> None:
    debtor_id = product.debtor(PARTY)
    eventually(lambda: product.of_debtor("analytics", debtor_id))
    bodies = b"".join(receiver.bodies)
    assert receiver.spans()
    assert seen(bodies) == set()
    assert debtor_id.encode() not in bodies


def test_what_was_sent_is_counted(product: Product) -> None:
    shown = product.get("legal", "/metrics").text
    assert 'trace_spans_total{outcome="sent",service="legal"}' in shown


def test_a_collector_that_hangs_holds_up_neither_work_nor_the_end(product: Product, receiver: Receiver) -> None:
    receiver.hangs = True
    for number in range(20):
        assert product.say(overdue(f"hung-{number}")).status_code == 202
    assert receiver.hung.wait(30)
    for number in range(20):
        debtor_id = product.debtor(f"hung-{number}")
        assert eventually(lambda debtor_id=debtor_id: product.case(debtor_id))["version"] == 1  # type: ignore[misc]
        eventually(lambda debtor_id=debtor_id: product.of_debtor("analytics", debtor_id))  # type: ignore[misc]
    eventually(lambda: 'trace_spans_total{outcome="lost"' in product.get("intake", "/metrics").text)
    assert product.end() == 0
    assert product.said().count("traces_are_lost") == 1
    assert "Traceback" not in product.said()
