"""Frozen dataclasses that are made, and made again with a change, as fast as others.

A frozen dataclass sets its fields one by one through `object.__setattr__`, which looks each name up again, and
`dataclasses.replace` reads them in a loop: to change one of forty fields took longer than most handlers take to decide.
A class with the same slots that is not frozen sets them directly. So a new object has that class while its fields are
set, and is given its own before anybody sees it: from then on it is as frozen as any.
"""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:  # which knows the types of a dataclass's fields by the standard library's own
    from dataclasses import replace

__all__ = ["quick", "replace"]

ClassT = TypeVar("ClassT", bound=type[Any])
Copier = Callable[[Any], Any]

_MARK: Final = "__quick__"


def quick(cls: ClassT) -> ClassT:
    """Let a frozen dataclass with slots be made faster; any other class stays as it is."""
    if _only_sets_fields(cls) and not hasattr(cls.__init__, _MARK):
        init = _init_of(cls)
        setattr(init, _MARK, True)
        cls.__init__ = init  # it takes the same and leaves the same behind
    return cls


if not TYPE_CHECKING:

    def replace(row: Any, /, **changes: Any) -> Any:
        """A new object with some fields changed, as `dataclasses.replace` makes it. Raises TypeError for no field."""
        cls = row.__class__
        copier = _copiers.get(cls)
        if copier is None:
            copier = _copiers[cls] = _copier_of(cls) if _only_sets_fields(cls) else None
        if copier is None:
            return dataclasses.replace(row, **changes)
        new = copier(row)
        try:
            for name, value in changes.items():
                setattr(new, name, value)
        except AttributeError:
            return dataclasses.replace(row, **changes)  # which says what is wrong with it
        new.__class__ = cls
        return new


_copiers: dict[type[Any], Copier | None] = {}
"""By class; None for one that is copied by the standard library."""


def _only_sets_fields(cls: type[Any]) -> bool:
    """Whether making one only sets its slots: nothing comes from a factory, and nothing looks at it afterwards."""
    if not dataclasses.is_dataclass(cls) or cls.__dictoffset__ or hasattr(cls, "__post_init__"):
        return False
    parameters: Any = vars(cls)["__dataclass_params__"]
    plain = all(field.init and field.default_factory is dataclasses.MISSING for field in dataclasses.fields(cls))
    return bool(parameters.frozen) and plain


def _open_twin(cls: type[Any]) -> type[Any]:
    """A class of the same layout whose fields can be set."""
    inside = {"__slots__": vars(cls)["__slots__"], "__setattr__": object.__setattr__}
    return type(f"_Open{cls.__name__}", cls.__bases__, inside)


# Both are written out, as `dataclasses` writes its own: a loop over the fields would cost what is to be saved.


def _init_of(cls: type[Any]) -> Any:
    fields = dataclasses.fields(cls)
    given = {f"_default_{each.name}": each.default for each in fields if each.default is not dataclasses.MISSING}
    sets = [f"self.{each.name} = {each.name}" for each in fields]
    body = ["own = self.__class__", "_be(self, '__class__', _twin)", *sets, "self.__class__ = own"]
    names = {**given, "_be": object.__setattr__, "_twin": _open_twin(cls)}
    init = _written(f"__init__(self{''.join(_taken(fields, given))})", body, names)
    init.__qualname__, init.__annotations__ = f"{cls.__qualname__}.__init__", cls.__init__.__annotations__
    return init


def _taken(fields: "tuple[dataclasses.Field[Any], ...]", given: dict[str, Any]) -> list[str]:
    """The parameters: by place or by name, then those by name alone."""
    either = [each for each in fields if not each.kw_only]
    named = [each for each in fields if each.kw_only]
    taken = [
        f", {each.name}=_default_{each.name}" if f"_default_{each.name}" in given else f", {each.name}"
        for each in (*either, *named)
    ]
    return [*taken[: len(either)], ", *", *taken[len(either) :]] if named else taken


def _copier_of(cls: type[Any]) -> Copier:
    sets = [f"new.{each.name} = row.{each.name}" for each in dataclasses.fields(cls)]
    names = {"_new": object.__new__, "_twin": _open_twin(cls)}
    copier: Copier = _written("copied(row)", ["new = _new(_twin)", *sets, "return new"], names)
    return copier


def _written(signature: str, body: list[str], names: dict[str, Any]) -> Any:
    """A function of such a body that sees these names."""
    lines = "".join(f"    {line}\n" for line in body)
    exec(f"def {signature}:\n{lines}", names)  # noqa: S102  # of the names of fields alone
    return names[signature.partition("(")[0]]
