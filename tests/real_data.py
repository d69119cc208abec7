"""Real data beside the checkout, which is no part of the repository."""

from pathlib import Path

import pytest

DATA = Path(__file__).parents[2] / "shared" / "data"


def real(name: str) -> Path:
    """A file of real data, by its path below the data folder; whoever asks for one that is absent is skipped."""
    if not (DATA / name).exists():
        pytest.skip("the real data is no part of the repository")
    return DATA / name


def card_panel() -> Path:
    """Ten years of credit cards by month: their accounts and days past due."""
    return real("card_panel/credit_record.zip")
