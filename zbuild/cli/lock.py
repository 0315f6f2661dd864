"""`zbuild lock`: keeps base images as they are, until they are asked for anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from zbuild.base.errors import UsageError
from zbuild.cli.options import examples, with_build_options, with_workspace
from zbuild.report.clean import printable

if TYPE_CHECKING:
    from zbuild.api.locking import LockChange
    from zbuild.api.options import BuildOptions
    from zbuild.api.workspace import Workspace


@click.command(
    "lock",
    epilog=examples(
        "zbuild lock                             lock what is not locked yet, drop what is not used",
        "zbuild lock --update                    take every base as its registry has it now",
        "zbuild lock --update api alpine:3.20    only those of an image, or one by its reference",
        "zbuild lock --check                     for CI: fail when zbuild.lock is not as it should be",
    ),
)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--update", is_flag=True, help="Ask registries again for the bases named, or for all.")
@click.option("--check", is_flag=True, help="Write nothing, ask nobody; fail when bases are missing or not used.")
@with_build_options("build_args", "contexts", "platforms", "detect", "runtime", "wait")
@with_workspace
def command(workspace: Workspace, names: tuple[str, ...], options: BuildOptions, *, update: bool, check: bool) -> None:
    """Write the digests of base images to zbuild.lock.

    The file lies beside zbuild.yaml and holds, for every image of a registry that build files start from or copy from,
    the digest that its reference means. Builds then take that image, whatever its tag has become since, and ask no
    registry. Those whose bases are not in it say so, and fail with --locked.

    A NAME is an image of the workspace, or a reference. What is locked for other platforms than those that are built
    here stays; --platform adds some.
    """
    if names and not update:
        raise UsageError("usage", "names say what to update", hint="add --update")
    if check and update:
        raise UsageError("usage", "--check writes nothing, and --update does", hint="leave out one of them")
    if check:
        workspace.check_lock(options)
        click.echo("zbuild.lock holds what the build files ask for")
        return
    changes = workspace.lock(names, options, update=update)
    for change in changes:
        click.echo(printable(_shown(change)))
    if not changes:
        click.echo("zbuild.lock is up to date")


def _shown(change: LockChange) -> str:
    base = f"{change.reference} {change.platform}"
    if not change.old:
        return f"added    {base} {change.new}"
    return f"moved    {base} {change.old} -> {change.new}" if change.new else f"dropped  {base} {change.old}"
