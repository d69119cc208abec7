"""What the driver raises where a server is away, refuses, or has ended a connection."""

from typing import Final

import asyncpg

DRIVER_ERRORS: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""The third comes of a connection that the server has ended between two statements, before its end is noticed."""
