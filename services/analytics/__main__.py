"""`python -m services.analytics rebuild --check`: fold every kept fact again and compare with what is stored."""

import argparse
import asyncio
import os
import sys

import asyncpg

from services.analytics.service import rebuild
from services.analytics.store import Rebuilt
from shared.environment import SettingsError
from shared.settings import Settings

SHOWN = 20
"""Differences that are printed; the number of all of them is."""


def main(arguments: list[str]) -> int:
    """Return 0 where a rebuild gives what is stored, 1 where it does not, 2 where it could not be tried."""
    parser = argparse.ArgumentParser(prog="python -m services.analytics", description=__doc__)
    parser.add_argument("command", choices=["rebuild"])
    parser.add_argument("--check", action="store_true", required=True, help="compare only; nothing is written")
    parser.parse_args(arguments)
    try:
        url = Settings.from_environment(os.environ, services=("analytics",)).database_url("analytics")
        rebuilt = asyncio.run(_rebuild(url))
    except (SettingsError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        sys.stderr.write(f"analytics: cannot rebuild: {type(error).__name__}: {error}".splitlines()[0] + "\n")
        return 2
    sys.stdout.write(told(rebuilt))
    return exit_code(rebuilt)


async def _rebuild(url: str) -> Rebuilt:
    connection = await asyncpg.connect(url)
    try:
        return await rebuild(connection)
    finally:
        await connection.close()


def exit_code(rebuilt: Rebuilt) -> int:
    """0 where a rebuild gave what is stored, 1 where it did not."""
    return 1 if rebuilt.differences else 0


def told(rebuilt: Rebuilt) -> str:
    """The result in lines: how much was read, then the first differences."""
    first = f"{rebuilt.facts} facts of {rebuilt.debtors} debtors: {len(rebuilt.differences)} differences\n"
    shown = (f"{d.table} {d.key}: stored {d.stored}, rebuilt {d.rebuilt}\n" for d in rebuilt.differences[:SHOWN])
    return first + "".join(shown)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
