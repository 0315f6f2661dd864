"""`zbuild clean`: removes what builds left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from zbuild.cli.options import examples, with_build_options, with_workspace

if TYPE_CHECKING:
    from zbuild.api.options import BuildOptions
    from zbuild.api.workspace import Workspace


@click.command(
    "clean",
    epilog=examples(
        "zbuild clean          remove what is no longer needed",
        "zbuild clean --all    also forget every record: the next build runs everything",
    ),
)
@with_build_options("backend", "wait")
@click.option("--all", "everything", is_flag=True, help="Remove the built images and all of .zbuild/ as well.")
@with_workspace
def command(workspace: Workspace, options: BuildOptions, *, everything: bool) -> None:
    """Remove what builds of this workspace left behind.

    That is: containers and images of builds that were killed, and logs. Whatever is removed, the next build is
    slower at most, never wrong.
    """
    removed = workspace.clean(options, everything=everything)
    click.echo("\n".join(f"removed {what}" for what in removed) or "nothing to remove")
