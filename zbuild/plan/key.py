"""Keys: the hash of all that can change a stage's result.

A stage's material is a list of items, each one input of one instruction. Folding it gives a key; what an input from
another stage stands for is asked from a resolver, so that one material gives three keys:

- the *static* key, other stages standing in by their own static keys: known before anything has run;
- the *result* key, other stages by what they came to: the one records are kept under. A stage that ran again and came
  to the same files leaves the result keys of those who copy from it as they were (early cutoff);
- the *own* key, other stages left out: equal own keys mean that only what comes from other stages can differ.

The files as they are after each step have keys too, result keys that roll from step to step (`prefix_keys`): they know
nothing of the configuration, so that stages which begin alike share them. Checkpoints are kept under these.

No name, tag, span, timeout or retry is in the material.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import astuple
from typing import TYPE_CHECKING, Protocol, assert_never

from zbuild.base.dataclass import dataclass
from zbuild.base.digest import sha256, xxh
from zbuild.graph.types import FromReference
from zbuild.model.mounts import BindMount, CacheMount, SecretMount, SshMount, TmpfsMount, shows_files
from zbuild.model.remote import GitOrigin, UrlOrigin
from zbuild.model.steps import ContextOrigin, CopyStep, FolderStep, ImageOrigin, RunStep, Selection, StageOrigin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zbuild.graph.types import Vertex
    from zbuild.model.image_config import ImageConfig
    from zbuild.model.mounts import Mount
    from zbuild.model.ops import Pairs
    from zbuild.model.remote import RemoteOrigin
    from zbuild.model.steps import Origin
    from zbuild.plan.evaluate import Evaluation

FORMAT_VERSION = 2
_SECRETIVE = re.compile(r"passw|secret|token|credential|api_?key|private_?key", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Pending:
    """What another stage comes to: with a selection just the files it takes, without one the whole image."""

    vertex: str
    selection: Selection | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One input of one instruction: what people call it, and its value or where that will come from."""

    instruction: str
    what: str
    value: str | Pending


@dataclass(frozen=True, slots=True)
class Material:
    """All inputs of a stage, in order.

    `ends[0]` is how many come before the first step, `ends[i]` how many up to and with step i; what follows the last is
    the configuration.
    """

    items: tuple[Item, ...]
    ends: tuple[int, ...]


class Digests(Protocol):
    """Tells what lies outside of build files and stages comes to, for the stage at hand."""

    def context(self, origin: ContextOrigin, selection: Selection) -> str:
        """Digest files of a context."""
        ...

    def remote(self, origin: RemoteOrigin) -> str:
        """Return the sha256 of what a URL holds, or the commit that a git reference means."""
        ...


def material(vertex: Vertex, evaluation: Evaluation, base: str | Pending, backend: str, digests: Digests) -> Material:
    """Return everything that can change the result of a stage.

    `base` is `scratch`, a manifest's digest, or the stage it starts from.
    """
    items = [
        Item("FROM", "backend", f"{backend}, keys of version {FORMAT_VERSION}"),
        Item("FROM", "platform", str(vertex.platform)),
        Item("FROM", "format", vertex.settings.format),
        Item(_from_text(vertex), "base", base),
    ]
    if vertex.settings.epoch is not None:
        items.append(Item("FROM", "times", f"all at {vertex.settings.epoch}"))
    ends = [len(items)]
    for step in evaluation.steps:
        match step:
            case RunStep():
                items.extend(_run_items(step, digests))
            case CopyStep():
                items.extend(_copy_items(step, digests))
            case FolderStep():
                items.append(Item(step.text, "folder", shlex.join((step.path, step.user))))
            case _:
                assert_never(step)
        ends.append(len(items))
    items.extend(Item("config", what, value) for what, value in config_items(evaluation.config))
    if vertex.output:
        items.extend(Item("config", f"annotation {name}", value) for name, value in vertex.settings.annotations)
        items.extend([Item("config", "squash", "one layer")] if vertex.settings.squash else [])
    return Material(tuple(items), tuple(ends))


def _from_text(vertex: Vertex) -> str:
    """Return how FROM is told with its base: what a reference means may change, and then people want to know which."""
    return f"FROM {vertex.base.reference}" if isinstance(vertex.base, FromReference) else "FROM"


def _run_items(step: RunStep, digests: Digests) -> Iterator[Item]:
    yield Item(step.text, "command", shlex.join(step.argv))
    yield Item(step.text, "runs as", shlex.join((step.user, step.workdir, step.network)))
    yield from _inline_items(step, step.programs)
    for name, value in step.env:
        yield Item(step.text, f"variable {name}", _told(name, value))
    origins = dict(step.origins)
    for mount in step.mounts:
        yield Item(step.text, f"mount {_mount_name(mount)}", _mount_text(mount))
        if shows_files(mount):
            selection = Selection((mount.path,))
            yield Item(step.text, f"files at {mount.target}", _files(origins[mount.source], selection, digests))


