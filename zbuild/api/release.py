"""What leaves the machine, or goes with what does: images to their registries, and the documents about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zbuild.api.build import Build
    from zbuild.api.graphs import LoadedGraph
    from zbuild.api.options import BuildOptions, PushedTag
    from zbuild.api.session import Session
    from zbuild.events.bus import Emit


def release_built(
    loaded: LoadedGraph, session: Session, build: Build, options: BuildOptions, emit: Emit
) -> tuple[PushedTag, ...]:
    """Push the targets of a build that ended well, and make documents about them, as the options ask.

    Raises what `release_present` does.
    """
    from zbuild.api.push import push_built  # noqa: PLC0415 - few builds push

    pushed = push_built(loaded.graph, session, build, emit) if options.push else ()
    if options.documents:
        from zbuild.api.attest import attest  # noqa: PLC0415 - likewise
        from zbuild.api.facts import Built  # noqa: PLC0415 - likewise

        described = {name: decision.described for name, decision in build.decisions.items()}
        records = {name: finished.record for name, finished in build.finished.items()}
        attest(Built(loaded, described, records), session, options, pushed, emit)
    return pushed


def release_present(loaded: LoadedGraph, session: Session, options: BuildOptions, emit: Emit) -> tuple[PushedTag, ...]:
    """Push the targets as they are in the store, and make documents about them, as the options ask.

    Raises UsageError for what is not up to date; RegistryError, BackendError, InterruptedBuildError.
    """
    from zbuild.api.push import push_present  # noqa: PLC0415 - likewise

    pushed = push_present(loaded.graph, session, emit)
    if options.documents:
        from zbuild.api.attest import attest, present  # noqa: PLC0415 - likewise

        attest(present(loaded, session), session, options, pushed, emit)
    return pushed
