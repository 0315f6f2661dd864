"""Digests of what COPY --from takes from a result, for early cutoff."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.base.errors import StageError
from zbuild.plan.fingerprint import XXH3, digest_tree, sha256_algorithm
from zbuild.plan.sources import SelectionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbuild.model.steps import Selection


def digest_selections(root: bytes, selections: Sequence[Selection], *, shared: bool = False) -> tuple[str, ...]:
    """Digest each selection of a tree, `shared` by sha256. Raises StageError for one that takes nothing."""
    algorithm = sha256_algorithm() if shared else XXH3
    try:
        return tuple(tree.digest for tree in digest_tree(root, selections, algorithm))
    except SelectionError as error:
        raise StageError("copy-source", error.message, hint=error.hint) from None


def digest_exports(root: bytes, selections: Sequence[Selection]) -> tuple[tuple[Selection, str], ...]:
    """Digest each selection that there is: one that takes nothing is the fault of the stage that copies it."""
    found = []
    for selection in selections:
        try:
            (tree,) = digest_tree(root, [selection])
        except SelectionError:
            continue
        found.append((selection, tree.digest))
    return tuple(found)
