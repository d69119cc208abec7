"""What may be set for traces."""

import pytest

from shared.environment import SettingsError
from shared.settings import Settings
from shared.tracing.choosing import Traces
from tests.unit.shared.test_settings import PRODUCTION

OPEN = {"FAIRDUE_OTLP_ENDPOINT": "http://collector:4318"}


def test_nothing_is_exported_unless_it_is_asked_for() -> None:
    assert Settings.demo().traces == Traces("", 0.01)


@pytest.mark.parametrize(
    ("endpoint", "ratio", "traces"),
    [
        ("http://127.0.0.1:4318", "", Traces("http://127.0.0.1:4318", 0.01)),
        ("https://collector/otlp/", "1", Traces("https://collector/otlp", 1.0)),
        ("https://collector", "0.25", Traces("https://collector", 0.25)),
        ("", "0", Traces("", 0.0)),
        ("", "1.0", Traces("", 1.0)),
    ],
)
def test_a_collector_and_a_ratio(endpoint: str, ratio: str, traces: Traces) -> None:
    assert Settings.demo({"FAIRDUE_OTLP_ENDPOINT": endpoint, "FAIRDUE_TRACE_RATIO": ratio}).traces == traces


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        *(("FAIRDUE_TRACE_RATIO", value) for value in ("1.5", "-0.1", "nan", "1e-3", "one", "\u0660", "10")),
        *(
            ("FAIRDUE_OTLP_ENDPOINT", value)
            for value in (
                "collector:4318",
                "grpc://collector:4317",
                "http://",
                "http://u:secret@c",
                "http://c?key=secret",
            )
        ),
    ],
)
def test_what_is_wrong_is_refused_in_one_line_that_names_it(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=rf"^{variable}: ") as refused:
        Settings.demo({variable: value})
    assert "secret" not in str(refused.value)


def test_spans_do_not_cross_a_network_in_the_open_unless_somebody_answers_for_it() -> None:
    with pytest.raises(SettingsError, match="^FAIRDUE_OTLP_ENDPOINT: needs https"):
        Settings.from_environment({**PRODUCTION, **OPEN})
    allowed = {**PRODUCTION, **OPEN, "FAIRDUE_UNENCRYPTED_LINES": "allow"}
    assert Settings.from_environment(allowed).traces.endpoint == OPEN["FAIRDUE_OTLP_ENDPOINT"]
