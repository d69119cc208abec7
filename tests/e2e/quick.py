"""`python -m tests.e2e.quick demo …` or `replay …`: the product's command on a server that gives up durability."""

import asyncio
import sys
from argparse import Namespace

import uvloop

from services import __main__ as product
from services import demo, replay


async def run(command: str, chosen: Namespace) -> None:
    """What the command does, on a fast server."""
    settings = product._demo_settings(dispatch=command == "demo")
    if command == "demo":
        await demo.run(demo.Demo(chosen.loans, chosen.days, chosen.seed), settings, chosen.summary, fast=True)
    else:
        own_kafka = chosen.broker == "kafka"
        await replay.run(replay.Replay(chosen.file, chosen.accounts, own_kafka, chosen.out), settings, fast=True)


if __name__ == "__main__":
    product._spare_the_collector()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(sys.argv[1], product._parser().parse_args(sys.argv[1:])))
