"""One service's workers as a process of their own, as production runs them but for the clock.

python -m benchmarks.worker SERVICE --broker URL --clock FILE --speed 30
"""

import argparse
import asyncio
import cProfile
import gc
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import uvloop

from benchmarks.clock import FollowedClock
from services.installed import declared
from shared import logs
from shared.messaging.broker_from_url import open_broker
from shared.runtime import Role, Runtime, stop_on_signals
from shared.settings import Settings


async def work(service: str, broker_url: str, clock: FollowedClock) -> None:
    """Work until told to stop."""
    stopping = stop_on_signals()
    settings = Settings.demo(os.environ)
    logs.configure(settings.mode)
    # How fresh a lane is, is told by records' timestamps: who contacts people there has to read them on its own clock.
    broker = await open_broker(broker_url, clock=clock.now if settings.dispatch else None)
    try:
        await Runtime(declared(settings, [service]), [Role.WORKER], settings, broker, clock, stopping).run()
    finally:
        await broker.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one service's workers; with --profile, leave there where the time went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("service")
    parser.add_argument("--broker", required=True)
    parser.add_argument("--clock", type=Path, required=True)
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--profile", type=Path)
    chosen = parser.parse_args(arguments)
    gc.freeze()  # as `python -m services` does: events and states are acyclic
    gc.set_threshold(100_000, 50, 50)
    profile = cProfile.Profile(time.process_time) if chosen.profile else None
    clock = FollowedClock(chosen.clock, chosen.speed)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if profile:
            profile.enable()
        runner.run(work(chosen.service, chosen.broker, clock))
    if profile:
        profile.disable()
        profile.dump_stats(chosen.profile)
    return 0


if __name__ == "__main__":
    sys.exit(main())
