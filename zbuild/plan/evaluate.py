"""Stage → steps and configuration: every variable expanded, every instruction either a step or a setting.

What a stage's words mean depends on its base's environment, so stages are evaluated in topological order. A
configuration never depends on what a RUN does, so all of this happens before anything runs.
"""

from __future__ import annotations

import posixpath
from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from zbuild.base.dataclass import dataclass
from zbuild.base.diagnostic import Diagnostic
from zbuild.base.epoch import EPOCH_ARG
from zbuild.base.errors import BuildFileError
from zbuild.graph.instance import automatic_args
from zbuild.model import ops
from zbuild.model.image_config import HealthConfig
from zbuild.model.mounts import mount_source, shows_files
from zbuild.model.remote import GitOrigin
from zbuild.model.steps import ContextOrigin, FolderStep, RunStep
from zbuild.plan.copies import Landing, copy_steps
from zbuild.plan.ports import expand_ports
from zbuild.plan.proxies import proxy_settings
from zbuild.plan.run_mounts import agent_socket, run_mounts
from zbuild.plan.sources import components
from zbuild.plan.stop_signals import check_signal
from zbuild.syntax.words import WordError, expand, expand_text, expand_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zbuild.graph.types import Vertex
    from zbuild.model.image_config import ImageConfig
    from zbuild.model.mounts import Mount
    from zbuild.model.steps import Origin, Step

