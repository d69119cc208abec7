import pytest

from shared.postgres.tuning import log_room

GIGABYTE = 2**30


@pytest.mark.parametrize(
    ("free", "megabytes"),
    [(300 * GIGABYTE, 32 * 1024), (90 * GIGABYTE, 30 * 1024), (6 * GIGABYTE, 2 * 1024), (GIGABYTE, 1024), (0, 1024)],
    ids=["a large disk", "a third of it", "a small disk", "hardly any room", "none"],
)
def test_the_log_takes_what_the_disk_has_room_for(free: int, megabytes: int) -> None:
    assert log_room(free) == megabytes
