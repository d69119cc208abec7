"""Sharing actors among workers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.messaging.leases import Wanted, share

SHARES = [
    pytest.param(4, [], {}, 1, Wanted((0, 1, 2, 3), ()), id="the only worker takes all"),
    pytest.param(4, [], {}, 2, Wanted((0, 1), ()), id="one of two takes half"),
    pytest.param(5, [], {}, 2, Wanted((0, 1, 2), ()), id="halves are rounded up"),
    pytest.param(
        4, [0, 1, 2, 3], dict.fromkeys(range(4), "a"), 2, Wanted((), (2, 3)), id="what is beyond the share is given up"
    ),
    pytest.param(4, [0, 1], {0: "a", 1: "a", 2: "b", 3: "b"}, 2, Wanted((), ()), id="a fair share stays"),
    pytest.param(4, [0], {0: "a", 1: "b", 2: "b"}, 2, Wanted((3,), ()), id="what others hold is theirs"),
    pytest.param(
        4, [], {0: "a", 1: "a", 2: "b", 3: "b"}, 2, Wanted((0, 1), ()), id="what bears my name is mine to take"
    ),
    pytest.param(4, [0, 1], {0: "b", 1: "b"}, 2, Wanted((2, 3), (0, 1)), id="what another has taken over is lost"),
    pytest.param(
        4, [0, 1, 2], {0: "b", 1: "a", 2: "a"}, 2, Wanted((), (0,)), id="what is left after a loss may be a fair share"
    ),
    pytest.param(2, [0], {}, 1, Wanted((0, 1), (0,)), id="what was lost and left by its taker is taken again"),
    pytest.param(4, [3], {3: "a"}, 1, Wanted((0, 1, 2), ()), id="a survivor takes the rest"),
    pytest.param(
        3, [], {0: "a", 1: "a", 2: "a"}, 2, Wanted((0, 1), (), (2,)), id="what bears my name beyond my share is left"
    ),
    pytest.param(1, [], {0: "b"}, 2, Wanted((), ()), id="one actor has one holder"),
    pytest.param(0, [], {}, 1, Wanted((), ()), id="there is nothing to take"),
    pytest.param(2, [], {}, 0, Wanted((0, 1), ()), id="a worker that is not counted yet counts itself"),
]


@pytest.mark.parametrize(("actors", "mine", "held", "workers", "wanted"), SHARES)
def test_a_worker_comes_to_its_share(
    actors: int, mine: list[int], held: dict[int, str], workers: int, wanted: Wanted
) -> None:
    assert share(actors, mine, held, "a", workers) == wanted


@given(st.integers(0, 40), st.integers(1, 6), st.data())
def test_workers_that_take_turns_come_to_hold_everything_once_and_evenly(
    actors: int, workers: int, data: st.DataObject
) -> None:
    names, numbers = [f"w{n}" for n in range(workers)], range(actors)
    believed = {name: data.draw(st.sets(st.sampled_from(numbers))) if actors else set() for name in names}
    held = data.draw(st.dictionaries(st.sampled_from(numbers), st.sampled_from(names))) if actors else {}
    for _ in range(3):
        for name in names:
            wanted = share(actors, believed[name], held, name, workers)
            assert not {number for number in wanted.take if held.get(number, name) != name}
            believed[name] = (believed[name] - set(wanted.give_up)) | set(wanted.take)
            ours = {number for number in (*wanted.give_up, *wanted.disown) if held.get(number) == name}
            held = {number: holder for number, holder in held.items() if number not in ours}
            held |= dict.fromkeys(wanted.take, name)
    assert sorted(held) == list(numbers)
    assert believed == {name: {number for number in held if held[number] == name} for name in names}
    assert max(len(numbers) for numbers in believed.values()) <= -(-actors // workers)
