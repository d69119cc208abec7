"""Where the real samples lie that are no part of the repository."""

from pathlib import Path

import pytest

DATA = Path(__file__).parents[4] / "shared" / "data"


def sample(*parts: str) -> Path:
    """A file or folder of the samples; the test is skipped where there are none."""
    found = DATA.joinpath(*parts)
    if not found.exists():
        pytest.skip("the real samples are no part of the repository")
    return found
