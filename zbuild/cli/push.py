"""`zbuild push`: brings built images to their registries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from zbuild.cli.notices import tell_event
from zbuild.cli.options import DOCUMENT_OPTIONS, IMAGE_OPTIONS, examples, with_build_options, with_workspace

if TYPE_CHECKING:
    from zbuild.api.options import BuildOptions
    from zbuild.api.workspace import Workspace


@click.command(
    "push",
    epilog=examples(
        "zbuild push                  push the default group, or all images",
        "zbuild push api 'web-*'      push these",
    ),
)
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@with_build_options(
    *("build_args", "contexts", "platforms", "target", *IMAGE_OPTIONS, "backend", "reproducible", "detect", "runtime"),
    *DOCUMENT_OPTIONS,
    "wait",
)
@with_workspace
def command(workspace: Workspace, targets: tuple[str, ...], options: BuildOptions) -> None:
    """Push images to the registries that their tags name.

    Nothing is built: an image that is not up to date with its build files is an error; 'zbuild build --push' builds it
    first. Tags that name no registry,
    and those of localhost/, are left out.

    With 'push: {after_all: true}' in zbuild.yaml all blobs and manifests of all images are brought to their
    repositories first, and tags are set last.

    Prints REFERENCE@DIGEST of each tag, as the registry has it.
    """
    for tag in workspace.push(targets, options, tell_event):
        click.echo(f"{tag.reference}@{tag.digest}")
