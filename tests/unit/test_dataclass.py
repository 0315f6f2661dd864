"""zbuild's own `dataclass` does what the standard one does."""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import FrozenInstanceError, asdict, field, fields, replace
from typing import Any

import pytest

from zbuild.base.dataclass import dataclass


class Body:
    """The fields of the classes under test; `_twins` makes one by each decorator."""

    name: str
    size: int = 3
    told: str = field(default="", compare=False, repr=False)
    items: list[str] = field(default_factory=list)


def _twins(**options: bool) -> tuple[Any, Any]:
    names = {name: value for name, value in vars(Body).items() if name not in ("__dict__", "__weakref__")}
    ours, theirs = (type("Body", (), dict(names)) for _ in range(2))
    return dataclass(slots=True, **options)(ours), dataclasses.dataclass(slots=True, **options)(theirs)


@pytest.fixture(params=[True, False], ids=["frozen", "mutable"])
def twins(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    return _twins(frozen=request.param)


def test_it_shows_and_lists_the_same(twins: tuple[Any, Any]) -> None:
    ours, theirs = (made("a", 4, told="secret", items=["x"]) for made in twins)
    assert repr(ours) == repr(theirs) == "Body(name='a', size=4, items=['x'])"
    assert asdict(ours) == asdict(theirs) == {"name": "a", "size": 4, "told": "secret", "items": ["x"]}
    assert [item.name for item in fields(ours)] == [item.name for item in fields(theirs)]
    assert twins[0].__match_args__ == twins[1].__match_args__
    assert twins[0].__slots__ == twins[1].__slots__


def test_defaults_are_made_anew_for_each(twins: tuple[Any, Any]) -> None:
    for made in twins:
        one, other = made("a"), made("a")
        one.items.append("x")
        assert (one.size, other.items) == (3, [])


def test_it_compares_by_the_fields_that_count(twins: tuple[Any, Any]) -> None:
    for made in twins:
        assert made("a", told="x") == made("a", told="y")
        assert made("a") != made("b")
        assert made("a") != "a"
    assert twins[0]("a") != twins[1]("a"), "of another class"


def test_a_frozen_one_is_hashed_and_kept_as_it_is() -> None:
    made, _ = _twins(frozen=True)
    value = made("a", items=())
    assert hash(value) == hash(made("a", told="other", items=()))
    with pytest.raises(FrozenInstanceError, match="'size'"):
        value.size = 4
    with pytest.raises(FrozenInstanceError, match="'size'"):
        del value.size
    assert replace(value, size=4) == made("a", 4, items=())
    assert copy.deepcopy(value) == value


def test_a_mutable_one_has_no_hash() -> None:
    made, _ = _twins()
    value = made("a")
    value.size = 5
    assert value.size == 5
    with pytest.raises(TypeError, match="unhashable"):
        hash(value)


def test_without_eq_each_is_itself() -> None:
    made, _ = _twins(frozen=True, eq=False)
    value = made("a")
    assert value == value  # noqa: PLR0124 - that is the point
    assert value != made("a")
    assert hash(value) != hash(made("a"))


@pytest.mark.parametrize("arguments", [(), ("a", 1, "", [], "one too many")])
def test_wrong_arguments_are_refused_by_name(twins: tuple[Any, Any], arguments: tuple[object, ...]) -> None:
    for made in twins:
        with pytest.raises(TypeError, match=r"Body\.__init__\(\)"):
            made(*arguments)


def test_methods_of_the_class_stay() -> None:
    @dataclass(frozen=True, slots=True)
    class Named:
        """A class that says itself how it is shown and compared."""

        name: str

        def __repr__(self) -> str:
            return f"<{self.name}>"

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Named) and self.name.lower() == other.name.lower()

        def __hash__(self) -> int:
            return 7

    assert repr(Named("a")) == "<a>"
    assert Named("a") == Named("A")
    assert hash(Named("a")) == 7
