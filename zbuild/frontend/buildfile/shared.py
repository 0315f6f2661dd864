"""What the workspace's own build file says for the whole workspace, and an included one may not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from zbuild.base.reference import is_registry
from zbuild.frontend.buildfile.caches import workspace_caches
from zbuild.frontend.buildfile.contexts import Folders, workspace_contexts
from zbuild.frontend.paths import leads_out, workspace_path
from zbuild.model.caches import CacheSettings

if TYPE_CHECKING:
    from pathlib import Path

    from zbuild.base.diagnostic import Diagnostics
    from zbuild.base.span import Span
    from zbuild.model.contexts import NamedContexts
    from zbuild.syntax.nodes import Mapping


class Shared:
    """What is the workspace's alone: recipes, contexts, `push`, `cache`, its default registry; "" and () for none."""

    def __init__(self, root: Path, diagnostics: Diagnostics) -> None:
        self._root = root
        self._diagnostics = diagnostics
        self.recipes = ""
        self.registry = ""
        self.push_after_all = False
        self.cache = CacheSettings()
        self.contexts: NamedContexts = ()
        self.folders = Folders(root)

    def take(self, root: Mapping, folder: str, *, included: bool) -> None:
        """Take in what a build file in `folder` says; what is wrong with it, or does not belong there, is noted."""
        if included:
            places = {
                "a default registry": root.mapping("defaults").scalar("registry"),
                "recipes": root.scalar("recipes"),
                "contexts": root.key("contexts"),
                "'push'": root.key("push"),
                "'cache'": root.key("cache"),
            }
            for name, found in places.items():
                if found is not None:
                    self._misplaced(name, found.span)
            return
        self.push_after_all = root.mapping("push").flag("after_all")
        self.cache = workspace_caches(root, str(self._root / folder), self._diagnostics)
        self._take_registry(root.mapping("defaults"))
        self._take_recipes(root, folder)
        self.contexts = workspace_contexts(root, folder, self.folders, self._diagnostics)
        self.folders = self.folders.with_contexts(self.contexts)

    def _misplaced(self, what: str, span: Span) -> None:
        hint = "name them in the workspace's own build file"
        self._diagnostics.error("misplaced-key", f"an included file cannot bring {what}", span, hint)

    def _take_registry(self, defaults: Mapping) -> None:
        value = defaults.scalar("registry")
        if value is not None and not is_registry(value.text):
            hint = "write it like registry.example.com or localhost:5000/team"
            self._diagnostics.error("bad-reference", f"'{value.text}' is not a registry", value.span, hint)
        elif value is not None:
            self.registry = value.text

    def _take_recipes(self, root: Mapping, folder: str) -> None:
        value = root.scalar("recipes")
        if value is None:
            return
        path = workspace_path(folder, value.text, value.span, self._diagnostics)
        if leads_out(self._root, path):
            message = f"'{value.text}' is a link that leads out of the workspace"
            self._diagnostics.error("outside-workspace", message, value.span)
        elif not os.path.isdir(self._root / path):  # noqa: PTH112 - never raises
            self._diagnostics.error("missing-folder", f"there is no folder '{path}'", value.span)
        else:
            self.recipes = path
