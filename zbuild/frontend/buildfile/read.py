"""A workspace's build files → Project: the root's, and all that are included from there."""

from __future__ import annotations

import posixpath
import re
from dataclasses import field, replace
from typing import TYPE_CHECKING

from zbuild.base.dataclass import dataclass
from zbuild.base.diagnostic import Diagnostics
from zbuild.base.errors import BuildFileError
from zbuild.base.span import Span
from zbuild.frontend.buildfile.assign import Assignments
from zbuild.frontend.buildfile.checks import check_dependencies, check_groups, check_tags
from zbuild.frontend.buildfile.contexts import check_contexts
from zbuild.frontend.buildfile.document import Scope, plain_document
from zbuild.frontend.buildfile.find import find_workspace_file, kind_of_file
from zbuild.frontend.buildfile.images import ImageSource, included_image, lower_image
from zbuild.frontend.buildfile.include import Globber
from zbuild.frontend.buildfile.layers import Layers
from zbuild.frontend.buildfile.merge import merge_image
from zbuild.frontend.buildfile.settings import ImageSettings
from zbuild.frontend.buildfile.shared import Shared
from zbuild.model.overlay import Overlay
from zbuild.model.project import Group, Project
from zbuild.syntax.nodes import Mapping, Scalar
from zbuild.syntax.schema import check_schema

if TYPE_CHECKING:
    from pathlib import Path

    from zbuild.frontend.buildfile.document import Document
    from zbuild.frontend.buildfile.given import Given
    from zbuild.frontend.buildfile.images import LowerInline
    from zbuild.model.project import ImageSpec

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def read_workspace(
    root: Path, *, file: str = "", overlay: Overlay | None = None, given: Given, lower_inline: LowerInline
) -> Project:
    """Return the workspace at `root`, whose build file is `file` (relative to it) or one with a known name.

    `overlay` is laid over it; what is `given` is set over every file's `vars`; `lower_inline` makes definitions of
    inline images. Raises UsageError when there is no build file, BuildFileError with every problem of all of them.
    """
    overlay = overlay or Overlay()
    layers = Layers(root, overlay, named=bool(file))
    reader = _Workspace(layers, Assignments.read(overlay.settings), root, given, lower_inline)
    reader.read(file or find_workspace_file(root))
    return reader.project()


@dataclass(frozen=True, slots=True)
class _Inherited:
    """What an included file takes over from the one that includes it."""

    scope: Scope = field(default_factory=Scope)
    settings: ImageSettings = field(default_factory=ImageSettings)


