"""One instruction as plain data: its name, flags and arguments, and what COPY and RUN have beyond these."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, assert_never

from zbuild.model import ops
from zbuild.model.mounts import BindMount, CacheMount, SecretMount, SshMount, TmpfsMount, UnreadMount

if TYPE_CHECKING:
    from collections.abc import Callable

    from zbuild.model.mounts import WrittenMount

    Word: TypeAlias = Callable[[str], str]

Plain: TypeAlias = dict[str, Any]


def instruction(op: ops.Op, word: Word) -> Plain:
    """Return an instruction as plain data; `word` expands a word as far as it is known.

    What a shell or a program is given is left alone: RUN, CMD, ENTRYPOINT, SHELL and HEALTHCHECK are not expanded.
    """
    match op:
        case ops.Run():
            return _run(op, word)
        case ops.Copy():
            return _copy(op, word)
        case ops.Healthcheck():
            return _healthcheck(op)
        case ops.Cmd(command) | ops.Entrypoint(command):
            return _row(_name(op), *_argv(command), form=_form(command))
        case _:
            return _row(_name(op), *_settings(op, word))


def _name(op: ops.Op) -> str:
    return type(op).__name__.upper()


def _settings(op: ops.Op, word: Word) -> tuple[str, ...]:
    """Return the arguments of an instruction that has neither flags nor a command."""
    match op:
        case ops.Arg(name, default):
            words: tuple[str, ...] = (name if default is None else f"{name}={word(default)}",)
        case ops.Env(pairs) | ops.Label(pairs):
            words = tuple(f"{word(name)}={word(value)}" for name, value in pairs)
        case ops.Workdir(text) | ops.User(text) | ops.StopSignal(text):
            words = (word(text),)
        case ops.Expose(texts) | ops.Volume(texts):
            words = tuple(map(word, texts))
        case ops.Maintainer(text) | ops.Onbuild(text):
            words = (text,)
        case ops.Shell(argv):
            words = argv
        case _:
            raise AssertionError(op)
    return words


def _row(name: str, *arguments: str, **more: object) -> Plain:
    return {"name": name, "flags": {}, "arguments": list(arguments), **more}


def _run(op: ops.Run, word: Word) -> Plain:
    flags: Plain = {"network": op.network} if op.network else {}
    flags |= {"security": "insecure"} if op.insecure else {}
    flags |= {"device": list(op.devices)} if op.devices else {}
    mounts = [{name: _value(value, word) for name, value in _mount(_read(mount, word)).items()} for mount in op.mounts]
    more: Plain = {"env": [f"{name}={word(value)}" for name, value in op.env]} if op.env else {}
    if op.timeout:
        more["timeout"] = _seconds(op.timeout)
    if op.retries is not None:
        more["retries"] = op.retries
    return _row("RUN", *_argv(op.command), form=_form(op.command), mounts=mounts, **more) | {"flags": flags}


def _copy(op: ops.Copy, word: Word) -> Plain:
    sources, dest = list(map(word, op.sources)), word(op.dest)
    texts = {"from": word(op.source), "chown": word(op.owner), "chmod": word(op.mode)}
    flags: Plain = {name: text for name, text in texts.items() if text}
    flags |= {name: True for name, given in (("link", op.link), ("parents", op.parents)) if given}
    flags |= {"checksum": word(op.checksum)} if op.checksum else {}
    choices = (("keep-git-dir", op.keep_git_dir), ("unpack", op.unpack))
    flags |= {name: given for name, given in choices if given is not None}
    if op.exclude:
        flags["exclude"] = list(map(word, op.exclude))
    arguments = (*sources, *(f"<<{file.name}" for file in op.inline), dest)
    row = _row("ADD" if op.extract else "COPY", *arguments, sources=sources, destination=dest)
    row["inline"] = [{"name": file.name, "content": file.content, "expand": file.expand} for file in op.inline]
    return row | {"flags": flags}


def _healthcheck(op: ops.Healthcheck) -> Plain:
    if op.command is None:
        return _row("HEALTHCHECK", "NONE")
    times = {
        "interval": op.interval,
        "timeout": op.timeout,
        "start-period": op.start_period,
        "start-interval": op.start_interval,
    }
    flags: Plain = {name: _seconds(time) for name, time in times.items() if time}
    if op.retries:
        flags["retries"] = op.retries
    return _row("HEALTHCHECK", "CMD", *_argv(op.command), form=_form(op.command)) | {"flags": flags}


def _argv(command: ops.Command) -> tuple[str, ...]:
    if isinstance(command, ops.ExecForm):
        return command.argv
    return (command.text,) if command.text else ()


def _form(command: ops.Command) -> str:
    return "exec" if isinstance(command, ops.ExecForm) else "shell"


def _seconds(nanoseconds: int) -> str:
    return f"{nanoseconds / 1e9:.9f}".rstrip("0").rstrip(".") + "s"


def _read(mount: WrittenMount, word: Word) -> WrittenMount:
    """Return a mount with options that are variables as what it is, where these are known."""
    if not isinstance(mount, UnreadMount):
        return mount
    from zbuild.frontend.dockerfile.mounts import MountError, read_options  # noqa: PLC0415 - few mounts are such

    options = tuple((name, word(value)) for name, value in mount.options)
    try:
        return read_options(options)
    except MountError:
        return UnreadMount(options, mount.source)


def _value(value: object, word: Word) -> object:
    return word(value) if isinstance(value, str) else value


def _mount(mount: WrittenMount) -> Plain:
    """Return a mount by the names of its options, as RUN --mount has them."""
    match mount:
        case CacheMount():
            row: Plain = {"type": "cache", "target": mount.target, "id": mount.id, "sharing": mount.sharing}
            row |= {"readonly": mount.readonly, "from": mount.source, "source": mount.path if mount.source else ""}
            return row | _owned(mount)
        case BindMount():
            row = {"type": "bind", "target": mount.target, "source": mount.path, "from": mount.source}
            return row | {"readwrite": mount.readwrite}
        case TmpfsMount():
            return {"type": "tmpfs", "target": mount.target, "size": mount.size, "readonly": mount.readonly}
        case SecretMount():
            row = {"type": "secret", "id": mount.id, "target": mount.target, "env": mount.env}
            return row | {"required": mount.required, **_owned(mount)}
        case SshMount():
            row = {"type": "ssh", "id": mount.id, "target": mount.target, "required": mount.required}
            return row | _owned(mount)
        case UnreadMount(options):
            return {"type": "bind", **dict(options)}
        case _:
            assert_never(mount)


def _owned(mount: CacheMount | SecretMount | SshMount) -> Plain:
    return {"mode": mount.mode, "uid": mount.uid, "gid": mount.gid}
