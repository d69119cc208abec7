"""A fuzzer that follows coverage, for nights: `make fuzz MINUTES=10`, or with the file of a finding to run it again.

It holds every decoder to what `reading.py` says, and every connector to what `connecting.py` says. The last byte says
which of the two, the one before it the kind of actor or the connector, the next the headers.
"""

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import atheris

with atheris.instrument_imports(include=["services", "shared"]):
    from tests.unit.fuzz.anything import HEADER_NAMES, HEADER_VALUES, KINDS, examples_for, record
    from tests.unit.fuzz.connecting import CONNECTORS, check
    from tests.unit.fuzz.reading import check_decoding, check_input, check_transport

PLACES = [(kind, each.lane.topic, each.headers) for _, kind in sorted(KINDS.items()) for each in examples_for(kind)]
FINDINGS = Path(".fuzz")


def one(data: bytes) -> None:
    """Read some bytes as one record, or as what a core system sends."""
    source = atheris.FuzzedDataProvider(data)
    if source.ConsumeBool():
        connector = CONNECTORS[source.PickValueInList(sorted(CONNECTORS))]
        check(connector, source.ConsumeBytes(source.remaining_bytes()))
        return
    kind, topic, headers = PLACES[source.ConsumeIntInRange(0, len(PLACES) - 1)]
    for _ in range(source.ConsumeIntInRange(0, 3)):
        name = source.PickValueInList(HEADER_NAMES)
        headers = ((name, source.PickValueInList(HEADER_VALUES)), *headers)
    arrived = record(topic, source.ConsumeBytes(source.remaining_bytes()), headers)
    check_decoding(kind, arrived)
    check_input(kind, arrived)
    check_transport(arrived)


def seeds(folder: Path) -> None:
    """The golden examples, for the fuzzer to begin with; it takes numbers from the end of what it has."""
    for number, (kind, topic, headers) in enumerate(PLACES):
        values = [each.value for each in examples_for(kind) if (each.lane.topic, each.headers) == (topic, headers)]
        (folder / str(number)).write_bytes(values[0] + bytes([0, number, 0]))
    for number, (name, connector) in enumerate(sorted(CONNECTORS.items())):
        for place, example in enumerate(connector.examples):
            (folder / f"{name} {place}").write_bytes(example + bytes([number, 1]))


def main() -> None:
    """Fuzz for a while, or run one finding again."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("finding", nargs="?")
    chosen = parser.parse_args()
    FINDINGS.mkdir(exist_ok=True)
    with TemporaryDirectory() as folder:
        seeds(Path(folder))
        limits = [f"-max_total_time={int(chosen.minutes * 60)}", "-timeout=5", "-rss_limit_mb=2048", "-max_len=8192"]
        where = [chosen.finding] if chosen.finding else [folder, f"-artifact_prefix={FINDINGS}/", *limits]
        atheris.Setup([sys.argv[0], *where], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
