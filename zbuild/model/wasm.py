"""A WebAssembly component, as a ZImagefile's `wasm` describes it."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Literal, TypeAlias

from zbuild.base.dataclass import dataclass
from zbuild.model.ops import NOWHERE

if TYPE_CHECKING:
    from zbuild.base.span import Span
    from zbuild.model.ops import Command, Pairs

WasmTarget: TypeAlias = Literal["preview1", "preview2"]
WasmOptimisation: TypeAlias = Literal["O", "Os", "Oz", "O2", "O3"]
WasmLanguage: TypeAlias = Literal["", "rust", "go", "python", "typescript", "assemblyscript", "c", "zig"]


@dataclass(frozen=True, slots=True)
class WasmComponent:
    """What is built in place of stages; the fields are the keys of `wasm`.

    `language` "" means: found out by the files there. Paths are as written, relative to the context.
    """

    target: WasmTarget = "preview2"
    optimize: bool = False
    opt_level: WasmOptimisation = "Oz"
    language: WasmLanguage = ""
    wit: str = ""
    world: str = ""
    output: str = ""
    features: tuple[str, ...] = ()
    build_args: Pairs = ()
    pre_build: tuple[Command, ...] = ()
    post_build: tuple[Command, ...] = ()
    adapter: str = ""
    oci: bool = False
    span: Span = field(default=NOWHERE, compare=False)
