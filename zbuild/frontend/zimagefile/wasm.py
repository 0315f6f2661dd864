"""The `wasm` of a ZImagefile: a component to build in place of stages."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from zbuild.frontend.values import command_of
from zbuild.model.wasm import WasmComponent
from zbuild.syntax.nodes import Sequence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zbuild.frontend.zimagefile.scope import Scope
    from zbuild.model.ops import Command
    from zbuild.model.wasm import WasmLanguage, WasmOptimisation, WasmTarget
    from zbuild.syntax.nodes import Mapping


def lower_wasm(top: Mapping, scope: Scope) -> WasmComponent:
    """Return the component that a file with `wasm` describes."""
    if "steps" in top:
        hint = "'pre_build' and 'post_build' take commands"
        scope.diagnostics.error("conflicting-keys", "'steps' and 'wasm' exclude each other", top.place("steps"), hint)
    node = top.mapping("wasm")
    return WasmComponent(
        target=cast("WasmTarget", node.text("target") or "preview2"),  # the schema allows no other words
        optimize=node.flag("optimize"),
        opt_level=cast("WasmOptimisation", node.text("opt_level") or "Oz"),  # likewise
        language=cast("WasmLanguage", node.text("language")),  # likewise
        wit=node.text("wit"),
        world=node.text("world"),
        output=node.text("output"),
        features=tuple(item.text for item in node.scalars("features")),
        build_args=tuple(sorted((key.text, value.text) for key, value in node.mapping("build_args").pairs())),
        pre_build=tuple(_commands(node, "pre_build")),
        post_build=tuple(_commands(node, "post_build")),
        adapter=node.text("adapter"),
        oci=node.flag("oci"),
        span=top.place("wasm" if "wasm" in top else "runtime"),
    )


def _commands(node: Mapping, key: str) -> Iterator[Command]:
    value = node.get(key)
    for item in value.items if isinstance(value, Sequence) else ():
        command = command_of(item)
        if command is not None:
            yield command
