"""What is made quickly is what `dataclasses` makes: the same signature, the same object, as frozen."""

import copy
import dataclasses
import inspect
import pickle
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.installed import declared
from shared.frozen import quick, replace
from shared.settings import Settings

LAYOUTS = [kind.layout for service in declared(Settings.demo({})) for kind in service.actors]
ROWS = {each for layout in LAYOUTS for each in (layout.state, *(table.row for table in layout.tables.values()))}
FILLED = {
    each for each in ROWS if any(one.default_factory is not dataclasses.MISSING for one in dataclasses.fields(each))
}
ALL = sorted({*ROWS} - FILLED, key=lambda each: each.__name__)

values = st.integers() | st.text(max_size=3) | st.none()


@dataclass(frozen=True, slots=True)
class Base:
    """A class to build on."""

    first: int
    second: str = "two"


@dataclass(frozen=True, slots=True)
class Derived(Base):
    """Its slots are its own and those of its base."""

    third: int | None = None
    fourth: int = field(default=4, kw_only=True)


@dataclass(frozen=True, slots=True)
class Looking:
    """Looks at itself once it is made."""

    number: int

    def __post_init__(self) -> None:
        if self.number < 0:
            raise ValueError("negative")


@dataclass(frozen=True, slots=True)
class Filled:
    """A part comes from a factory."""

    parts: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Roomy:
    """Has no slots."""

    number: int


def fresh(cls: type[Any]) -> type[Any]:
    """The same class, not made quickly."""
    return dataclasses.make_dataclass(
        cls.__name__,
        [
            (each.name, each.type, field(default=each.default, kw_only=each.kw_only))
            if each.default is not dataclasses.MISSING
            else (each.name, each.type, field(kw_only=each.kw_only))
            for each in dataclasses.fields(cls)
        ],
        frozen=True,
        slots=True,
    )


@pytest.mark.parametrize("cls", ALL, ids=lambda each: each.__name__)
def test_every_row_and_state_takes_what_it_says(cls: type[Any]) -> None:
    taken = {name: (each.kind, each.default) for name, each in inspect.signature(cls).parameters.items()}
    said = {name: (each.kind, each.default) for name, each in inspect.signature(fresh(cls)).parameters.items()}
    assert taken == said
    assert hasattr(cls.__init__, "__quick__"), "it is made slowly"


@pytest.mark.parametrize("cls", ALL, ids=lambda each: each.__name__)
def test_every_row_and_state_is_frozen(cls: type[Any]) -> None:
    names = [each.name for each in dataclasses.fields(cls)]
    made = cls(**dict.fromkeys(names, 1))
    assert type(made) is cls
    assert [getattr(made, name) for name in names] == [1] * len(names)
    for changed in (made, replace(made, **{names[-1]: 2})):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(changed, names[0], 3)
        with pytest.raises(dataclasses.FrozenInstanceError):
            delattr(changed, names[0])
    assert made == cls(**dict.fromkeys(names, 1)) != replace(made, **{names[-1]: 2})


@given(
    st.tuples(values, values, values, values), st.dictionaries(st.sampled_from(["first", "third", "fourth"]), values)
)
def test_it_is_the_same_object_however_it_is_made(given: tuple[Any, ...], changes: dict[str, Any]) -> None:
    slow, fast = fresh(Derived), quick(Derived)
    theirs, ours = (cls(*given[:3], fourth=given[3]) for cls in (slow, fast))
    assert dataclasses.astuple(theirs) == dataclasses.astuple(ours)
    assert repr(theirs).rpartition(".")[2] == repr(ours).rpartition(".")[2]
    assert dataclasses.astuple(dataclasses.replace(theirs, **changes)) == dataclasses.astuple(replace(ours, **changes))
    assert hash(ours) == hash(copy.copy(ours)) == hash(pickle.loads(pickle.dumps(ours)))  # noqa: S301  # our own
    assert replace(ours) == ours
    assert isinstance(replace(ours), Base)


def test_hardly_any_row_is_made_slowly() -> None:
    assert {each.__name__ for each in FILLED} == {"Person", "Trial"}


def test_of_two_classes_each_stays_what_it_is() -> None:
    base, derived = quick(Base)(1), quick(Derived)(1)
    assert (type(base), type(derived)) == (Base, Derived)
    assert (derived.second, derived.third, derived.fourth) == ("two", None, 4)


@pytest.mark.parametrize("how", [replace, dataclasses.replace])
def test_what_is_no_field_is_refused_as_ever(how: Any) -> None:
    for wrong in ({"fifth": 5}, {"__class__": int}):
        with pytest.raises(TypeError):
            how(quick(Derived)(1), **wrong)


def test_what_is_missing_is_refused_as_ever() -> None:
    with pytest.raises(TypeError, match=r"__init__\(\) missing 1 required positional argument: 'first'"):
        quick(Derived)()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        quick(Derived)(1, "two", 3, 4)  # type: ignore[call-arg]


@pytest.mark.parametrize(("cls", "first"), [(Looking, 1), (Filled, [1]), (Roomy, 1)])
def test_what_does_more_than_set_its_fields_stays_as_it_is(cls: type[Any], first: Any) -> None:
    init = cls.__init__
    assert quick(cls).__init__ is init
    name = dataclasses.fields(cls)[0].name
    assert getattr(replace(cls(first), **{name: 2}), name) == 2
    with pytest.raises(ValueError, match="negative"):
        replace(Looking(1), number=-1)


def test_nothing_that_is_frozen_is_seen_open() -> None:
    made = quick(Base)(1)
    with pytest.raises(TypeError):
        Base.__init__(made)  # type: ignore[call-arg]
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.first = 2  # type: ignore[misc]
