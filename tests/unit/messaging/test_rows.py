"""Between rows and columns, and what a change means for a table."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.reading import holds_nul
from shared.messaging.layout import Layout, Table
from shared.messaging.rows import Differences, columns_of, differences, tally
from shared.messaging.store import Change


class Mood(StrEnum):
    CALM = "calm"


@dataclass(frozen=True, slots=True)
class Wide:
    text: str
    number: int
    truth: bool
    day: date
    instant: datetime
    raw: bytes
    mood: Mood
    many: tuple[str, ...]
    either: int | str
    maybe_text: str | None
    maybe_mood: Mood | None
    maybe_many: dict[str, int] | None


def test_each_type_has_its_column() -> None:
    types = {column.name: column.sql for column in columns_of(Table("wide", Wide))}
    assert types == {
        "text": "text",
        "number": "bigint",
        "truth": "boolean",
        "day": "date",
        "instant": "timestamptz",
        "raw": "bytea",
        "mood": "text",
        "many": "json",
        "either": "json",
        "maybe_text": "text",
        "maybe_mood": "text",
        "maybe_many": "json",
    }


@dataclass(frozen=True, slots=True)
class Row:
    key: str
    value: int


@dataclass(frozen=True, slots=True)
class State:
    debtor_id: str
    one: Row | None
    many: dict[str, Row]
    log: tuple[Row, ...]


LAYOUT = Layout(
    State,
    {
        "one": Table("one", Row),
        "many": Table("many", Row, key=("key",)),
        "log": Table("log", Row, use="journal"),
    },
)
A, B = Row("a", 1), Row("b", 2)
BEFORE = State("d1", A, {"a": A, "b": B}, ())
DIFFERENCES: list[Any] = [
    pytest.param("one", {}, [], [], [], id="nothing is different"),
    pytest.param("one", {"one": replace(A)}, [], [], [], id="an equal row is no difference"),
    pytest.param("one", {"one": B}, [], [("d1", B)], [], id="the only row changes"),
    pytest.param("one", {"one": None}, [], [], [("d1", None)], id="the only row goes"),
    pytest.param("many", {"many": {"a": A}}, [], [], [("d1", "b")], id="one of many goes"),
    pytest.param(
        "many", {"many": {"a": A, "b": B, "c": Row("c", 3)}}, [(3, "d1", Row("c", 3))], [], [], id="one comes"
    ),
    pytest.param(
        "many", {"many": {"b": Row("b", 9)}}, [], [("d1", Row("b", 9))], [("d1", "a")], id="one changes, one goes"
    ),
    pytest.param("log", {"log": (B, A)}, [(3, "d1", B), (3, "d1", A)], [], [], id="a journal grows"),
]


@pytest.mark.parametrize(("name", "fields", "inserts", "updates", "deletes"), DIFFERENCES)
def test_a_change_is_what_differs(name: str, fields: Any, inserts: Any, updates: Any, deletes: Any) -> None:
    every = differences(LAYOUT, [Change(3, "d1", BEFORE, replace(BEFORE, **fields))])
    found = every.get(name, Differences())
    assert every.keys() <= {name}
    assert (found.inserts, found.updates, found.deletes) == (inserts, updates, deletes)


SUMS = Table("sums", Row, key=("key",), use="tally", amount="value")


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from("ab"), st.integers(-3, 3))))
def test_a_tally_is_the_sum_by_shard_and_key_without_zeros(given_rows: list[tuple[int, str, int]]) -> None:
    found = tally(SUMS, [(shard, "d", Row(key, value)) for shard, key, value in given_rows])
    sums: dict[tuple[int, str], int] = {}
    for shard, key, value in given_rows:
        sums[shard, key] = sums.get((shard, key), 0) + value
    assert {place: row.value for place, row in found.items()} == {place: each for place, each in sums.items() if each}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ('"a\\u0000b"', True),
        ('"\\\\\\u0000"', True),
        ('"a\\\\u0000b"', False),
        ('"\\\\\\\\u0000"', False),
        ('"u0000"', False),
        ('"\\\\u0000\\u0000"', True),
    ],
)
def test_a_nul_within_json_is_found_and_what_only_looks_like_one_is_not(text: str, *, holds: bool) -> None:
    assert holds_nul(text.encode()) is holds
