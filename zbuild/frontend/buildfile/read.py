"""A workspace's build files → Project: the root's, and all that are included from there."""

from __future__ import annotations

import os
import posixpath
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zbuild.base.diagnostic import Diagnostics
from zbuild.base.errors import BuildFileError, UsageError
from zbuild.base.span import Span
from zbuild.base.text import did_you_mean
from zbuild.frontend.buildfile.checks import check_dependencies, check_groups, check_tags
from zbuild.frontend.buildfile.contexts import Folders, check_contexts, workspace_contexts
from zbuild.frontend.buildfile.find import find_workspace_file, kind_of_file
from zbuild.frontend.buildfile.images import ImageSource, included_image, lower_image
from zbuild.frontend.buildfile.include import Globber, is_wild
from zbuild.frontend.buildfile.settings import ImageSettings
from zbuild.frontend.buildfile.variables import with_variables
from zbuild.frontend.not_yet import ignore_sections, refuse_keys
from zbuild.frontend.paths import leads_out, read_build_file, workspace_path
from zbuild.model.project import Group, Project
from zbuild.syntax.nodes import Mapping, Scalar
from zbuild.syntax.schema import check_schema
from zbuild.syntax.yaml_reader import read_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping as Dict
    from pathlib import Path

    from zbuild.frontend.buildfile.images import LowerInline
    from zbuild.model.contexts import NamedContexts
    from zbuild.model.project import ImageSpec
    from zbuild.syntax.nodes import Node

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def read_workspace(root: Path, *, file: str = "", variables: Dict[str, str], lower_inline: LowerInline) -> Project:
    """Return the workspace at `root`, whose build file is `file` (relative to it) or one with a known name.

    `variables` are set over every file's `vars`; `lower_inline` makes definitions of inline images.
    Raises UsageError when there is no build file, BuildFileError with every problem of all of them.
    """
    reader = _Workspace(root, variables, lower_inline)
    reader.read(file or find_workspace_file(root))
    return reader.project()


@dataclass(frozen=True, slots=True)
class _Inherited:
    """What an included file takes over from the one that includes it."""

    variables: Dict[str, str] = field(default_factory=dict)
    settings: ImageSettings = field(default_factory=ImageSettings)


