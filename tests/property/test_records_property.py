from __future__ import annotations

import marshal
import tempfile
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zbuild.base.sealed import seal, unseal
from zbuild.base.span import Span
from zbuild.model import ops
from zbuild.model.definition import Definition, NamedBase, NestedBuild, Stage
from zbuild.model.mounts import CacheMount, SecretMount
from zbuild.state.codec import Codec
from zbuild.state.folder import StateFolder
from zbuild.state.record import Record
from zbuild.state.records import RecordStore

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

CLASSES = (Span, ops.ShellForm, ops.ExecForm, ops.Arg, ops.Env, ops.Run, ops.Copy, CacheMount, SecretMount)
CODEC = Codec((*CLASSES, NamedBase, NestedBuild, Stage, Definition))
TEXT = st.text(max_size=8)


def strict(value: object) -> object:
    """Spell a value out, types and spans included, which comparison leaves out."""
    if is_dataclass(value):
        return (type(value), *(strict(getattr(value, field.name)) for field in fields(value)))
    if isinstance(value, tuple):
        return (tuple, *map(strict, value))
    if isinstance(value, dict):
        return (dict, *((strict(key), strict(item)) for key, item in value.items()))
    return (type(value), value)


def definitions() -> SearchStrategy[Definition]:
    spans = st.builds(Span, TEXT, st.integers(0, 2**40), st.integers(1, 99))
    words = st.lists(TEXT, max_size=3).map(tuple)
    pairs = st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple)
    commands = st.builds(ops.ShellForm, TEXT) | st.builds(ops.ExecForm, words)
    mounts = st.builds(CacheMount, TEXT, TEXT) | st.builds(SecretMount, TEXT)
    args = st.builds(ops.Arg, TEXT, st.none() | TEXT, span=spans)
    runs = st.builds(
        ops.Run, commands, st.lists(mounts, max_size=2).map(tuple), pairs, retries=st.none() | st.integers(), span=spans
    )
    steps = args | runs | st.builds(ops.Env, pairs, span=spans) | st.builds(ops.Copy, words, TEXT, span=spans)
    bases = st.builds(NamedBase, TEXT, span=spans) | st.builds(NestedBuild, TEXT, args=pairs, span=spans)
    stages = st.builds(Stage, TEXT, bases, st.lists(steps, max_size=4).map(tuple), span=spans)
    return st.builds(Definition, TEXT, st.lists(stages, max_size=3).map(tuple), st.lists(args, max_size=2).map(tuple))


def values() -> SearchStrategy[object]:
    atoms = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT | st.binary(max_size=4)
    return st.recursive(
        atoms | definitions(),
        lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(TEXT, inner, max_size=3),
        max_leaves=8,
    )


def decoded(value: object) -> object:
    return CODEC.decode(marshal.loads(marshal.dumps(CODEC.encode(value))))  # noqa: S302 - made in the same line


@given(values())
def test_what_is_encoded_is_decoded_spans_included(value: object) -> None:
    assert strict(decoded(value)) == strict(value)


@given(definitions())
def test_objects_may_be_keys_and_sharing_is_kept(definition: Definition) -> None:
    value = decoded({definition: definition, "again": (definition,)})
    assert isinstance(value, dict)
    assert value == {definition: definition, "again": (definition,)}
    assert value[definition] is value["again"][0]


def test_a_graph_of_two_thousand_objects_is_mostly_columns() -> None:
    stage = [Stage(f"s{n}", NamedBase("x", Span("f", n)), (ops.Env((("A", "b"),), Span("f", n)),)) for n in range(500)]
    shape, groups, _ = CODEC.encode(Definition("f", tuple(stage)))
    assert len(shape) == len(CLASSES) + 4
    counts = {CODEC._classes[kind].__name__: count for kind, count, _ in groups}
    # The stages share one more span, which is nowhere.
    assert counts == {"Span": 1001, "NamedBase": 500, "Env": 500, "Stage": 500, "Definition": 1}


@dataclass(frozen=True)
class Unslotted:
    field: int


@dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: int


def test_classes_must_be_slotted_dataclasses() -> None:
    for cls in (Unslotted, int, Path):
        with pytest.raises(TypeError, match="no slotted dataclass"):
            Codec([cls])


@pytest.mark.parametrize("value", [Point(1, 2), [1], {1}, (1, object()), {"a": Path()}, True.__class__])
def test_other_types_are_refused_by_name(value: object) -> None:
    with pytest.raises(TypeError, match="cannot be encoded"):
        CODEC.encode(value)


def test_what_was_encoded_for_other_classes_is_refused() -> None:
    plain = Codec([Point]).encode(Point(1, 2))
    assert Codec([Point]).decode(plain) == Point(1, 2)
    with pytest.raises(ValueError, match="other classes"):
        CODEC.decode(plain)


@pytest.mark.parametrize("damage", [None, (), (1, 2), "abc", [1, 2, 3]])
def test_what_is_no_encoded_value_is_refused(damage: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the wording depends on where it does not fit
        CODEC.decode(damage)
    shape, groups, _ = CODEC.encode(Span("a", 1))
    for broken in ((shape, groups, [0, 7]), (shape, damage, [0, 0]), (shape, ((0, 1, ()),), [0, 0])):
        with pytest.raises(ValueError):  # noqa: PT011 - likewise
            CODEC.decode(broken)


@given(st.binary(max_size=200))
def test_no_bytes_make_unsealing_raise(data: bytes) -> None:
    assert unseal("stamp", data) is None
    assert unseal("stamp", seal("stamp", 1)[:-5] + data) in (None, 1)


def records() -> SearchStrategy[Record]:
    keys = st.sampled_from("abcd")
    names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
    # File names that are no UTF-8 hold such surrogates.
    odd = st.text(
        st.characters(codec="utf-8") | st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF, categories=["Cs"])
    )
    return st.builds(
        Record,
        key=keys,
        static_key=st.sampled_from("st"),
        own_key=st.sampled_from("op"),
        stage=names,
        backend=names,
        platform=names,
        image_id=names,
        digest=names,
        diff_ids=st.lists(odd, max_size=3).map(tuple),
        config=names,
        size=st.integers(0, 2**62),
        layer_count=st.integers(0, 200),
        seconds=st.floats(0, 1e6),
        step_seconds=st.lists(st.floats(0, 1e6), max_size=3).map(tuple),
        inputs=st.lists(st.tuples(odd, odd, odd), max_size=3).map(tuple),
        exports=st.dictionaries(names, names, max_size=3).map(lambda found: tuple(sorted(found.items(), key=_bytes))),
        created=st.floats(0, 4e9),
        run_id=names,
    )


def _bytes(export: tuple[str, str]) -> bytes:
    """Sort as sqlite does, whose exports come back by selection."""
    return export[0].encode()


@settings(max_examples=40)
@given(st.lists(records(), max_size=8))
def test_a_store_is_a_dict_that_remembers_the_order_of_writing(written: list[Record]) -> None:
    expected: dict[str, Record] = {}
    with tempfile.TemporaryDirectory() as root:
        folder = StateFolder.open(Path(root))
        with RecordStore.open(folder, pytest.fail) as store:
            for record in written:
                store.put(record)
                expected.pop(record.key, None)
                expected[record.key] = record
        with RecordStore.open(folder, pytest.fail) as store:
            assert list(store.records()) == list(expected.values())
            assert store.get_many("abcd") == expected
            assert store.by_static_many("st") == {record.static_key: record for record in expected.values()}
