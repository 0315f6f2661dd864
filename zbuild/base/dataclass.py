"""The standard library's `dataclass` for slotted classes, made in a tenth of the time.

The standard decorator compiles six functions for each class when its module is imported: 0.5 ms a class, a fifth of
the time of a build that runs one stage, and most of these classes are never called in it (ADR 0021). This one compiles
`__init__` alone, when a class is first called; comparing, hashing and showing need no code of their own. All else is
the standard library's: `field`, `fields`, `replace`, `asdict` and `match` work.
"""

from __future__ import annotations

import dataclasses
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import Field, dataclass  # noqa: TID251 - what it is to type checkers
    from typing import Any

    Fields = tuple[Field[Any], ...]
else:

    def dataclass(*, slots: bool, frozen: bool = False, eq: bool = True) -> Callable[[type], type]:
        """Return the decorator. `slots` must be True: it is there for readers, who know it from the standard one."""
        assert slots, "zbuild.base.dataclass makes slotted classes alone"  # noqa: S101 - for programmers, at import
        return lambda cls: _with_methods(_COLLECT(cls), frozen=frozen, eq=eq)


__all__ = ["dataclass"]

_COLLECT = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)  # noqa: TID251 - what is left of it


def _with_methods(cls: type, *, frozen: bool, eq: bool) -> type:
    fields: Fields = dataclasses.fields(cls)
    methods: dict[str, object] = {"__init__": _init_at_first_call(cls, fields), "__repr__": _shown}
    if eq:
        methods |= _comparing([item.name for item in fields if item.compare], hashed=frozen)
    if frozen:
        methods |= {"__setattr__": _refuse, "__delattr__": _refuse, "__reduce__": _reduced}
    for name, method in methods.items():
        if name not in cls.__dict__ or cls.__dict__[name] is None:
            setattr(cls, name, method)
    return cls


def _init_at_first_call(cls: type, fields: Fields) -> Callable[..., None]:
    def __init__(self: object, *args: object, **named: object) -> None:  # noqa: N807 - the name is shown in errors
        init = cls.__init__ = _compiled_init(cls, fields)  # type: ignore[misc] # it replaces this very function
        init(self, *args, **named)

    return __init__


def _compiled_init(cls: type, fields: Fields) -> Callable[..., None]:
    """Compile `__init__`, which fills the slots by their descriptors: those a frozen class lets through."""
    parameters, lines = ["self"], []
    scope: dict[str, Any] = {"_missing": dataclasses.MISSING}
    for item in fields:
        name = item.name
        scope[f"_set_{name}"] = cls.__dict__[name].__set__
        made = item.default_factory is not dataclasses.MISSING
        scope[f"_default_{name}"] = item.default_factory if made else item.default
        value = f"_default_{name}() if {name} is _missing else {name}" if made else name
        optional = made or item.default is not dataclasses.MISSING
        parameters.append(f"{name}={'_missing' if made else f'_default_{name}'}" if optional else name)
        lines.append(f" _set_{name}(self, {value})")
    source = "\n".join([f"def __init__({', '.join(parameters)}):", *(lines or [" pass"])])
    exec(source, scope)  # noqa: S102 - the names of a class's own fields, as the standard library does
    init: Callable[..., None] = scope["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    return init


def _comparing(names: list[str], *, hashed: bool) -> dict[str, object]:
    """Return the methods that compare and hash by these fields; what can change has no hash."""
    told: Callable[[object], object] = attrgetter(*names) if names else lambda _: ()

    def __eq__(self: object, other: object) -> bool:  # noqa: N807
        return told(self) == told(other) if other.__class__ is self.__class__ else NotImplemented

    def __hash__(self: object) -> int:  # noqa: N807
        return hash(told(self))

    return {"__eq__": __eq__, "__hash__": __hash__ if hashed else None}


def _shown(self: Any) -> str:  # noqa: ANN401 - of any of these classes
    values = ", ".join(f"{item.name}={getattr(self, item.name)!r}" for item in dataclasses.fields(self) if item.repr)
    return f"{self.__class__.__qualname__}({values})"


def _refuse(_: object, name: str, *_value: object) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _reduced(self: Any) -> tuple[type, tuple[object, ...]]:  # noqa: ANN401 - of any of these classes
    """Copy by calling the class: the slots of a frozen one cannot be set from outside."""
    return self.__class__, tuple(getattr(self, item.name) for item in dataclasses.fields(self))
