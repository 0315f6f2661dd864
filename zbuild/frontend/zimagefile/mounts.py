"""The `mounts` of a run step."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from zbuild.frontend.values import word, word_of
from zbuild.model.mounts import BindMount, CacheMount, SecretMount, SshMount, TmpfsMount

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zbuild.frontend.zimagefile.scope import Scope
    from zbuild.model.mounts import Mount, Sharing
    from zbuild.syntax.nodes import Mapping

_OWNED = ("mode", "uid", "gid")
_KEYS = {
    "bind": ("target", "source", "from", "readwrite"),
    "cache": ("target", "id", "sharing", "readonly", "from", "source", *_OWNED),
    "tmpfs": ("target", "size", "readonly"),
    "secret": ("id", "target", "env", "required", *_OWNED),
    "ssh": ("id", "target", "required", *_OWNED),
}


def lower_mounts(nodes: tuple[Mapping, ...], scope: Scope) -> Iterator[Mount]:
    """Yield the mounts of a step; what is wrong with one is noted."""
    for node in nodes:
        kind = node.text("type")
        if kind in _KEYS:  # else the schema has told
            _check(node, kind, scope)
            yield _LOWER[kind](node, scope)


def _check(node: Mapping, kind: str, scope: Scope) -> None:
    needed = {"secret": ("id", "target"), "ssh": ()}.get(kind, ("target",))
    if needed and not any(name in node for name in needed):
        scope.diagnostics.error("missing-key", f"a mount of type {kind} needs '{needed[0]}'", node.span)
    for key, _ in node.items:
        if key.text not in ("type", *_KEYS[kind]):
            hint = f"it takes {', '.join(sorted(_KEYS[kind]))}"
            scope.diagnostics.error("misplaced-key", f"a mount of type {kind} has no '{key.text}'", key.span, hint)
    if kind == "cache" and "source" in node and "from" not in node:
        hint = "name the stage or image that holds it, or take 'source' out"
        scope.diagnostics.error(
            "missing-key", "a cache mount has a 'source' only with 'from'", node.place("source"), hint
        )


def _bind(node: Mapping, scope: Scope) -> BindMount:
    return BindMount(word_of(node, "target"), _path(node, scope), word_of(node, "from"), node.flag("readwrite"))


def _cache(node: Mapping, scope: Scope) -> CacheMount:
    return CacheMount(
        target=word_of(node, "target"),
        id=word_of(node, "id"),
        sharing=cast("Sharing", node.text("sharing") or "shared"),  # the schema allows no other words
        readonly=node.flag("readonly"),
        mode=_mode(node, ""),
        uid=node.number("uid") or 0,
        gid=node.number("gid") or 0,
        source=word_of(node, "from"),
        path=_path(node, scope),
    )


def _tmpfs(node: Mapping, _scope: Scope) -> TmpfsMount:
    return TmpfsMount(word_of(node, "target"), node.number("size") or 0, node.flag("readonly"))


def _secret(node: Mapping, _scope: Scope) -> SecretMount:
    return SecretMount(
        id=word_of(node, "id"),
        target=word_of(node, "target"),
        env=word_of(node, "env"),
        required=node.flag("required"),
        mode=_mode(node, "0400"),
        uid=node.number("uid") or 0,
        gid=node.number("gid") or 0,
    )


def _ssh(node: Mapping, _scope: Scope) -> SshMount:
    return SshMount(
        id=word_of(node, "id") or "default",
        target=word_of(node, "target"),
        required=node.flag("required"),
        mode=_mode(node, "0600"),
        uid=node.number("uid") or 0,
        gid=node.number("gid") or 0,
    )


def _path(node: Mapping, scope: Scope) -> str:
    """Return what a mount shows of its source; a relative path in a stage starts at that stage's WORKDIR."""
    path, origin = node.scalar("source"), node.scalar("from")
    stage = None if origin is None else scope.known_stage(origin)
    if path is None:
        return "/"
    return word(path.text if stage is None else scope.source_of_stage(path, stage))


def _mode(node: Mapping, default: str) -> str:
    return node.text("mode").removeprefix("0o") or default


_LOWER: dict[str, Callable[[Mapping, Scope], Mount]] = {
    "bind": _bind,
    "cache": _cache,
    "tmpfs": _tmpfs,
    "secret": _secret,
    "ssh": _ssh,
}