class _Workspace:
    """Gathers what the build files say. `_complete` is False once a file could not be read: then names are unknown."""

    def __init__(self, root: Path, variables: Dict[str, str], lower_inline: LowerInline) -> None:
        self._root = root
        self._variables = variables
        self._lower_inline = lower_inline
        self._diagnostics = Diagnostics()
        self._globber = Globber(root)
        self._images: dict[str, ImageSpec] = {}
        self._names: dict[str, Span] = {}
        self._groups: dict[str, tuple[Scalar, tuple[Scalar, ...]]] = {}
        self._dependencies: list[tuple[str, Scalar]] = []
        self._files: dict[str, None] = {}
        self._unset = set(variables)
        self._declared: dict[str, None] = {}
        self._complete = True
        self._recipes = ""
        self._contexts: NamedContexts = ()
        self._folders = Folders(root)

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
            check_contexts(self._images.values(), self._contexts, self._names, self._diagnostics)
        check_tags(self._images.values(), self._diagnostics)
        self._diagnostics.check_in_order()
        self._check_variables()
        return Project(
            root=str(self._root),
            images=tuple(self._images.values()),
            groups=tuple(
                Group(name.text, tuple(member.text for member in members), name.span)
                for name, members in self._groups.values()
            ),
            files=tuple(self._files),
            folders=tuple(self._globber.folders),
            recipes=self._recipes,
            contexts=self._contexts,
            warnings=tuple(self._diagnostics.items),
        )

    def _read_file(self, path: Scalar, inherited: _Inherited) -> list[tuple[Scalar, _Inherited]]:
        """Take in a zbuild.yaml; return the further ones that it includes."""
        span = path.span if path.span.file else None
        try:
            data = read_build_file(self._root, path.text, span)
            node = read_yaml(data, path.text)
            self._note_variables(node, data)
            variables, node = with_variables(node, inherited.variables, self._variables, self._diagnostics)
        except BuildFileError as error:
            self._diagnostics.items.extend(error.diagnostics)
            self._complete = False
            return []
        self._note_names(node)
        checked = check_schema(node, "zbuild", self._diagnostics)
        if not isinstance(checked, Mapping):
            self._complete = False
            return []
        ignore_sections(checked, self._diagnostics)
        defaults = checked.mapping("defaults")
        refuse_keys(defaults, "defaults", self._diagnostics)
        settings = inherited.settings.with_node(defaults, self._diagnostics)
        self._take_recipes(checked, path.text)
        self._take_contexts(checked, path.text)
        self._take_images(checked, path.text, settings)
        self._take_groups(checked)
        return self._include(checked, path.text, _Inherited(variables, settings))

    def _note_variables(self, node: Node, data: bytes) -> None:
        """Note what variables a file has; one that it only uses may be set on the command line as well."""
        if isinstance(node, Mapping):
            self._declared |= dict.fromkeys(name.text for name, _ in node.mapping("vars").items)
        used = {name for name in self._unset if f"${{{name}}}".encode("utf-8", "surrogateescape") in data}
        self._unset -= used | self._declared.keys()

    def _check_variables(self) -> None:
        """Raise UsageError for a variable of the command line that no build file has or uses."""
        for name in self._variables:
            if name in self._unset:
                known = f"the variables are {', '.join(self._declared)}" if self._declared else "there are none"
                hint = did_you_mean(name, self._declared) or known
                raise UsageError("unknown-variable", f"--set {name}: no build file has such a variable", hint=hint)

    def _note_names(self, node: Node) -> None:
        """Note every image's name, also of those with faults, so that no other fault is told of who names them."""
        if isinstance(node, Mapping):
            for name, _ in node.mapping("images").items:
                self._claim(name.text, name.span)

    def _claim(self, name: str, span: Span, hint: str = "give one of them another name") -> bool:
        """Take a name for an image; that it is taken already is noted, with both places."""
        first = self._names.setdefault(name, span)
        if first is not span:
            message = f"image '{name}' is there already: {first}"
            self._diagnostics.error("duplicate-image", message, span, hint)
        return first is span

    def _take_recipes(self, root: Mapping, file: str) -> None:
        """Take in the folder of the workspace's own recipes, which the first file alone may name."""
        value = root.scalar("recipes")
        if value is None or self._misplaced("recipes", file, value.span):
            return
        path = workspace_path(posixpath.dirname(file) or ".", value.text, value.span, self._diagnostics)
        if leads_out(self._root, path):
            message = f"'{value.text}' is a link that leads out of the workspace"
            self._diagnostics.error("outside-workspace", message, value.span)
        elif not os.path.isdir(self._root / path):  # noqa: PTH112 - never raises
            self._diagnostics.error("missing-folder", f"there is no folder '{path}'", value.span)
        else:
            self._recipes = path

    def _take_contexts(self, root: Mapping, file: str) -> None:
        """Take in the contexts of the whole workspace, which the first file alone may name."""
        key = root.key("contexts")
        if key is None or self._misplaced("contexts", file, key.span):
            return
        folder = posixpath.dirname(file) or "."
        self._contexts = workspace_contexts(root, folder, self._folders, self._diagnostics)
        self._folders = self._folders.with_contexts(self._contexts)

    def _misplaced(self, key: str, file: str, span: Span) -> bool:
        """Note a key that only the workspace's own build file may have."""
        if file == next(iter(self._files)):
            return False
        hint = "name them in the workspace's own build file"
        self._diagnostics.error("misplaced-key", f"an included file cannot bring {key}", span, hint)
        return True

    def _take_images(self, root: Mapping, file: str, settings: ImageSettings) -> None:
        folder = posixpath.dirname(file) or "."
        source = ImageSource(
            self._root, file, folder, self._lower_inline, self._diagnostics, self._folders, self._recipes
        )
        for name, node in root.mapping("images").items:
            if isinstance(node, Mapping):
                self._images.setdefault(name.text, lower_image(name, node, settings, source))
                self._dependencies += [(name.text, needed) for needed in node.scalars("depends_on")]

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
            for path in self._matched(pattern, posixpath.dirname(file) or "."):
                found = Scalar(path, plain=False, span=pattern.span)
                if kind_of_file(posixpath.basename(path)) == "workspace":
                    further.append((found, inherited))
                elif path not in self._files:
                    self._files[path] = None
                    self._take_included(path, pattern, inherited.settings)
        return further

    def _matched(self, pattern: Scalar, folder: str) -> list[str]:
        paths = self._globber.match(pattern, folder, self._diagnostics)
        if paths is None:
            return []
        known = [path for path in paths if kind_of_file(posixpath.basename(path))]
        if not paths and not is_wild(pattern.text):
            self._diagnostics.error("missing-file", f"there is no file '{pattern.text}'", pattern.span)
        elif not known and not is_wild(posixpath.basename(pattern.text)) and paths:
            hint = "include takes zbuild.yaml, ZImagefile, Containerfile and Dockerfile"
            self._diagnostics.error("bad-include", f"'{paths[0]}' is not a build file by its name", pattern.span, hint)
        elif not known:
            self._diagnostics.warning("empty-include", f"'{pattern.text}' matches no build file", pattern.span)
        return known

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
        if self._claim(name, place, hint):
            self._images[name] = included_image(name, Scalar(path, plain=False, span=place), folder, settings)
