"""What commands share."""

import argparse
from typing import Any


class OneLineParser(argparse.ArgumentParser):
    """Refuses wrong arguments in one line."""

    def error(self, message: str) -> Any:
        """End with exit code 2."""
        self.exit(2, f"{self.prog}: {message}\n")
