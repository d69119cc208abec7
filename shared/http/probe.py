"""`python -m shared.http.probe URL`: whether a part answers 200, for container engines: their images lack clients."""

import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Final

SECONDS: Final = 4.0


def main(arguments: Sequence[str]) -> int:
    """0 where the address answers 200, else 1 with what was wrong on standard error."""
    (url,) = arguments
    if not url.startswith("http://"):
        sys.stderr.write(f"{url} is no http:// address\n")
        return 1
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=SECONDS) as answer:
            answer.read()
    except urllib.error.HTTPError as error:
        sys.stderr.write(f"{error.code} {error.read(2000).decode(errors='replace')}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"no answer: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
