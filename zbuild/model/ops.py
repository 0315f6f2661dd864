"""Instructions of a stage as written: a closed union.

Texts are *words*: they still hold their variables (and, where the word rules allow them, quotes), and are expanded by
`syntax.words` once the environment of the stage's base is known. Spans never take part in comparison.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, TypeAlias

from zbuild.base.dataclass import dataclass
from zbuild.base.span import Span

if TYPE_CHECKING:
    from zbuild.model.mounts import WrittenMount

NOWHERE = Span("", 0)
Pairs: TypeAlias = "tuple[tuple[str, str], ...]"


@dataclass(frozen=True, slots=True)
class ShellForm:
    """A command line for the stage's SHELL."""

    text: str


@dataclass(frozen=True, slots=True)
class ExecForm:
    """An argument vector, run as it is."""

    argv: tuple[str, ...]


Command: TypeAlias = ShellForm | ExecForm


@dataclass(frozen=True, slots=True)
class Arg:
    """Declares a build argument. `default` None: no default is given."""

    name: str
    default: str | None = None
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Env:
    """Sets environment variables; the words of one instruction see the values before it."""

    pairs: Pairs
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Label:
    """Sets labels."""

    pairs: Pairs
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Workdir:
    """Changes the working directory, relative to the one before, and makes it."""

    path: str
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class User:
    """Changes the user (`name`, `name:group`, `uid:gid`)."""

    user: str
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Expose:
    """Declares ports: `80`, `80/udp`, `8000-8010`."""

    ports: tuple[str, ...]
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Volume:
    """Declares volumes."""

    paths: tuple[str, ...]
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Shell:
    """Changes the shell of shell forms."""

    argv: tuple[str, ...]
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Cmd:
    """Sets the default command."""

    command: Command
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Entrypoint:
    """Sets the entrypoint, and clears a CMD that the base brought."""

    command: Command
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class StopSignal:
    """Sets the signal that stops a container."""

    signal: str
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Healthcheck:
    """Sets the health check; `command` None is HEALTHCHECK NONE. Durations in nanoseconds, 0 = the engine's default."""

    command: Command | None
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Maintainer:
    """Sets the image's author (deprecated, still in use)."""

    name: str
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Onbuild:
    """Stores an instruction, as it is written, for the stages that will be built upon this one."""

    trigger: str
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class InlineFile:
    """A file whose content stands in the build file. With `expand` the content's variables are expanded."""

    name: str
    content: str
    expand: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """Runs a command. `env` holds for this run alone; `timeout` is in nanoseconds, 0 = none; `network` "" = default.

    `heredoc` is the name of the here-document that the command's text is, when it is nothing else: a text that begins
    with `#!` is then a program of that name. `insecure` asks for a run without a sandbox, `devices` for devices.
    """

    command: Command
    mounts: tuple[WrittenMount, ...] = ()
    env: Pairs = ()
    network: str = ""
    timeout: int = 0
    retries: int | None = None
    heredoc: str = ""
    insecure: bool = False
    devices: tuple[str, ...] = ()
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Copy:
    """Copies files into the image; with `extract` it is ADD, which unpacks local archives and reads URLs.

    `source` "" is the context; otherwise it names a stage (by name or index), an image, or a reference.
    `owner`, `mode` and `checksum` are words; "" leaves the default. `unpack` says which archives are unpacked: all,
    none, or (None) the local ones. `inline` are files written here, copied after the sources.
    """

    sources: tuple[str, ...]
    dest: str
    source: str = ""
    owner: str = ""
    mode: str = ""
    extract: bool = False
    exclude: tuple[str, ...] = ()
    parents: bool = False
    link: bool = False
    checksum: str = ""
    keep_git_dir: bool | None = None
    unpack: bool | None = None
    inline: tuple[InlineFile, ...] = ()
    span: Span = field(default=NOWHERE, compare=False)


Op: TypeAlias = (
    Arg
    | Env
    | Label
    | Workdir
    | User
    | Expose
    | Volume
    | Shell
    | Cmd
    | Entrypoint
    | StopSignal
    | Healthcheck
    | Maintainer
    | Onbuild
    | Run
    | Copy
)
