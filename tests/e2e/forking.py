"""`python -m tests.e2e.forking`: runs the product's commands, each in a fork of one process that has imported it.

Reads {"arguments", "environment"} a line, and answers [exit code, standard output, standard error].
"""

import json
import os
import sys
import tempfile
import traceback
from typing import Any

from services.__main__ import main


def run(request: dict[str, Any]) -> int:
    """Run the command in this process; what `python -m services` would exit with."""
    os.environ.clear()
    os.environ.update(request["environment"])
    try:
        return main(request["arguments"])
    except SystemExit as end:
        return int(end.code or 0)
    except Exception:  # noqa: BLE001  # any error at all: python would print it too, and exit with 1
        traceback.print_exc()
        return 1


def forked(request: dict[str, Any]) -> tuple[int, str, str]:
    """Run it in a child, with outputs of its own."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if not child:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            code = run(request)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        _, status = os.waitpid(child, 0)
        out.seek(0)
        err.seek(0)
        return os.waitstatus_to_exitcode(status), out.read().decode(), err.read().decode()


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(f"{json.dumps(forked(json.loads(line)))}\n")
        sys.stdout.flush()