def _copy_items(step: CopyStep, digests: Digests) -> Iterator[Item]:
    how = (*step.selection.sources, step.dest, step.owner, step.mode, str(step.extract), str(step.selection.parents))
    yield Item(step.text, "instruction", shlex.join(how))
    if isinstance(step.origin, GitOrigin):
        kept = f"with .git of {step.origin.remote}" if step.origin.keep_git_dir else "files alone"
        yield Item(step.text, "checkout", f"{kept}, submodules={step.origin.submodules}")
    if step.selection.sources:
        yield Item(step.text, _FILES.get(type(step.origin), "files"), _files(step.origin, step.selection, digests))
    yield from _inline_items(step, step.inline)


def _inline_items(step: RunStep | CopyStep, files: Pairs) -> Iterator[Item]:
    yield from (Item(step.text, f"here-document {name}", f"sha256:{sha256(content)}") for name, content in files)


# What people call the files of an origin; of URLs and commits there is no listing.
_FILES: dict[type, str] = {UrlOrigin: "content", GitOrigin: "commit", ImageOrigin: "image"}


def _files(origin: Origin, selection: Selection, digests: Digests) -> str | Pending:
    match origin:
        case ContextOrigin():
            return digests.context(origin, selection)
        case UrlOrigin() | GitOrigin():
            return digests.remote(origin)
        case StageOrigin():
            return Pending(origin.vertex, selection)
        case ImageOrigin():
            return origin.digest
        case _:
            assert_never(origin)


def _mount_name(mount: Mount) -> str:
    match mount:
        case SecretMount(id=name, target=""):
            return f"of secret {name}"
        case _:
            return mount.target


def _mount_text(mount: Mount) -> str:
    """Return what of a mount is in the key: of caches the id, of secrets and agents the id, never what they hold."""
    match mount:
        case CacheMount():
            return f"cache id={mount.id} readonly={mount.readonly}"
        case BindMount():
            return f"bind path={mount.path} readwrite={mount.readwrite}"
        case TmpfsMount():
            return f"tmpfs size={mount.size}" + (" readonly" if mount.readonly else "")
        case SecretMount():
            return f"secret id={mount.id} env={mount.env} {_owned(mount)}"
        case SshMount():
            return f"ssh id={mount.id} {_owned(mount)}"
        case _:
            assert_never(mount)


def _owned(mount: SecretMount | SshMount) -> str:
    return f"mode={mount.mode} owner={mount.uid}:{mount.gid}"


def _told(name: str, value: str) -> str:
    """Return a variable's value, or its digest where the name says that it should not be kept in clear."""
    return f"sha256:{sha256(value)}" if _SECRETIVE.search(name) else value


def config_items(config: ImageConfig) -> Iterator[tuple[str, str]]:
    """Yield an image configuration as (what, value), nothing for what is not set."""
    yield from ((f"ENV {name}", _told(name, value)) for name, value in config.env)
    yield from ((f"LABEL {name}", value) for name, value in config.labels)
    lists = {"CMD": config.cmd, "ENTRYPOINT": config.entrypoint, "SHELL": config.shell or None}
    yield from ((what, shlex.join(argv)) for what, argv in lists.items() if argv is not None)
    texts = {
        "WORKDIR": config.workdir,
        "USER": config.user,
        "EXPOSE": " ".join(config.ports),
        "VOLUME": shlex.join(config.volumes),
        "STOPSIGNAL": config.stop_signal,
        "MAINTAINER": config.author,
        "ONBUILD": shlex.join(config.onbuild),
        "HEALTHCHECK": str(astuple(config.health)) if config.health else "",
    }
    yield from ((what, value) for what, value in texts.items() if value)


def config_text(config: ImageConfig) -> str:
    """Return an image configuration as one line of text: equal configurations, equal texts."""
    return json.dumps(list(config_items(config)), ensure_ascii=False, separators=(",", ":"))


def fold(items: tuple[Item, ...], resolve: Callable[[Pending], str]) -> str:
    """Fold a material into a key: 32 hex digits. How instructions are shown to people is not part of it."""
    return xxh(
        tuple((item.what, resolve(item.value) if isinstance(item.value, Pending) else item.value) for item in items)
    )


def prefix_keys(made: Material, resolve: Callable[[Pending], str | None]) -> tuple[str, ...]:
    """Return the key of the files after each step, as far as it is known what other stages come to."""
    key, begin, keys = "files", 0, []
    for end in made.ends:
        values = [
            resolve(item.value) if isinstance(item.value, Pending) else item.value for item in made.items[begin:end]
        ]
        if None in values:
            break
        key = xxh((key, tuple((item.what, value) for item, value in zip(made.items[begin:end], values, strict=True))))
        keys.append(key)
        begin = end
    return tuple(keys[1:])


def pending(items: tuple[Item, ...]) -> tuple[Pending, ...]:
    """Return what a material needs to know of other stages."""
    return tuple(item.value for item in items if isinstance(item.value, Pending))


def selection_id(selection: Selection) -> str:
    """Name a selection, for records to keep its digest under."""
    return xxh((selection.sources, selection.exclude, selection.parents))


def identity(content: str, config: str) -> str:
    """Return what a stage's result is to those who start from it: what its layers hold, and its configuration."""
    return xxh((content, config))
