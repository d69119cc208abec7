import asyncpg
import pytest

from shared.http.database import answering, is_down
from shared.http.problems import Problem

ERRORS = [
    pytest.param(OSError("refused"), True, id="nobody listens"),
    pytest.param(asyncpg.AdminShutdownError("ended"), True, id="the server was told to stop"),
    pytest.param(asyncpg.InternalClientError("cannot switch to state 12"), True, id="it ended the connection just now"),
    pytest.param(asyncpg.InterfaceError("connection is closed"), True, id="the connection was ended before"),
    pytest.param(asyncpg.InterfaceError("the server expects 1 argument"), False, id="we asked wrongly"),
    pytest.param(asyncpg.UndefinedTableError("no such table"), False, id="the statement is wrong"),
]


@pytest.mark.parametrize(("error", "down"), ERRORS)
async def test_a_database_that_is_away_is_told_from_a_statement_that_is_wrong(error: Exception, *, down: bool) -> None:
    assert is_down(error) is down
    with pytest.raises(Problem if down else type(error)):
        async with answering():
            raise error
