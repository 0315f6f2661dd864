"""One image of a zbuild.yaml: where it is built from, under which settings, with which names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from zbuild.base.dataclass import dataclass
from zbuild.base.errors import BuildFileError
from zbuild.base.reference import ReferenceError as BadReferenceError
from zbuild.base.reference import normalise
from zbuild.frontend.buildfile.contexts import image_contexts
from zbuild.frontend.buildfile.inline import inline_keys
from zbuild.frontend.paths import leads_out, workspace_path
from zbuild.model.project import ImageSpec
from zbuild.syntax.nodes import Mapping

if TYPE_CHECKING:
    from pathlib import Path

    from zbuild.base.diagnostic import Diagnostics
    from zbuild.frontend.buildfile.contexts import Folders
    from zbuild.frontend.buildfile.settings import ImageSettings
    from zbuild.model.definition import Definition
    from zbuild.syntax.nodes import Scalar

_MODES = ("runtime", "base", "build", "stages", "wasm")


class LowerInline(Protocol):
    """Makes definitions of images that stand in a zbuild.yaml."""

    def __call__(self, node: Mapping, *, file: str, folder: str, recipes: str) -> Definition:
        """Return the definition that a mapping with a ZImagefile's keys is. Raises BuildFileError.

        `recipes` is the folder of the workspace's own recipes, "" for none.
        """
        ...


@dataclass(frozen=True, slots=True)
class ImageSource:
    """The build file that images are read from: its path, and its folder in the workspace at `root`.

    `folders` are where contexts may be; `recipes` is the folder of the workspace's own recipes, "" for none.
    """

    root: Path
    file: str
    folder: str
    lower_inline: LowerInline
    diagnostics: Diagnostics
    folders: Folders
    recipes: str = ""


def lower_image(name: Scalar, node: Mapping, defaults: ImageSettings, source: ImageSource) -> ImageSpec:
    """Return an image; what is wrong with it is noted."""
    settings = defaults.with_node(node, source.diagnostics)
    return ImageSpec(
        name=name.text,
        context=_context(node, source),
        file=_file(node, source),
        definition=_definition(name, node, source),
        tags=_tags(node, source.diagnostics),
        build_args=settings.build_args,
        depends_on=tuple(dict.fromkeys(item.text for item in node.scalars("depends_on"))),
        target=node.text("target"),
        platforms=settings.platforms,
        os=node.text("os"),
        no_cache=settings.no_cache,
        format=settings.format,
        retries=settings.retries,
        cache_mounts=settings.cache_mounts,
        labels=_sorted_pairs(node.mapping("labels")),
        annotations=_sorted_pairs(node.mapping("annotations")),
        pull=settings.pull,
        reproducible=settings.reproducible,
        secrets=settings.secrets,
        ssh=settings.ssh,
        layers=settings.layers,
        contexts=image_contexts(node, source.folder, source.folders, source.diagnostics),
        squash=node.flag("squash"),
        span=name.span,
    )


def included_image(name: str, path: Scalar, folder: str, settings: ImageSettings) -> ImageSpec:
    """Return the image that an included build file makes; `path` is that file, with its place."""
    return ImageSpec(
        name=name,
        context=folder,
        file=path.text,
        build_args=settings.build_args,
        platforms=settings.platforms,
        no_cache=settings.no_cache,
        format=settings.format,
        retries=settings.retries,
        cache_mounts=settings.cache_mounts,
        pull=settings.pull,
        reproducible=settings.reproducible,
        secrets=settings.secrets,
        ssh=settings.ssh,
        layers=settings.layers,
        span=path.span,
    )


def _sorted_pairs(node: Mapping) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((key.text, value.text) for key, value in node.pairs()))


def _context(node: Mapping, source: ImageSource) -> str:
    value = node.scalar("context")
    if value is None:
        return source.folder
    return source.folders.context(source.folder, value, source.diagnostics)


def _file(node: Mapping, source: ImageSource) -> str:
    value = node.scalar("file")
    if value is None:
        return ""
    path = workspace_path(source.folder, value.text, value.span, source.diagnostics)
    if leads_out(source.root, path):
        message = f"'{value.text}' is a link that leads out of the workspace"
        source.diagnostics.error("outside-workspace", message, value.span)
    elif path != "." and not os.path.isfile(source.root / path):  # noqa: PTH113 - never raises
        source.diagnostics.error("missing-file", f"there is no file '{path}'", value.span)
    return path


def _tags(node: Mapping, diagnostics: Diagnostics) -> tuple[str, ...]:
    tags = node.scalars("tags")
    for tag in tags:
        if "${" in tag.text:  # an unknown variable, which has been told
            continue
        try:
            if normalise(tag.text).digest:
                diagnostics.error("bad-reference", f"'{tag.text}' has a digest, which no tag can have", tag.span)
        except BadReferenceError as error:
            diagnostics.error("bad-reference", str(error), tag.span)
    return tuple(dict.fromkeys(tag.text for tag in tags))


def _definition(name: Scalar, node: Mapping, source: ImageSource) -> Definition | None:
    """Return the definition that stands in the image itself, if one does."""
    inline = Mapping(tuple((key, value) for key, value in node.items if key.text in inline_keys()), node.span)
    if not inline.items:
        return None
    if not _is_whole(name, node, inline, source.diagnostics):
        return None
    try:
        return source.lower_inline(inline, file=source.file, folder=source.folder, recipes=source.recipes)
    except BuildFileError as error:
        source.diagnostics.items.extend(error.diagnostics)
        return None


def _is_whole(name: Scalar, node: Mapping, inline: Mapping, diagnostics: Diagnostics) -> bool:
    """Say whether inline keys are a definition: exactly one mode, and no `file` beside it."""
    first = inline.items[0][0]
    modes = [mode for mode in _MODES if mode in inline]
    if "file" in node:
        hint = "put it into that file, or take 'file' out"
        diagnostics.error("conflicting-keys", f"'{first.text}' and 'file' exclude each other", first.span, hint)
    elif not modes:
        needed = "'runtime', 'base', 'build', 'stages' or 'wasm'"
        message = f"'{first.text}' begins a definition of '{name.text}', which needs {needed}"
        diagnostics.error("missing-key", message, first.span)
    elif len(modes) > 1:
        message = f"'{modes[0]}' and '{modes[1]}' exclude each other"
        diagnostics.error("conflicting-keys", message, inline.place(modes[1]), "keep one of them")
    return len(modes) == 1 and "file" not in node
