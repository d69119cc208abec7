import pytest

from shared.messaging.embedded_log import fair_shares

CASES = {
    "one lane gets all it lacks": ([30], 100, [30]),
    "one lane gets no more than the limit": ([300], 100, [100]),
    "lanes alike share alike": ([300, 300, 300, 300], 100, [25, 25, 25, 25]),
    "what small lags leave over goes to the large ones": ([1, 1000, 9, 1000], 100, [1, 45, 9, 45]),
    "every lane gets at least one record": ([5, 5, 5], 2, [1, 1, 1]),
}


@pytest.mark.parametrize(("behind", "limit", "shares"), CASES.values(), ids=CASES)
def test_fair_shares(behind: list[int], limit: int, shares: list[int]) -> None:
    assert fair_shares(behind, limit) == shares
