"""`make chaos`: the product's processes on real PostgreSQL and Kafka, hurt for a while, and then judged."""

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Sequence

from shared.embedded.kafka_server import KafkaServerError, missing
from tests.chaos.run import Chosen, play, say
from tests.chaos.waiting import NeverCameTrueError

LONGEST = 24 * 60


def main(arguments: Sequence[str]) -> int:
    """Run it; 0 if all holds and was put to the test, 1 if not, 2 for wrong arguments, 3 if too little was met."""
    chosen = _parser().parse_args(arguments)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it says of faults comes to us as errors
    if reason := missing():
        sys.stderr.write(f"chaos: Kafka cannot run here: {reason}\n")
        return 2
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))  # then what runs is ended in order
    try:
        outcome = asyncio.run(play(Chosen(**vars(chosen))))
    except KafkaServerError as error:
        sys.stderr.write(f"chaos: {error}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    except NeverCameTrueError as error:
        say(f"BAD: {error} {' '.join(getattr(error, '__notes__', ()))}")
        return 1
    for line in outcome.told():
        say(line)
    return 0 if outcome.counts else 3 if outcome.holds else 1


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=_minutes, default=60.0, help="how long faults go on")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--brokers", type=int, choices=[1, 3], default=1)
    parser.add_argument("--quick", action="store_true", help="one fault of each kind in a fixed order instead")
    return parser


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(2, f"chaos: {message}\n")


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0.0
    if not 0 < minutes <= LONGEST:
        raise argparse.ArgumentTypeError(f"needs a number of minutes up to {LONGEST}, not {text!r}")
    return minutes


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
