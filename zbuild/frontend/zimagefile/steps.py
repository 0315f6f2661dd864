"""The steps of a stage, as instructions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.frontend.not_yet import is_refused, refuse, refuse_keys
from zbuild.frontend.values import cache_mounts, command_of, duration_of, word, word_of, word_pairs, words_of
from zbuild.model.mounts import BindMount, TmpfsMount
from zbuild.model.ops import Copy, Env, ExecForm, Run, User, Workdir

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zbuild.frontend.zimagefile.scope import Scope
    from zbuild.model.mounts import Mount
    from zbuild.model.ops import Op
    from zbuild.syntax.nodes import Mapping, Scalar

ACTIONS = ("run", "copy", "add", "workdir", "user", "env")
"""What a step may be; a step with `run` and `env` is a run."""

_MODIFIERS = {
    "run": frozenset({"env", "cache", "mounts", "network", "timeout", "retries"}),
    "copy": frozenset({"to", "from", "owner", "chmod", "exclude", "parents"}),
    "add": frozenset({"to", "from", "owner", "chmod", "checksum"}),
}
_MOUNT_KEYS = {
    "bind": frozenset({"target", "source", "from", "readwrite"}),
    "tmpfs": frozenset({"target", "size"}),
}
_REMOTE = ("http://", "https://", "git@", "git://", "ssh://")


def lower_steps(steps: tuple[Mapping, ...], scope: Scope) -> Iterator[Op]:
    """Yield the instruction of each step; what is wrong with one is noted."""
    for step in steps:
        action = next((name for name in ACTIONS if name in step), None)
        if action is None:  # the schema has told of what stood here
            continue
        refuse_keys(step, "step", scope.diagnostics)
        _check_modifiers(step, action, scope)
        yield _LOWER[action](step, scope)


def _check_modifiers(step: Mapping, action: str, scope: Scope) -> None:
    allowed = _MODIFIERS.get(action, frozenset())
    for key, _ in step.items:
        if key.text != action and key.text not in allowed:
            fitting = [name for name in ACTIONS if key.text in _MODIFIERS.get(name, ())]
            hint = f"it belongs to {' and '.join(fitting)}" if fitting else "make it a step of its own"
            scope.diagnostics.error(
                "misplaced-key", f"'{key.text}' has no meaning in a '{action}' step", key.span, hint
            )


def _run(step: Mapping, scope: Scope) -> Run:
    return Run(
        command=command_of(step.get("run")) or ExecForm(()),
        mounts=(*cache_mounts(step.mappings("cache")), *_mounts(step.mappings("mounts"), scope)),
        env=word_pairs(step.mapping("env")),
        network=step.text("network"),
        timeout=duration_of(step, "timeout", scope.diagnostics),
        retries=step.number("retries"),
        span=step.place("run"),
    )


def _mounts(nodes: tuple[Mapping, ...], scope: Scope) -> Iterator[Mount]:
    for node in nodes:
        kind = node.text("type")
        if is_refused(kind, "mount-type"):
            refuse(f"'type: {kind}'", node.place("type"), scope.diagnostics)
        elif kind in _MOUNT_KEYS:
            _check_mount(node, kind, scope)
            yield (
                _bind(node, scope) if kind == "bind" else TmpfsMount(word_of(node, "target"), node.number("size") or 0)
            )


def _check_mount(node: Mapping, kind: str, scope: Scope) -> None:
    if "target" not in node:
        scope.diagnostics.error("missing-key", f"a {kind} mount needs 'target'", node.span)
    for key, _ in node.items:
        if key.text not in _MOUNT_KEYS[kind] | {"type"}:
            hint = f"it takes {', '.join(sorted(_MOUNT_KEYS[kind]))}"
            scope.diagnostics.error("misplaced-key", f"a {kind} mount has no '{key.text}'", key.span, hint)


def _bind(node: Mapping, scope: Scope) -> BindMount:
    path, origin = node.scalar("source"), node.scalar("from")
    stage = None if origin is None else _stage(origin, scope)
    if path is not None and stage is not None:
        source = scope.source_of_stage(path, stage)
    else:
        source = "/" if path is None else path.text
    return BindMount(word_of(node, "target"), word(source), word_of(node, "from"), node.flag("readwrite"))


def _copy(step: Mapping, scope: Scope) -> Copy:
    return _copy_op(step, step.scalars("copy"), scope, extract=False)


def _add(step: Mapping, scope: Scope) -> Copy:
    sources = step.scalars("add")
    for source in sources:
        if source.text.lower().startswith(_REMOTE):
            refuse(f"'add' of '{source.text}'", source.span, scope.diagnostics)
    return _copy_op(step, sources, scope, extract=True)


def _copy_op(step: Mapping, sources: tuple[Scalar, ...], scope: Scope, *, extract: bool) -> Copy:
    origin = step.scalar("from")
    stage = None if origin is None else _stage(origin, scope)
    paths = [source.text if stage is None else scope.source_of_stage(source, stage) for source in sources]
    _check_destination(step, len(paths), scope)
    return Copy(
        sources=tuple(map(word, paths)),
        dest=word_of(step, "to"),
        source=word_of(step, "from"),
        owner=word_of(step, "owner"),
        mode=word(step.text("chmod").removeprefix("0o")),
        extract=extract,
        exclude=words_of(step, "exclude"),
        parents=step.flag("parents"),
        span=step.place("add" if extract else "copy"),
    )


def _stage(origin: Scalar, scope: Scope) -> int | None:
    """Return the index of the earlier stage that a `from` names; None for an image. A later stage is an error."""
    index = scope.stage_index(origin.text)
    if index is not None and index >= len(scope.workdirs):
        message = f"stage '{origin.text}' does not come before this one"
        scope.diagnostics.error("stage-order", message, origin.span, "copy from an earlier stage")
        return None
    if index is None and origin.text.isdecimal():
        scope.diagnostics.error("unknown-stage", f"there is no stage number {origin.text}", origin.span)
    return index


def _check_destination(step: Mapping, count: int, scope: Scope) -> None:
    to = step.text("to")
    if count > 1 and to and not to.endswith(("/", "\\")) and to not in (".", "..") and "$" not in to:
        message = f"several sources go into a folder: '{to}' must end with '/'"
        scope.diagnostics.error("bad-destination", message, step.place("to"), f"write '{to}/'")


def _env(step: Mapping, _scope: Scope) -> Env:
    return Env(word_pairs(step.mapping("env")), step.place("env"))


def _workdir(step: Mapping, _scope: Scope) -> Workdir:
    return Workdir(word_of(step, "workdir"), step.place("workdir"))


def _user(step: Mapping, _scope: Scope) -> User:
    return User(word_of(step, "user"), step.place("user"))


_LOWER: dict[str, Callable[[Mapping, Scope], Op]] = {
    "run": _run,
    "copy": _copy,
    "add": _add,
    "env": _env,
    "workdir": _workdir,
    "user": _user,
}
