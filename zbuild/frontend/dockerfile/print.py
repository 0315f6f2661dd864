"""IR to Dockerfile. Every line is read again: what does not come out the same is reported, never written."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from zbuild.base.diagnostic import Diagnostics
from zbuild.base.errors import BuildFileError
from zbuild.frontend.dockerfile.parse import parse_dockerfile
from zbuild.frontend.printing import Printed, duration_text, unsaid
from zbuild.model import ops
from zbuild.model.definition import NamedBase
from zbuild.model.mounts import BindMount, CacheMount, SecretMount, SshMount, TmpfsMount, UnreadMount

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from zbuild.model.definition import Definition, Stage
    from zbuild.model.mounts import WrittenMount

_FILE = "Dockerfile"
_NAMES = {
    "env": "'env' of one run",
    "timeout": "'timeout'",
    "retries": "'retries'",
    "source": "'from'",
}
_RUN_FIELDS = ("command", "mounts", "network", "heredoc", "insecure", "devices")


def print_dockerfile(definition: Definition) -> Printed:
    """Return a Dockerfile that means what a definition does, and what of it no Dockerfile can say."""
    printer = _Printer(definition)
    return Printed(printer.text(), tuple(printer.problems.items))


class _Printer:
    def __init__(self, definition: Definition) -> None:
        self._definition = definition
        self._escape = definition.escape
        self.problems = Diagnostics()

    def text(self) -> str:
        blocks = [f"# escape={self._escape}"] if self._escape != "\\" else []
        if self._definition.args:
            blocks.append("\n".join(_arg(arg) for arg in self._definition.args))
        blocks += ["\n".join(self._stage(stage)) for stage in self._definition.stages]
        return "\n\n".join(blocks) + "\n"

    def _stage(self, stage: Stage) -> Iterator[str]:
        yield self._from(stage)
        for op in stage.ops:
            yield from self._op(op)

    def _from(self, stage: Stage) -> str:
        base = stage.base.text if isinstance(stage.base, NamedBase) else "scratch"
        if not isinstance(stage.base, NamedBase):
            hint = "build that image first, and name its tag here"
            self.problems.error("cannot-say", "a Dockerfile cannot build its base", stage.base.span, hint)
        platform = f"--platform={self._flag(stage.platform)} " if stage.platform else ""
        return f"FROM {platform}{base}" + (f" AS {stage.name.lower()}" if stage.name else "")

    def _op(self, op: ops.Op) -> Iterator[str]:
        if isinstance(op, ops.Run):
            for name in unsaid(op, _RUN_FIELDS):
                message = f"a Dockerfile has no {_NAMES.get(name, repr(name))}"
                self.problems.error("cannot-say", message, op.span)
            op = replace(op, env=(), timeout=0, retries=None)
        for line in self._candidates(op):
            if self._reads_back(line, op):
                yield line
                return
        keyword = type(op).__name__.upper()
        self.problems.error("cannot-say", f"this {keyword} cannot be written in a Dockerfile", op.span)
        yield f"# left out: {keyword}"

    def _candidates(self, op: ops.Op) -> Iterator[str]:
        """Yield the ways to write an instruction, the plainest first."""
        match op:
            case ops.Run(command=ops.ShellForm(text)):
                flags = self._run_flags(op)
                if op.heredoc:
                    yield f"RUN {flags}{_heredocs((ops.InlineFile(op.heredoc, text, expand=True),))}"
                    yield f"RUN {flags}{_heredocs((ops.InlineFile(op.heredoc, text),))}"
                yield f"RUN {flags}{text}"
                yield f"RUN {flags}-- {text}"
                body = text if text.endswith("\n") or not text else f"{text}\n"
                yield f"RUN {flags}<<{_delimiter(text)}\n{body}{_delimiter(text)}"
            case ops.Run():
                yield f"RUN {self._run_flags(op)}{_command(op.command)}"
            case ops.Copy():
                head = f"{'ADD' if op.extract else 'COPY'} {self._copy_flags(op)}"
                yield head + _heredocs(op.inline, before=op.sources, behind=(op.dest,))
                yield head + json.dumps([*op.sources, op.dest], ensure_ascii=False)
            case _:
                yield from _setting(op)

    def _run_flags(self, op: ops.Run) -> str:
        flags = [f"--mount={self._flag(_mount(mount))}" for mount in op.mounts]
        flags += [f"--network={op.network}"] if op.network else []
        flags += ["--security=insecure"] if op.insecure else []
        flags += [f"--device={self._flag(device)}" for device in op.devices]
        return "".join(f"{flag} " for flag in flags)

    def _copy_flags(self, op: ops.Copy) -> str:
        texts = [("from", op.source), ("chown", op.owner), ("chmod", op.mode), *(("exclude", e) for e in op.exclude)]
        flags = [f"--{name}={self._flag(value)}" for name, value in texts if value]
        flags += [f"--checksum={self._flag(op.checksum)}"] if op.checksum else []
        flags += [f"--{name}" for name in ("parents", "link") if getattr(op, name)]
        choices = (("keep-git-dir", op.keep_git_dir), ("unpack", op.unpack))
        flags += [f"--{name}={str(given).lower()}" for name, given in choices if given is not None]
        return "".join(f"{flag} " for flag in flags)

    def _flag(self, text: str) -> str:
        """Escape what would end or change a flag's value."""
        marks = re.escape(f"\"'{self._escape}")
        return re.sub(f"([\\s{marks}])", lambda match: self._escape + match[0], text)

    def _reads_back(self, line: str, op: ops.Op) -> bool:
        head = f"# escape={self._escape}\n" if self._escape != "\\" else ""
        try:
            found = parse_dockerfile(f"{head}FROM scratch\n{line}\n".encode(), _FILE).stages
        except (BuildFileError, UnicodeEncodeError):
            return False
        return len(found) == 1 and len(found[0].ops) == 1 and _same(found[0].ops[0], op)


