"""What the outbox keeps of facts is the facts, whole, in less room."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.messaging.frames import FramedFact, frame
from shared.messaging.packing import LEAST, DamagedError, packed, unpacked

FACTS = st.builds(FramedFact, st.binary(max_size=40), st.text(max_size=20), st.text(max_size=60), st.binary())


@given(st.lists(FACTS, max_size=40), st.integers(1, 100))
def test_whatever_is_kept_comes_back(facts: list[FramedFact], times: int) -> None:
    body = frame(facts * times)
    assert unpacked(packed(body)) == body


def test_facts_of_a_kind_take_a_fraction() -> None:
    value = b'{"id":"%032x","type":"intake.case-updated.v1","lender_id":"north"}'
    body = frame([FramedFact(b"d%d" % each, "intake.case-updated.v1", "", value % each) for each in range(200)])
    assert len(packed(body)) < len(body) / 5


def test_what_is_small_stays_as_it_is() -> None:
    body = frame([FramedFact(b"d", "t", "", b"v" * 200)])
    assert len(body) < LEAST
    assert packed(body) is body


@pytest.mark.parametrize("size", [1, 15, 16, 70_000])
def test_what_was_kept_before_is_read_as_it_is(size: int) -> None:
    body = frame([FramedFact(b"", "", "", b"")] * size)
    assert unpacked(body) is body


@pytest.mark.parametrize("cut", [5, 20, -1])
def test_a_damaged_frame_is_said_to_be_so(cut: int) -> None:
    kept = packed(frame([FramedFact(b"d", "t", "", b"v" * 5000)]))
    with pytest.raises(DamagedError):
        unpacked(kept[:cut])
