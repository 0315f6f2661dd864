"""Keys that machines share: sha256 over the same material, since an adversary may have a hand in what is shared.

A key is made of (what, sha256 of the value) for each input, so that an entry can carry its inputs, and be held to
them, without telling their values. Other stages stand in by their static keys, or by what they came to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from zbuild.base.digest import sha256
from zbuild.plan.key import Pending, material

if TYPE_CHECKING:
    from collections.abc import Callable

    from zbuild.model.steps import Selection
    from zbuild.plan.describe import Described
    from zbuild.plan.key import Digests, Item

SharedInputs: TypeAlias = "tuple[tuple[str, str], ...]"
_VERSION = "zbuild shared key 1"
_SHARED = "sha256:"


def shared_material(described: Described, backend: str, digests: Digests) -> tuple[Item, ...]:
    """Return a stage's material with sha256 digests in it; `digests` gives those of what lies outside of stages."""
    base = next(item.value for item in described.items if item.what == "base")
    return material(described.vertex, described.evaluation, base, backend, digests).items


def shared_inputs(items: tuple[Item, ...], resolve: Callable[[Pending], str]) -> SharedInputs:
    """Return what each input of a material is called, and the sha256 of its value."""
    return tuple(
        (item.what, sha256(resolve(item.value) if isinstance(item.value, Pending) else item.value)) for item in items
    )


def shared_key(inputs: SharedInputs) -> str:
    """Return the key that inputs come to: 64 hex digits."""
    return sha256((_VERSION, inputs))


def shared_identity(diff_ids: tuple[str, ...], config: str) -> str:
    """Return what a stage's result is to those who start from it."""
    return sha256((diff_ids, config))


def shared_selection_id(selection: Selection) -> str:
    """Name a selection, for records to keep its sha256 digest under, among those that stay on one machine."""
    return _SHARED + sha256((selection.sources, selection.exclude, selection.parents))