DEFAULT_SHELL = ("/bin/sh", "-c")
# What BuildKit and buildah give an image whose base sets no PATH.
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_WINDOWS_SHELL = ("cmd", "/S", "/C")
_SHOWN = 160
_PROGRAMS = "/run/zbuild"  # not /dev/pipes, as BuildKit has it: under chroot isolation /dev is this machine's


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a stage comes to: the configuration it ends with, and the steps that change files."""

    config: ImageConfig
    steps: tuple[Step, ...]


def evaluate(vertex: Vertex, base: ImageConfig, origins: Mapping[str, Origin]) -> Evaluation:
    """Evaluate a stage on its base's configuration.

    `origins` says where each COPY source is found: "" is the context, other names as the stage writes them.
    Raises BuildFileError for words that cannot be expanded.
    """
    scope = _Scope(vertex, base, origins)
    for op in vertex.stage.ops:
        try:
            scope.apply(op)
        except (WordError, ValueError) as error:
            raise BuildFileError([Diagnostic("bad-word", str(error), op.span)]) from None
    return scope.result()


class _Scope:
    """The state of a stage while its instructions are applied one after another."""

    def __init__(self, vertex: Vertex, base: ImageConfig, origins: Mapping[str, Origin]) -> None:
        self._vertex = vertex
        self._origins = origins
        self._config = replace(base, onbuild=())  # what the base stored is among the instructions already
        self._env = dict(base.env)
        self._args: dict[str, str] = {}
        self._epoch = {} if vertex.settings.epoch is None else {EPOCH_ARG: str(vertex.settings.epoch)}
        self._given = {**dict(vertex.args), **self._epoch}
        self._cmd_set = False
        self._steps: list[Step] = []
        windows = vertex.platform.os == "windows"
        if not windows:
            self._env.setdefault("PATH", DEFAULT_PATH)
        self._shell = base.shell or (_WINDOWS_SHELL if windows else DEFAULT_SHELL)

    def result(self) -> Evaluation:
        config = replace(self._config, env=tuple(self._env.items()))
        if self._vertex.output and self._vertex.settings.labels:
            config = _with_labels(config, self._vertex.settings.labels)
        return Evaluation(config, tuple(self._steps))

    def apply(self, op: ops.Op) -> None:  # noqa: C901, PLR0912 - one case for each instruction
        match op:
            case ops.Arg():
                self._arg(op)
            case ops.Env():
                words = self._words()
                self._env |= {self._word(name, words): self._word(value, words) for name, value in op.pairs}
            case ops.Label():
                pairs = tuple((self._word(name), self._word(value)) for name, value in op.pairs)
                self._config = _with_labels(self._config, pairs)
            case ops.Workdir():
                self._workdir(op)
            case ops.User():
                self._config = replace(self._config, user=self._word(op.user))
            case ops.Expose():
                ports = {port for word in op.ports for text in self._split(word) for port in expand_ports(text)}
                self._config = replace(self._config, ports=tuple(sorted({*self._config.ports, *ports})))
            case ops.Volume():
                paths = {self._word(path) for path in op.paths}
                self._config = replace(self._config, volumes=tuple(sorted({*self._config.volumes, *paths})))
            case ops.Shell():
                self._shell = op.argv
                self._config = replace(self._config, shell=op.argv)
            case ops.Cmd():
                self._cmd_set = True
                self._config = replace(self._config, cmd=self._argv(op.command))
            case ops.Entrypoint():
                cmd = self._config.cmd if self._cmd_set else None
                self._config = replace(self._config, entrypoint=self._argv(op.command), cmd=cmd)
            case ops.StopSignal():
                self._config = replace(self._config, stop_signal=check_signal(self._word(op.signal)))
            case ops.Healthcheck():
                self._config = replace(self._config, health=_health(op))
            case ops.Maintainer():
                self._config = replace(self._config, author=op.name)
            case ops.Onbuild():
                self._config = replace(self._config, onbuild=(*self._config.onbuild, op.trigger))
            case ops.Run():
                self._run(op)
            case ops.Copy():
                self._copy(op)
            case _:
                assert_never(op)

    def _arg(self, op: ops.Arg) -> None:
        """Give a declared argument its value: given, its default, the global one, or the platform's; else unset."""
        outside = {**automatic_args(self._vertex.target, {}), **dict(self._vertex.globals), **self._given}
        if op.default is not None and op.name not in self._given:
            self._args[op.name] = self._word(op.default)
        elif op.name in outside:
            self._args[op.name] = outside[op.name]

    def _workdir(self, op: ops.Workdir) -> None:
        path = self._absolute(self._word(op.path))
        self._config = replace(self._config, workdir=path)
        self._steps.append(FolderStep(path, self._config.user, text=f"WORKDIR {path}", span=op.span))

    def _run(self, op: ops.Run) -> None:
        words = self._words()
        mounts = run_mounts(op.mounts, self._vertex.settings.cache_mounts, self._word, self._absolute)
        names = dict.fromkeys(mount_source(mount) for mount in mounts if shows_files(mount))
        mounts = tuple(map(self._in_folder, mounts))
        agent = {"SSH_AUTH_SOCK": socket} if (socket := agent_socket(mounts)) else {}
        argv, programs = self._program(op) or (self._argv(op.command), ())
        env = {**self._epoch, **agent, **words, **{name: self._word(value) for name, value in op.env}}
        step = RunStep(
            argv=argv,
            env=tuple(env.items()),
            user=self._config.user,
            workdir=self._config.workdir or "/",
            mounts=mounts,
            origins=tuple((name, self._origins[name]) for name in names),
            network="" if op.network == "default" else op.network,
            programs=programs,
            proxies=proxy_settings(self._given, env),
            text=_shown("RUN", op.command),
            timeout=op.timeout,
            retries=self._vertex.settings.retries if op.retries is None else op.retries,
            span=op.span,
        )
        self._steps.append(step)

    def _in_folder(self, mount: Mount) -> Mount:
        """Return a mount of a repository's folder by its path in the whole of it."""
        origin = self._origins[mount.source] if shows_files(mount) else None
        if not shows_files(mount) or not isinstance(origin, GitOrigin) or not origin.subdir:
            return mount
        return replace(mount, path="/".join((origin.subdir, *components(mount.path))))

    def _program(self, op: ops.Run) -> tuple[tuple[str, ...], ops.Pairs] | None:
        """Return how a here-document that begins with `#!` is run: as a program, named by the shell."""
        text = op.command.text if isinstance(op.command, ops.ShellForm) else ""
        if not op.heredoc or not text.startswith("#!") or self._vertex.platform.os == "windows":
            return None
        path = f"{_PROGRAMS}/{posixpath.basename(op.heredoc)}"
        return (*self._shell, path), ((path, text),)

    def _inline(self, file: ops.InlineFile) -> tuple[str, str]:
        return file.name, expand_text(file.content, self._words()) if file.expand else file.content

    def _copy(self, op: ops.Copy) -> None:
        dest = self._word(op.dest)
        inline = tuple(map(self._inline, op.inline))
        origin = self._origins[op.source]
        if self._epoch and isinstance(origin, ContextOrigin):
            origin = replace(origin, plain=True)
        landing = Landing(self._destination(dest), dest, inline, origin)
        self._steps.extend(copy_steps(op, landing, self._word))

    def _destination(self, dest: str) -> str:
        """Return an absolute destination; what plainly means a folder keeps (or gets) its trailing slash."""
        folder = dest.endswith("/") or posixpath.basename(dest) in (".", "..")
        path = self._absolute(dest)
        return path + "/" if folder and path != "/" else path

    def _absolute(self, path: str) -> str:
        joined = posixpath.join(self._config.workdir or "/", path)
        return posixpath.normpath("/" + joined.lstrip("/"))

    def _argv(self, command: ops.Command) -> tuple[str, ...]:
        match command:
            case ops.ShellForm():
                return (*self._shell, command.text)
            case ops.ExecForm():
                return command.argv
            case _:
                assert_never(command)

    def _words(self) -> dict[str, str]:
        """Return what words may use here: declared arguments, and over them the environment."""
        return {**self._args, **self._env}

    def _word(self, word: str, words: Mapping[str, str] | None = None) -> str:
        return expand(word, self._words() if words is None else words, escape=self._vertex.escape)

    def _split(self, word: str) -> Sequence[str]:
        return expand_words(word, self._words(), escape=self._vertex.escape)


def _with_labels(config: ImageConfig, pairs: ops.Pairs) -> ImageConfig:
    return replace(config, labels=tuple(sorted({**dict(config.labels), **dict(pairs)}.items())))


def _health(op: ops.Healthcheck) -> HealthConfig:
    match op.command:
        case None:
            test: tuple[str, ...] = ("NONE",)
        case ops.ShellForm(text):
            test = ("CMD-SHELL", text)
        case ops.ExecForm(argv):
            test = ("CMD", *argv)
    return HealthConfig(test, op.interval, op.timeout, op.start_period, op.start_interval, op.retries)


def _shown(instruction: str, command: ops.Command) -> str:
    """Return a command as people are shown it: on one line, not too long."""
    text = command.text if isinstance(command, ops.ShellForm) else " ".join(command.argv)
    line = f"{instruction} {' '.join(text.split())}"
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"
