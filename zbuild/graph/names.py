"""The names of stages in the graph, no two alike, and the images that bear a tag."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.base.reference import ReferenceError as BadReferenceError
from zbuild.base.reference import normalise
from zbuild.graph.platforms import stage_suffix

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zbuild.graph.instance import Instance
    from zbuild.model.ops import Pairs
    from zbuild.model.project import Project


class StageNames:
    """Gives each stage a name, and each nested build what it is called; `images` are the names of the workspace's."""

    def __init__(self, images: Iterable[str]) -> None:
        self._images = set(images)
        self._builds: dict[tuple[str, str, Pairs], str] = {}
        self._stages: dict[tuple[str, str, int], str] = {}
        self._taken: set[str] = set()

    def of_build(self, context: str, file: str, args: Pairs) -> str:
        """Return what a nested build is called, whatever it is built for."""
        way = (context, file, args)
        if way not in self._builds:
            self._builds[way] = _free(context if context != "." else file, self._images)
        return self._builds[way]

    def of_stage(self, instance: Instance, index: int) -> str:
        """Return a stage's name, made unlike that of a nested build that happens to be equal.

        Stages that are the same for several platforms share one.
        """
        suffix = stage_suffix(instance, index)
        key = (instance.name, suffix, index)
        if key not in self._stages:
            self._stages[key] = _free(instance.stage_name(index) + suffix, self._taken)
        return self._stages[key]


def _free(name: str, taken: set[str]) -> str:
    """Return a name that is not taken yet, `name@2` where `name` is, and take it."""
    number = 1
    free = name
    while free in taken:
        number += 1
        free = f"{name}@{number}"
    taken.add(free)
    return free


def by_tag(project: Project) -> dict[str, str]:
    """Map full references to the image that bears them; the first one wins."""
    found: dict[str, str] = {}
    for spec in project.images:
        for tag in spec.tags:
            try:
                found.setdefault(str(normalise(tag)), spec.name)
            except BadReferenceError:
                continue  # the frontend reports bad tags, with their place
    return found
