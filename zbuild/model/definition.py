"""An image's definition: its stages, in the order written."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, TypeAlias

from zbuild.base.dataclass import dataclass
from zbuild.model.ops import NOWHERE

if TYPE_CHECKING:
    from zbuild.base.span import Span
    from zbuild.model.ops import Arg, Op, Pairs
    from zbuild.model.wasm import WasmComponent


@dataclass(frozen=True, slots=True)
class NamedBase:
    """`FROM text`: scratch, an earlier stage, an image of the workspace or a registry reference; still a word."""

    text: str
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class NestedBuild:
    """`build:` in place of a base: build that image first. Paths are relative to the workspace, with `/`.

    Either `image` names an image of the workspace, or `context` is a folder; `file` "" means: found there.
    """

    context: str = ""
    file: str = ""
    args: Pairs = ()
    target: str = ""
    image: str = ""
    span: Span = field(default=NOWHERE, compare=False)


Base: TypeAlias = NamedBase | NestedBuild


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage. `name` is as written ("" = none); `platform` is a word, "" = the build's."""

    name: str
    base: Base
    ops: tuple[Op, ...] = ()
    platform: str = ""
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Definition:
    """A whole build file: global ARGs and at least one stage; `escape` is the word rules' escape character.

    `file` is the path as shown to people, relative to the workspace where it lies inside. A `wasm` component has no
    stages.
    """

    file: str
    stages: tuple[Stage, ...]
    args: tuple[Arg, ...] = ()
    escape: str = "\\"
    wasm: WasmComponent | None = None
