"""What can be checked only when all build files of a workspace are read: names that must exist, and be there once."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from zbuild.base.reference import ReferenceError as BadReferenceError
from zbuild.base.reference import normalise
from zbuild.base.text import did_you_mean
from zbuild.frontend.buildfile.include import is_wild

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from zbuild.base.diagnostic import Diagnostics
    from zbuild.model.project import ImageSpec
    from zbuild.syntax.nodes import Scalar

_LONGEST_CYCLE = 12  # names shown of a cycle

Members = tuple["Scalar", ...]


def check_dependencies(
    dependencies: Iterable[tuple[Scalar, Scalar]], images: Collection[str], diagnostics: Diagnostics
) -> None:
    """Note every `depends_on` of an unknown image, or of the image itself."""
    for image, needed in dependencies:
        if diagnostics.full:
            return
        if needed.text == image.text:
            message = f"image '{image.text}' depends on itself"
            diagnostics.error("cycle", message, needed.span, "take it out")
        elif needed.text not in images:
            hint = did_you_mean(needed.text, images)
            diagnostics.error("unknown-image", f"there is no image named '{needed.text}'", needed.span, hint)


def check_tags(images: Iterable[ImageSpec], diagnostics: Diagnostics) -> None:
    """Note every tag that two images would take from each other."""
    owners: dict[str, ImageSpec] = {}
    for spec in images:
        for tag in spec.tags:
            try:
                owner = owners.setdefault(str(normalise(tag)), spec)
            except BadReferenceError:  # told where it was read
                continue
            if owner.name != spec.name:
                message = f"the tag '{tag}' of image '{spec.name}' is also one of '{owner.name}' ({owner.span})"
                diagnostics.error("duplicate-tag", message, spec.span)


def check_groups(groups: Mapping[Scalar, Members], images: Collection[str], diagnostics: Diagnostics) -> None:
    """Note groups called like an image, members that are nothing, and groups that contain themselves."""
    names = {name.text for name in groups}
    checked: set[str] = set()
    for name, members in groups.items():
        if name.text in images:
            message = f"'{name.text}' is an image already; a group needs a name of its own"
            diagnostics.error("duplicate-name", message, name.span)
        for member in members:
            if member.text not in checked and member.text not in images and member.text not in names:
                checked.add(member.text)
                _check_pattern(member, images, names, diagnostics)
    _check_group_cycles(groups, diagnostics)


def _check_pattern(member: Scalar, images: Collection[str], groups: Collection[str], diagnostics: Diagnostics) -> None:
    if diagnostics.full:
        return
    if not is_wild(member.text):
        hint = did_you_mean(member.text, [*images, *groups])
        diagnostics.error("unknown-member", f"there is no image or group named '{member.text}'", member.span, hint)
    elif not any(fnmatchcase(image, member.text) for image in images):
        diagnostics.error("unknown-member", f"no image matches '{member.text}'", member.span)


def _check_group_cycles(groups: Mapping[Scalar, Members], diagnostics: Diagnostics) -> None:
    """Walk the groups depth first, without recursion: there may be thousands in a chain."""
    names = {name.text: name for name in groups}
    done: set[str] = set()
    for start in names:
        path: dict[str, list[str]] = {}
        _enter(start, path, names, groups)
        while path and start not in done and not diagnostics.full:
            current = next(reversed(path))
            if not path[current]:
                path.pop(current)
                done.add(current)
                continue
            member = path[current].pop()
            if member in path:
                cycle = [*list(path)[list(path).index(member) :], member]
                shown = cycle if len(cycle) <= _LONGEST_CYCLE else [*cycle[:4], "…", *cycle[-3:]]
                message = f"these groups contain each other: {' → '.join(shown)}"
                diagnostics.error("group-cycle", message, names[current].span)
            elif member not in done:
                _enter(member, path, names, groups)


def _enter(
    name: str, path: dict[str, list[str]], names: Mapping[str, Scalar], groups: Mapping[Scalar, Members]
) -> None:
    path[name] = [member.text for member in reversed(groups[names[name]]) if member.text in names]
