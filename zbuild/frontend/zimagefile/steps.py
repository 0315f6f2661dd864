"""The steps of a stage, as instructions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.frontend.remote_sources import check_sources, is_remote_word
from zbuild.frontend.values import cache_mounts, command_of, duration_of, word, word_of, word_pairs, words_of
from zbuild.frontend.zimagefile.mounts import lower_mounts
from zbuild.model.ops import Copy, Env, ExecForm, Run, User, Workdir

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zbuild.frontend.zimagefile.scope import Scope
    from zbuild.model.ops import Op
    from zbuild.syntax.nodes import Mapping, Scalar

ACTIONS = ("run", "copy", "add", "workdir", "user", "env")
"""What a step may be; a step with `run` and `env` is a run."""

_MODIFIERS = {
    "run": frozenset({"env", "cache", "mounts", "network", "timeout", "retries"}),
    "copy": frozenset({"to", "from", "owner", "chmod", "exclude", "parents"}),
    "add": frozenset({"to", "from", "owner", "chmod", "checksum", "keep_git_dir", "unpack"}),
}


def lower_steps(steps: tuple[Mapping, ...], scope: Scope) -> Iterator[Op]:
    """Yield the instruction of each step; what is wrong with one is noted."""
    for step in steps:
        action = next((name for name in ACTIONS if name in step), None)
        if action is None:  # the schema has told of what stood here
            continue
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
        mounts=(*cache_mounts(step.mappings("cache")), *lower_mounts(step.mappings("mounts"), scope)),
        env=word_pairs(step.mapping("env")),
        network=step.text("network"),
        timeout=duration_of(step, "timeout", scope.diagnostics),
        retries=step.number("retries"),
        span=step.place("run"),
    )


def _copy(step: Mapping, scope: Scope) -> Copy:
    return _copy_op(step, step.scalars("copy"), scope, extract=False)


def _add(step: Mapping, scope: Scope) -> Copy:
    return _copy_op(step, step.scalars("add"), scope, extract=True)


def _copy_op(step: Mapping, sources: tuple[Scalar, ...], scope: Scope, *, extract: bool) -> Copy:
    origin = step.scalar("from")
    stage = None if origin is None else scope.known_stage(origin)
    paths = [source.text if stage is None else scope.source_of_stage(source, stage) for source in sources]
    _check_destination(step, len(paths), scope)
    op = Copy(
        sources=tuple(map(word, paths)),
        dest=word_of(step, "to"),
        source=word_of(step, "from"),
        owner=word_of(step, "owner"),
        mode=word(step.text("chmod").removeprefix("0o")),
        extract=extract,
        exclude=words_of(step, "exclude"),
        parents=step.flag("parents"),
        checksum=word_of(step, "checksum"),
        keep_git_dir=_choice(step, "keep_git_dir"),
        unpack=_choice(step, "unpack"),
        span=step.place("add" if extract else "copy"),
    )
    check_sources(op, sources[0].span if sources else op.span, step.place("checksum"), scope.diagnostics)
    if origin is not None and any(map(is_remote_word, op.sources)):
        scope.diagnostics.error("misplaced-key", "what a URL names is in no stage or image", step.place("from"))
    return op


def _choice(step: Mapping, key: str) -> bool | None:
    return step.flag(key) if key in step else None


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
