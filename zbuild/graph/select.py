"""Targets: what users name on the command line, turned into images and stages."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from zbuild.base.dataclass import dataclass
from zbuild.base.errors import UsageError
from zbuild.base.text import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbuild.model.project import Project


@dataclass(frozen=True, slots=True)
class Selected:
    """An image that was asked for; `stage` "" means its output."""

    image: str
    stage: str = ""


def select(project: Project, targets: Sequence[str]) -> tuple[Selected, ...]:
    """Resolve targets in the order given: an image, `image/stage`, a group, or a glob over image names.

    Without targets: the group `default` if there is one, else every image.
    Raises UsageError for a name that is none of these.
    """
    names = list(targets)
    if not names:
        names = ["default"] if any(group.name == "default" for group in project.groups) else ["*"]
    found: dict[Selected, None] = {}
    for name in names:
        found |= dict.fromkeys(_resolve(project, name, ()))
    return tuple(found)


def _resolve(project: Project, name: str, seen: tuple[str, ...]) -> list[Selected]:
    images = [spec.name for spec in project.images]
    if name in images:
        return [Selected(name)]
    group = next((group for group in project.groups if group.name == name), None)
    if group is not None and name not in seen:
        return [item for member in group.members for item in _resolve(project, member, (*seen, name))]
    if any(char in name for char in "*?["):
        matched = [Selected(image) for image in images if fnmatchcase(image, name)]
        if matched or (not seen and name == "*"):
            return matched
    image, slash, stage = name.rpartition("/")
    if slash and image in images:
        return [Selected(image, stage)]
    raise _unknown(project, name)


def _unknown(project: Project, name: str) -> UsageError:
    known = [spec.name for spec in project.images] + [group.name for group in project.groups]
    hint = did_you_mean(name, known) or "`zbuild list` shows what there is"
    what = "no image or group matches" if any(char in name for char in "*?[") else "there is no image or group named"
    return UsageError("unknown-target", f"{what} '{name}'", hint=hint)
