"""`zbuild explain`: why each stage of a target would run or not, down to single files."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from zbuild.plan.fingerprint import diff_listings
from zbuild.plan.types import StageExplanation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zbuild.api.session import Session
    from zbuild.graph.types import Graph
    from zbuild.plan.types import Change


def explain_stages(graph: Graph, session: Session) -> tuple[StageExplanation, ...]:
    """Explain every stage of the graph, in order."""
    decisions = session.decide(graph)
    explained = tuple(
        StageExplanation(
            name,
            decision.action,
            decision.reason,
            tuple(part for change in decision.changes for part in _by_file(change, session)),
            len(decision.described.evaluation.steps),
            decision.done,
            str(decision.described.vertex.platform),
        )
        for name, decision in decisions.items()
    )
    session.sources.save()
    return explained


def _by_file(change: Change, session: Session) -> Iterator[Change]:
    """Split a change of files into the files that differ, where both listings are at hand."""
    old = session.records.tree(change.old)
    new = session.sources.listings.get(change.new)
    if old is None or new is None:
        yield change
        return
    for path, before, after in diff_listings(old, new):
        yield replace(change, what=f"file {path}", old=before, new=after)
