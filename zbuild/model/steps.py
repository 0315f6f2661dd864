"""What a backend does for a stage: instructions with every variable expanded and every name resolved.

Only these change files. What merely sets configuration (ENV, LABEL, CMD …) is gathered in the stage's `ImageConfig`.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, TypeAlias

from zbuild.base.dataclass import dataclass
from zbuild.model.ops import NOWHERE
from zbuild.model.remote import GitOrigin, UrlOrigin

if TYPE_CHECKING:
    from zbuild.base.span import Span
    from zbuild.model.mounts import Mount
    from zbuild.model.ops import Pairs


@dataclass(frozen=True, slots=True)
class Selection:
    """Which files of a tree a COPY takes: patterns relative to the tree's root, as COPY's sources are written.

    `exclude` are ignore patterns on top of the context's own; `parents` keeps the sources' folders (--parents).
    """

    sources: tuple[str, ...]
    exclude: tuple[str, ...] = ()
    parents: bool = False


@dataclass(frozen=True, slots=True)
class ContextOrigin:
    """Files of a context: `path` is its absolute folder, `ignore` the patterns of its ignore file, in order.

    `plain`: modes are taken for what they would be under any umask (`base.filemode.plain_mode`).
    """

    path: str
    ignore: tuple[str, ...] = ()
    plain: bool = False


@dataclass(frozen=True, slots=True)
class StageOrigin:
    """Files of another stage's result; `vertex` is its id in the graph."""

    vertex: str


@dataclass(frozen=True, slots=True)
class ImageOrigin:
    """Files of an image that is not built here, by its reference; `digest` names its manifest."""

    reference: str
    digest: str


Origin: TypeAlias = ContextOrigin | StageOrigin | ImageOrigin | UrlOrigin | GitOrigin


@dataclass(frozen=True, slots=True)
class RunStep:
    """Run `argv` in the image. `env` is everything set for it, in order; "" for `user` and `network` is the default.

    `programs` are files the run sees, and can execute: path and content.
    `text` is what people are shown; it, `proxies` (variables that `env` wins over), `timeout` (nanoseconds, 0 = none),
    `retries` and the span are in no key.
    """

    argv: tuple[str, ...]
    env: Pairs = ()
    user: str = ""
    workdir: str = "/"
    mounts: tuple[Mount, ...] = ()
    origins: tuple[tuple[str, Origin], ...] = ()
    network: str = ""
    programs: Pairs = ()
    proxies: Pairs = field(default=(), compare=False, repr=False)
    text: str = field(default="", compare=False)
    timeout: int = field(default=0, compare=False)
    retries: int = field(default=0, compare=False)
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class CopyStep:
    """Copy a selection to `dest`, an absolute path that keeps a trailing slash where one was written.

    `inline` are files to land after the selection, in mode 0644 and root's: name and content.
    `owner` is `user[:group]` or "" (kept for a stage or image, else root); `mode` octal digits or "".
    """

    origin: Origin
    selection: Selection
    dest: str
    owner: str = ""
    mode: str = ""
    extract: bool = False
    inline: Pairs = ()
    text: str = field(default="", compare=False)
    span: Span = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class FolderStep:
    """Make a folder (WORKDIR), with its parents, mode 0755, unless it is there; what is made is the `user`'s.

    `user` is as USER has it, "" for root.
    """

    path: str
    user: str = ""
    text: str = field(default="", compare=False)
    span: Span = field(default=NOWHERE, compare=False)


def takes_from_context(step: CopyStep) -> bool:
    """Tell whether a COPY or ADD takes files of a context."""
    return isinstance(step.origin, ContextOrigin) and bool(step.selection.sources)


def keeps_owners(origin: Origin) -> bool:
    """Tell whether files keep their owners and extended attributes: those of other stages and of images do."""
    return isinstance(origin, StageOrigin | ImageOrigin)


Step: TypeAlias = RunStep | CopyStep | FolderStep
