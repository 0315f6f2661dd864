"""IR to ZImagefile. The format has a place for each setting; what has none there is reported, never passed over."""

from __future__ import annotations

import re
from dataclasses import field
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import yaml

from zbuild.base.dataclass import dataclass
from zbuild.base.diagnostic import Diagnostics
from zbuild.frontend.paths import relative_path
from zbuild.frontend.printing import Printed, duration_text, unsaid
from zbuild.frontend.zimagefile.plain import UnsayableError, plain_text
from zbuild.frontend.zimagefile.print_mounts import is_plain_cache, mount_keys, mount_words, without_type
from zbuild.model import ops
from zbuild.model.definition import NamedBase
from zbuild.model.mounts import BindMount, CacheMount, UnreadMount

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from zbuild.model.definition import Definition, NestedBuild, Stage

Yaml = dict[str, Any]

_STAGE_KEYS = (
    *("base", "build", "platform", "args", "env", "workdir", "steps", "labels", "expose", "user", "volumes"),
    *("healthcheck", "stopsignal", "entrypoint", "cmd"),
)
_MODE = re.compile(r"\$|^(0o?)?[0-7]{1,4}$|^[ugoa]*([-+=][rwxXstugo]*)+(,[ugoa]*([-+=][rwxXstugo]*)+)*$")
_RUN_FIELDS = ("command", "mounts", "env", "network", "timeout", "retries")
_COPY_FIELDS = (
    *("sources", "dest", "source", "owner", "mode", "extract", "exclude", "parents", "link"),
    *("checksum", "keep_git_dir", "unpack"),
)


def print_zimagefile(definition: Definition, folder: str = ".") -> Printed:
    """Return a ZImagefile that means what a definition does, and what of it no ZImagefile can say.

    `folder` is where the file will lie in the workspace: paths of nested builds are relative to it.
    """
    printer = _Printer(definition, folder)
    return Printed(_dump(printer.file()), tuple(printer.problems.items))


@dataclass(slots=True)
class _Stage:
    """A stage being written: its keys, and its steps."""

    keys: Yaml = field(default_factory=dict)
    steps: list[Yaml] = field(default_factory=list)

    def text(self) -> Yaml:
        """Return its keys in the order in which they take effect."""
        if self.steps and list(self.steps[-1]) == ["user"] and "user" not in self.keys:
            self.keys["user"] = self.steps.pop()["user"]
        if self.steps:
            self.keys["steps"] = self.steps
        return {name: self.keys[name] for name in _STAGE_KEYS if name in self.keys}


