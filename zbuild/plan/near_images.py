"""What may have been meant by an image that is not to be had: an image of the workspace, by its name or a tag."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.base.text import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PLACES = ("docker.io/library/", "docker.io/", "localhost/")


def image_hint(reference: str, names: Sequence[tuple[str, tuple[str, ...]]]) -> str:
    """Return a hint for a full reference, given the workspace's images as (name, tags); "" when none is near."""
    short = _short(reference)
    tags: Mapping[str, tuple[str, ...]] = dict(names)
    name = short.partition("@")[0].partition(":")[0]
    if name in tags:
        by_tag = f", or by its tag {tags[name][0]}" if tags[name] else ""
        return f"'{name}' is an image of this workspace: name it by 'build: {{image: {name}}}' in a ZImagefile{by_tag}"
    known = [tag for image_tags in tags.values() for tag in image_tags]
    nearest = did_you_mean(short, known) or did_you_mean(short, map(_short, known))
    return nearest or did_you_mean(reference, known)


def _short(reference: str) -> str:
    """Return a reference as it is usually written."""
    place = next((place for place in _PLACES if reference.startswith(place)), "")
    return reference.removeprefix(place).removesuffix(":latest")
