"""Up to where a log is counted: never beyond what may still be added below, and from the beginning of another log."""

import pytest

from services.outreach.contacts.red_line_counts import AT_ONCE, Newest, Place

START = Place(0, 0, 0)


def looked(place: Place, *logs: Newest) -> Place:
    for log in logs:
        place = place.with_seen(log).moved(log)
    return place


def test_what_is_seen_while_nothing_is_running_is_counted_at_once() -> None:
    assert looked(START, Newest(7, horizon=50, ended=50)).counted == 7


def test_what_is_seen_while_something_is_running_waits_until_that_has_ended() -> None:
    busy = looked(START, Newest(7, horizon=50, ended=48))
    assert (busy.counted, busy.seen, busy.horizon) == (0, 7, 50)
    still = looked(busy, Newest(9, horizon=60, ended=49))
    assert (still.counted, still.seen, still.horizon) == (0, 7, 50), "what is seen later does not put it off"
    assert looked(still, Newest(12, horizon=70, ended=50)).counted == 7


def test_one_piece_is_counted_at_a_time() -> None:
    log = Newest(2 * AT_ONCE + 1, horizon=50, ended=50)
    place, counted = START, []
    for _ in range(4):
        place = looked(place, log)
        counted.append(place.counted)
    assert counted == [AT_ONCE, 2 * AT_ONCE, 2 * AT_ONCE + 1, 2 * AT_ONCE + 1]


def test_where_nothing_is_new_nothing_is_written() -> None:
    place = looked(START, Newest(7, horizon=50, ended=50), Newest(7, horizon=60, ended=60))
    assert looked(place, Newest(7, horizon=70, ended=65)) == place


@pytest.mark.parametrize(
    ("place", "counted"),
    [
        pytest.param(Place(9, 9, 0), 0, id="another log"),
        pytest.param(Place(9, 12, 40), 0, id="another log, while one was seen"),
        pytest.param(Place(2, 12, 40), 2, id="what was seen is not there any more"),
    ],
)
def test_a_log_that_has_become_shorter_is_counted_from_its_beginning(place: Place, counted: int) -> None:
    log = Newest(5, horizon=50, ended=50)
    assert place.with_seen(log) == Place(counted, 5, 50)