class _Printer:
    def __init__(self, definition: Definition, folder: str) -> None:
        self._definition = definition
        self._folder = folder
        self._stages = {stage.name.lower(): index for index, stage in enumerate(definition.stages) if stage.name}
        self.problems = Diagnostics()

    def file(self) -> Yaml:
        args = {"args": self._args(self._definition.args)} if self._definition.args else {}
        stages = self._definition.stages
        if len(stages) == 1 and not stages[0].name:
            return {**self._stage(stages[0]), **args} if not args else {**args, **self._stage(stages[0])}
        self._check_names()
        named = {stage.name or f"stage{index}": self._stage(stage) for index, stage in enumerate(stages)}
        return {**args, "stages": named}

    def _check_names(self) -> None:
        for index, stage in enumerate(self._definition.stages):
            if stage.name and self._stages[stage.name.lower()] != index:
                message = f"a ZImagefile has no two stages of one name, as '{stage.name}' is"
                self.problems.error("cannot-say", message, stage.span)

    def _lacks(self, what: str, op: ops.Op) -> None:
        self.problems.error("cannot-say", f"a ZImagefile has no {what}", op.span)

    def _plain(self, word: str, op: ops.Op | None = None) -> str:
        try:
            return plain_text(word, self._definition.escape)
        except UnsayableError as error:
            self.problems.error("cannot-say", f"{error} in '{word}'", op.span if op else None)
            return ""

    def _args(self, args: Iterable[ops.Arg]) -> Yaml:
        found = {}
        for arg in args:
            if arg.default == "":
                self._lacks(f"empty default, as '{arg.name}' has it: there an empty one is none", arg)
            found[arg.name] = self._plain(arg.default or "", arg)
        return found

    def _stage(self, stage: Stage) -> Yaml:
        made = _Stage()
        if isinstance(stage.base, NamedBase):
            made.keys["base"] = self._plain(stage.base.text)
        else:
            made.keys["build"] = self._build(stage.base)
        if stage.platform:
            made.keys["platform"] = self._plain(stage.platform)
        rest = self._take_args(stage, made)
        for op in rest:
            self._op(op, made)
        return made.text()

    def _build(self, build: NestedBuild) -> Yaml:
        found: Yaml = {"image": build.image} if build.image else {}
        if build.context:
            found["context"] = relative_path(build.context, self._folder)
        if build.file:
            found["file"] = relative_path(build.file, build.context)
        if build.args:
            found["args"] = {self._plain(name): self._plain(value) for name, value in build.args}
        if build.target:
            found["target"] = build.target
        return found

    def _take_args(self, stage: Stage, made: _Stage) -> list[ops.Op]:
        """Declare the stage's arguments, which a ZImagefile does before all else; return the other instructions."""
        of_file = {arg.name for arg in self._definition.args}
        args = [op for op in stage.ops if isinstance(op, ops.Arg)]
        rest: list[ops.Op] = [op for op in stage.ops if not isinstance(op, ops.Arg)]
        own = [arg for arg in args if not (arg.name in of_file and arg.default is None)]
        if own:
            made.keys["args"] = self._args(own)
        early = 0
        while early < len(stage.ops) and isinstance(stage.ops[early], ops.Arg):
            early += 1
        for arg in args[early:]:
            message = f"ARG {arg.name} holds from the beginning of its stage, where a ZImagefile declares arguments"
            self.problems.warning("said-otherwise", message, arg.span)
        for name in sorted(of_file - {arg.name for arg in args}):
            message = f"ARG {name} also holds in a stage that does not declare it: in a ZImagefile it always does"
            self.problems.warning("said-otherwise", message, stage.span)
        return rest

    def _op(self, op: ops.Op, made: _Stage) -> None:  # noqa: C901, PLR0912 - one case for each instruction
        match op:
            case ops.Env(pairs):
                env = {self._plain(name, op): self._plain(value, op) for name, value in pairs}
                if made.keys.keys() <= {"base", "build", "platform", "args"} and not made.steps:
                    made.keys["env"] = env
                else:
                    made.steps.append({"env": env})
            case ops.Workdir(path):
                if made.steps or "workdir" in made.keys:
                    made.steps.append({"workdir": self._plain(path, op)})
                else:
                    made.keys["workdir"] = self._plain(path, op)
            case ops.User(user):
                made.steps.append({"user": self._plain(user, op)})
            case ops.Run():
                made.steps.append(self._run(op))
            case ops.Copy():
                made.steps.append(self._copy(op))
            case ops.Label(pairs):
                labels = made.keys.setdefault("labels", {})
                labels |= {self._plain(name, op): self._plain(value, op) for name, value in pairs}
            case ops.Expose(ports):
                made.keys.setdefault("expose", []).extend(self._plain(port, op) for port in ports)
            case ops.Volume(paths):
                made.keys.setdefault("volumes", []).extend(self._plain(path, op) for path in paths)
            case ops.Cmd(command):
                made.keys["cmd"] = _command(command)
            case ops.Entrypoint(command):
                made.keys["entrypoint"] = _command(command)
            case ops.StopSignal(signal):
                made.keys["stopsignal"] = self._plain(signal, op)
            case ops.Healthcheck():
                self._healthcheck(op, made)
            case _:
                self._lacks(type(op).__name__.upper(), op)

    def _healthcheck(self, op: ops.Healthcheck, made: _Stage) -> None:
        if op.command is None:
            self._lacks("HEALTHCHECK NONE", op)
            return
        for name in unsaid(op, ("command", "interval", "timeout", "start_period", "retries")):
            self._lacks(f"'{name}' of a health check", op)
        times = {name: getattr(op, name) for name in ("interval", "timeout", "start_period")}
        found: Yaml = {"cmd": _command(op.command)}
        found |= {name: duration_text(value) for name, value in times.items() if value}
        made.keys["healthcheck"] = found | ({"retries": op.retries} if op.retries else {})

    def _run(self, op: ops.Run) -> Yaml:
        for name in unsaid(op, _RUN_FIELDS):
            if name != "heredoc" or (isinstance(op.command, ops.ShellForm) and op.command.text.startswith("#!")):
                self._lacks(f"'{name}' of a run", op)
        mounts = list(self._mounts(op))
        plain = list(takewhile(is_plain_cache, mounts))  # what stands under `cache` comes first
        caches, mounts = [without_type(mount) for mount in plain], mounts[len(plain) :]
        found: Yaml = {"run": _command(op.command)}
        if op.env:
            found["env"] = {self._plain(name, op): self._plain(value, op) for name, value in op.env}
        found |= {"cache": caches} if caches else {}
        found |= {"mounts": mounts} if mounts else {}
        found |= {"network": op.network} if op.network else {}
        found |= {"timeout": duration_text(op.timeout)} if op.timeout else {}
        return found | ({"retries": op.retries} if op.retries is not None else {})

    def _mounts(self, op: ops.Run) -> Iterator[Yaml]:
        for mount in op.mounts:
            if isinstance(mount, UnreadMount):
                self._lacks("mount whose type, numbers or switches are variables", op)
                continue
            path = self._path(mount.path, mount.source) if isinstance(mount, BindMount | CacheMount) else ""
            words = {name: self._plain(text, op) for name, text in mount_words(mount, path).items()}
            yield mount_keys(mount, words)

    def _copy(self, op: ops.Copy) -> Yaml:
        for name in unsaid(op, _COPY_FIELDS):
            self._lacks(f"'{name}' of a copy", op)
        if op.extract and op.exclude:
            self._lacks("'exclude' of an add", op)
        if op.mode and not _MODE.search(op.mode):
            self._lacks(f"mode like '{op.mode}'", op)
        if op.link:
            message = "--link is left out: files land as a copy without it lands them"
            self.problems.warning("said-otherwise", message, op.span)
        sources = [self._plain(self._path(source, op.source), op) for source in op.sources]
        found: Yaml = {"add" if op.extract else "copy": sources[0] if len(sources) == 1 else sources}
        mode = op.mode if _MODE.search(op.mode) else ""
        texts = {"from": op.source, "to": op.dest, "owner": op.owner, "chmod": mode, "checksum": op.checksum}
        found |= {name: self._plain(value, op) for name, value in texts.items() if value}
        if op.exclude and not op.extract:
            found["exclude"] = [self._plain(pattern, op) for pattern in op.exclude]
        choices = {"parents": op.parents or None, "keep_git_dir": op.keep_git_dir, "unpack": op.unpack}
        return found | {name: given for name, given in choices.items() if given is not None}

    def _path(self, path: str, source: str) -> str:
        """Return a path in a stage as a ZImagefile means it: there a relative one starts at the stage's WORKDIR."""
        is_stage = source.isdecimal() or source.lower() in self._stages
        start = path.lstrip("'\"")  # a word, which may be in quotes
        return path if not is_stage or start.startswith(("/", "\\")) or start[1:2] == ":" else f"/{path}"


def _command(command: ops.Command) -> str | list[str]:
    return command.text if isinstance(command, ops.ShellForm) else list(command.argv)


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, and lists of words on one line."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the base class calls it with the value
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    style = "|" if "\n" in value.rstrip("\n") else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


def _list(dumper: yaml.SafeDumper, value: list[Any]) -> yaml.Node:
    words = all(isinstance(item, str) for item in value) and sum(map(len, value)) < 80  # noqa: PLR2004 - of a line
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=words)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(list, _list)


def _dump(value: Yaml) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120, default_flow_style=False)