def _same(found: ops.Op, op: ops.Op) -> bool:
    """Compare an instruction with what was meant; line ends at the end of a command mean nothing.

    Neither does the name of a here-document, unless it is that of a program.
    """
    if not (isinstance(found, ops.Run) and isinstance(op, ops.Run)):
        return found == op
    is_program = isinstance(op.command, ops.ShellForm) and op.command.text.startswith("#!")
    return _without_end(found, keep_name=is_program) == _without_end(op, keep_name=is_program)


def _without_end(op: ops.Run, *, keep_name: bool) -> ops.Run:
    command = ops.ShellForm(op.command.text.rstrip("\n")) if isinstance(op.command, ops.ShellForm) else op.command
    return replace(op, command=command, heredoc=op.heredoc if keep_name else "")


def _heredocs(files: tuple[ops.InlineFile, ...], *, before: Iterable[str] = (), behind: Iterable[str] = ()) -> str:
    """Return a line with here-documents among its words, and their contents under it."""
    documents = (f"\n{file.content}{file.name}" for file in files)
    return " ".join((*before, *map(_mark, files), *behind)) + "".join(documents)


def _mark(file: ops.InlineFile) -> str:
    """Announce a here-document: in quotes, its name says that nothing in it is expanded."""
    if file.expand:
        return "<<" + re.sub(r"([\\'\"])", r"\\\1", file.name)
    return f"<<'{file.name}'" if '"' in file.name else f'<<"{file.name}"'


def _delimiter(text: str) -> str:
    lines = set(text.split("\n"))
    return next(name for name in ("EOF", *(f"EOF{number}" for number in range(len(lines) + 1))) if name not in lines)


def _setting(op: ops.Op) -> Iterator[str]:
    match op:
        case ops.Arg():
            yield _arg(op)
        case ops.Env(pairs) | ops.Label(pairs):
            keyword = type(op).__name__.upper()
            yield f"{keyword} {' '.join(f'{name}={value}' for name, value in pairs)}"
            yield f"{keyword} {pairs[0][0]} {pairs[0][1]}"
        case ops.Volume(paths):
            yield f"VOLUME {' '.join(paths)}"
            yield f"VOLUME {json.dumps(paths, ensure_ascii=False)}"
        case ops.Shell(argv):
            yield f"SHELL {json.dumps(argv, ensure_ascii=False)}"
        case ops.Cmd(command) | ops.Entrypoint(command):
            yield f"{type(op).__name__.upper()} {_command(command)}"
            yield f"{type(op).__name__.upper()} -- {_command(command)}"
        case ops.Healthcheck():
            yield _healthcheck(op)
        case _:
            yield from _text_setting(op)


def _text_setting(op: ops.Op) -> Iterator[str]:
    match op:
        case ops.Workdir(text) | ops.User(text) | ops.StopSignal(text):
            yield f"{type(op).__name__.upper()} {text}"
        case ops.Maintainer(name):
            yield f"MAINTAINER {name}"
        case ops.Expose(ports):
            yield f"EXPOSE {' '.join(ports)}"
        case ops.Onbuild(trigger):
            yield f"ONBUILD {trigger}"


def _arg(op: ops.Arg) -> str:
    return f"ARG {op.name}" if op.default is None else f"ARG {op.name}={op.default}"


def _command(command: ops.Command) -> str:
    if isinstance(command, ops.ShellForm):
        return command.text
    return json.dumps(command.argv, ensure_ascii=False)


def _healthcheck(op: ops.Healthcheck) -> str:
    if op.command is None:
        return "HEALTHCHECK NONE"
    times = ("interval", "timeout", "start_period", "start_interval")
    flags = [f"--{name.replace('_', '-')}={duration_text(getattr(op, name))}" for name in times if getattr(op, name)]
    flags += [f"--retries={op.retries}"] if op.retries else []
    return " ".join(["HEALTHCHECK", *flags, "CMD", _command(op.command)])


def _mount(mount: WrittenMount) -> str:
    match mount:
        case CacheMount():
            sharing = "" if mount.sharing == "shared" else mount.sharing
            path = "" if mount.path == "/" else mount.path
            options = {"target": mount.target, "id": mount.id, "sharing": sharing, "from": mount.source, "source": path}
            options |= _owned(mount, "")
            switches = ["readonly"] if mount.readonly else []
        case BindMount():
            source = "" if mount.path == "/" else mount.path
            options = {"target": mount.target, "source": source, "from": mount.source}
            switches = ["readwrite"] if mount.readwrite else []
        case TmpfsMount():
            options = {"target": mount.target, "size": str(mount.size or "")}
            switches = ["readonly"] if mount.readonly else []
        case SecretMount():
            options = {"id": mount.id, "target": mount.target, "env": mount.env, **_owned(mount, "0400")}
            switches = ["required"] if mount.required else []
        case SshMount():
            name = "" if mount.id == "default" else mount.id
            options = {"id": name, "target": mount.target, **_owned(mount, "0600")}
            switches = ["required"] if mount.required else []
        case UnreadMount(given):
            return _commas(f"{name}={value}" for name, value in given)
    kind = type(mount).__name__.removesuffix("Mount").lower()
    return _commas([f"type={kind}", *(f"{name}={value}" for name, value in options.items() if value), *switches])


def _owned(mount: CacheMount | SecretMount | SshMount, mode: str) -> dict[str, str]:
    return {
        "mode": "" if mount.mode == mode else mount.mode,
        "uid": str(mount.uid or ""),
        "gid": str(mount.gid or ""),
    }


def _commas(items: Iterable[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(items)
    return text.getvalue()
