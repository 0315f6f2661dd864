"""Named build contexts of the command line: read, checked, and told when no build file has a use for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.base.diagnostic import Diagnostic
from zbuild.base.errors import UsageError
from zbuild.base.reference import ReferenceError as BadReferenceError
from zbuild.base.reference import short_name
from zbuild.base.text import did_you_mean
from zbuild.frontend.contexts import ContextError, context_name, parse_context
from zbuild.model.contexts import FolderContext
from zbuild.model.definition import NamedBase, NestedBuild
from zbuild.model.mounts import mount_source
from zbuild.model.ops import Copy, Run
from zbuild.syntax.words import WordError, expand_known

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from zbuild.model.contexts import NamedContext, NamedContexts
    from zbuild.model.definition import Definition, Stage
    from zbuild.model.ops import Pairs
    from zbuild.model.project import Project


def given_contexts(given: Pairs, root: Path, project: Project) -> NamedContexts:
    """Return what `--build-context` gives, by name; of one name the last counts. Raises UsageError."""
    found: dict[str, NamedContext] = {}
    for name, value in given:
        try:
            found[context_name(name)] = context = parse_context(value)
        except ContextError as error:
            raise UsageError(error.code, f"--build-context {name}: {error}", hint=error.hint) from None
        _check(f"--build-context {name}", context, root, project)
    return tuple(found.items())


def _check(what: str, context: NamedContext, root: Path, project: Project) -> None:
    """Raise UsageError for a folder or an image that there is not."""
    if isinstance(context, FolderContext) and not (root / context.path).is_dir():
        raise UsageError("missing-folder", f"{what}: there is no folder {root / context.path}")
    if isinstance(context, NestedBuild) and project.image(context.image) is None:
        hint = did_you_mean(context.image, (spec.name for spec in project.images))
        raise UsageError("unknown-image", f"{what}: there is no image named '{context.image}'", hint=hint)


def unused_contexts(given: Collection[str], definitions: Iterable[Definition]) -> tuple[Diagnostic, ...]:
    """Return a warning for each context of the command line whose name none of the definitions has.

    A name with variables that are known only while building may mean any of them: then nothing is told.
    """
    if not given:
        return ()
    used = {name for definition in definitions for name in _names(definition)}
    if "" in used:
        return ()
    return tuple(
        Diagnostic(
            "unused-context",
            f"--build-context {name} is named by none of the build files",
            hint=did_you_mean(name, used),
            severity="warning",
        )
        for name in given
        if name not in used
    )


def _names(definition: Definition) -> Iterator[str]:
    """Yield every name of a definition that a context could take the place of; "" for one that is not known."""
    for stage in definition.stages:
        for word in _words(stage):
            try:
                text = expand_known(word, {}, escape=definition.escape)
                yield "" if "$" in text else short_name(text)
            except (WordError, BadReferenceError):
                continue  # the build tells


def _words(stage: Stage) -> Iterator[str]:
    yield stage.name
    if isinstance(stage.base, NamedBase):
        yield stage.base.text
    for op in stage.ops:
        if isinstance(op, Copy):
            yield op.source
        elif isinstance(op, Run):
            yield from map(mount_source, op.mounts)