class _Workspace:
    """Gathers what the build files say. `_complete` is False once a file could not be read: then names are unknown."""

    def __init__(
        self, layers: Layers, settings: Assignments, root: Path, given: Given, lower_inline: LowerInline
    ) -> None:
        self._layers = layers
        self._settings = settings
        self._root = root
        self._given = given
        self._lower_inline = lower_inline
        self._diagnostics = Diagnostics()
        self._globber = Globber(root)
        self._images: dict[str, ImageSpec] = {}
        self._names: dict[str, Span] = {}
        self._groups: dict[str, tuple[Scalar, tuple[Scalar, ...]]] = {}
        self._dependencies: list[tuple[Scalar, Scalar]] = []
        self._matrices: dict[str, Group] = {}
        self._files: dict[str, None] = {}
        self._complete = True
        self._shared = Shared(root, self._diagnostics)
        self._defaults = ImageSettings()

    def read(self, file: str) -> None:
        """Read the root's build file, and then, file by file, what is included."""
        pending = [(Scalar(posixpath.normpath(file)), _Inherited())]
        while pending:
            path, inherited = pending.pop()
            if path.text not in self._files:
                self._files[path.text] = None
                pending += reversed(self._read_file(path, inherited))

    def project(self) -> Project:
        """Check what belongs together and return the whole. Raises BuildFileError."""
        if self._complete:
            check_dependencies(self._dependencies, self._names, self._diagnostics)
            check_groups(dict(self._groups.values()), self._names, self._diagnostics)
            check_contexts(self._images.values(), self._shared.contexts, self._names, self._diagnostics)
        check_tags(self._images.values(), self._diagnostics)
        self._diagnostics.check_in_order()
        self._layers.check_profiles()
        self._settings.check()
        self._given.check()
        groups = (
            Group(name.text, tuple(member.text for member in members), span=name.span)
            for name, members in self._groups.values()
        )
        return Project(
            root=str(self._root),
            images=tuple(map(self._with_dependencies, self._images.values())),
            groups=(*groups, *self._matrices.values()),
            files=tuple(dict.fromkeys([*self._files, *self._layers.files])),
            folders=tuple(self._globber.folders),
            missing=self._layers.missing,
            environment=tuple(self._given.asked),
            recipes=self._shared.recipes,
            contexts=self._shared.contexts,
            registry=self._shared.registry,
            push_after_all=self._shared.push_after_all,
            cache=self._shared.cache,
            secrets=self._defaults.secrets,
            ssh=self._defaults.ssh,
            reproducible=self._defaults.reproducible,
            warnings=tuple(self._diagnostics.items),
        )

    def _with_dependencies(self, spec: ImageSpec) -> ImageSpec:
        """Put the images of a matrix where an image depends on it."""
        if not any(name in self._matrices for name in spec.depends_on):
            return spec
        named = (self._matrices[name].members if name in self._matrices else (name,) for name in spec.depends_on)
        return replace(spec, depends_on=tuple(dict.fromkeys(name for names in named for name in names)))

    def _read_file(self, path: Scalar, inherited: _Inherited) -> list[tuple[Scalar, _Inherited]]:
        """Take in a zbuild.yaml; return the further ones that it includes."""
        span = path.span if path.span.file else None
        try:
            node = self._layers.read(path.text, span)
            self._given.note(node, self._layers.take_texts())
            folder = posixpath.dirname(path.text) or "."
            document = plain_document(node, folder, inherited.scope, self._given, self._settings, self._diagnostics)
        except BuildFileError as error:
            self._diagnostics.items.extend(error.diagnostics)
            self._complete = False
            return []
        self._note_names(document)
        node = document.node
        if path.text == next(iter(self._files)):
            node = self._settings.to_file(node)
        checked = check_schema(node, "zbuild", self._diagnostics)
        if not isinstance(checked, Mapping):
            self._complete = False
            return []
        defaults = checked.mapping("defaults")
        settings = inherited.settings.with_node(defaults, self._diagnostics)
        if path.text == next(iter(self._files)):
            self._defaults = settings
        self._shared.take(checked, folder, included=path.text != next(iter(self._files)))
        self._take_images(checked, path.text, settings)
        self._take_groups(checked)
        return self._include(checked, path.text, _Inherited(document.scope, settings))

    def _note_names(self, document: Document) -> None:
        """Note every image's name, also of those with faults, so that no other fault is told of who names them."""
        if not isinstance(document.node, Mapping):
            return
        for name in document.matrices:
            matrix = document.matrices[name]
            if self._claim(name.text, name.span):
                self._matrices[name.text] = Group(name.text, matrix, is_matrix=True, span=name.span)
        for name, _ in document.node.mapping("images").items:
            self._claim(name.text, name.span)

    def _claim(self, name: str, span: Span, hint: str = "give one of them another name") -> bool:
        """Take a name for an image; that it is taken already is noted, with both places."""
        first = self._names.setdefault(name, span)
        if first is not span:
            message = f"image '{name}' is there already: {first}"
            self._diagnostics.error("duplicate-image", message, span, hint)
        return first is span

    def _take_images(self, root: Mapping, file: str, settings: ImageSettings) -> None:
        source = self._source(file, posixpath.dirname(file) or ".")
        for name, node in root.mapping("images").items:
            if isinstance(node, Mapping):
                self._images.setdefault(name.text, lower_image(name, node, settings, source))
                self._dependencies += [(name, needed) for needed in node.scalars("depends_on")]

    def _source(self, file: str, folder: str) -> ImageSource:
        shared = self._shared
        return ImageSource(
            self._root, file, folder, self._lower_inline, self._diagnostics, shared.folders, shared.recipes
        )

    def _take_groups(self, root: Mapping) -> None:
        groups = root.mapping("groups")
        for name, _ in groups.items:
            first, _members = self._groups.setdefault(name.text, (name, groups.scalars(name.text)))
            if first is not name:
                message = f"group '{name.text}' is there already: {first.span}"
                self._diagnostics.error("duplicate-group", message, name.span, "give one of them another name")

    def _include(self, root: Mapping, file: str, inherited: _Inherited) -> list[tuple[Scalar, _Inherited]]:
        """Take in the images that the globs match; return the workspace files among the matches."""
        further = []
        for pattern in root.scalars("include"):
            for path in self._globber.build_files(pattern, posixpath.dirname(file) or ".", self._diagnostics):
                found = Scalar(path, plain=False, span=pattern.span)
                if kind_of_file(posixpath.basename(path)) == "workspace":
                    further.append((found, inherited))
                elif path not in self._files:
                    self._files[path] = None
                    self._take_included(path, pattern, inherited.settings)
        return further

    def _take_included(self, path: str, pattern: Scalar, settings: ImageSettings) -> None:
        folder = posixpath.dirname(path) or "."
        name = posixpath.basename(folder) if folder != "." else self._root.resolve().name
        if not _NAME.fullmatch(name):
            message = f"'{path}' would be an image called '{name}', which is no name for one"
            hint = "rename its folder, or list it under 'images'"
            self._diagnostics.error("bad-value", message, pattern.span, hint)
            return
        place = Span(path, 1)
        hint = (
            f"list one of them under 'images' by another name, with 'context: {folder}' and "
            f"'file: {path}', and leave it out of the patterns of 'include'"
        )
        if not self._claim(name, place, hint):
            return
        found = Scalar(path, plain=False, span=place)
        asked = self._settings.to_image(Mapping(), ".", name)
        if isinstance(asked, Mapping) and asked.items:
            self._take_changed(Scalar(name, plain=False, span=place), found, folder, asked, settings)
        else:
            self._images[name] = included_image(name, found, folder, settings)

    def _take_changed(self, name: Scalar, path: Scalar, folder: str, asked: Mapping, settings: ImageSettings) -> None:
        """Take in an included image of which the command line sets something."""
        places = {"context": Scalar(folder, plain=False, span=path.span), "file": path}
        image = merge_image(Mapping(tuple((Scalar(key), value) for key, value in places.items())), asked)
        whole = Mapping(((Scalar("images"), Mapping(((name, image),))),))
        checked = check_schema(whole, "zbuild", self._diagnostics)
        if isinstance(checked, Mapping):
            image = checked.mapping("images").mapping(name.text)
            self._images[name.text] = lower_image(name, image, settings, self._source(path.text, "."))
            self._dependencies += [(name, needed) for needed in image.scalars("depends_on")]
