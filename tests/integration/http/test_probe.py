"""What container engines run to hear whether a part is well."""

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from shared.http import probe


class Part(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Be well at one address only."""
        self.send_response(200 if self.path == "/readyz" else 503)
        self.end_headers()
        self.wfile.write(b"the broker does not answer")

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def part() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Part) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_part_that_is_well(part: str) -> None:
    assert probe.main([f"{part}/readyz"]) == 0


def test_a_part_that_is_not_says_why(part: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert probe.main([f"{part}/other"]) == 1
    assert capsys.readouterr().err == "503 the broker does not answer\n"


def test_a_part_that_is_away(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert probe.main([f"http://127.0.0.1:{port}/readyz"]) == 1
    assert capsys.readouterr().err.startswith("no answer: ")


def test_what_is_no_address_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert probe.main(["file:///etc/passwd"]) == 1
    assert "is no http:// address" in capsys.readouterr().err
