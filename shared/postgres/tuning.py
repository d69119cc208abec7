"""The embedded server's configuration: what this load wants, and nothing of people in its log."""

from pathlib import Path

import psutil

_MEGABYTE = 2**20
_LARGEST_BUFFERS = 4096
_LEAST_LOG, _LARGEST_LOG = 1024, 32_768
"""Megabytes of write-ahead log: a checkpoint comes after half of it, and then every page is written whole once more."""

_COMMON = """\
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
password_encryption = 'scram-sha-256'
max_connections = 200
timezone = 'UTC'
log_timezone = 'UTC'
jit = off
synchronous_commit = on
idle_in_transaction_session_timeout = '15s'
client_connection_check_interval = '5s'
log_lock_waits = on
log_checkpoints = off
log_autovacuum_min_duration = -1

# Statements, parameters and details of errors quote rows, and rows may tell of people.
log_error_verbosity = terse
log_min_error_statement = panic
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
"""

_DURABLE = """\
fsync = on
full_page_writes = on
max_wal_size = '{log}MB'
checkpoint_timeout = '30min'
shared_buffers = '{buffers}MB'
"""

_FAST = """\
# For tests: a crash of the machine may lose everything, a crash of the server loses nothing.
fsync = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = '2GB'
checkpoint_timeout = '30min'
"""


def configuration(port: int, cluster: Path, *, fast: bool) -> str:
    """The text of the configuration file of a cluster in this folder.

    Buffers are a quarter of the memory, up to 4 GB; the write-ahead log may take a third of the free disk, 1 to 32 GB.
    """
    return f"port = {port}\n{_COMMON}\n{_FAST if fast else _durable(cluster)}"


def _durable(cluster: Path) -> str:
    buffers = min(psutil.virtual_memory().total // 4 // _MEGABYTE, _LARGEST_BUFFERS)
    return _DURABLE.format(buffers=buffers, log=log_room(psutil.disk_usage(str(cluster)).free))


def log_room(free: int) -> int:
    """How many megabytes the write-ahead log may take where so many bytes are free."""
    return max(_LEAST_LOG, min(free // 3 // _MEGABYTE, _LARGEST_LOG))
