"""`zbuild graph`: what is built upon what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from zbuild.cli.notices import tell_notices
from zbuild.cli.options import examples, format_option, with_build_options, with_workspace

if TYPE_CHECKING:
    from zbuild.api.options import BuildOptions
    from zbuild.api.workspace import Workspace
    from zbuild.graph.render import GraphFormat


@click.command(
    "graph",
    epilog=examples(
        "zbuild graph api                          what api is built upon",
        "zbuild graph --format dot | dot -Tsvg     a picture",
        "zbuild graph --format mermaid             for a Markdown page",
    ),
)
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@with_build_options("build_args", "contexts", "platforms", "target", "detect", "runtime")
@format_option("text", "dot", "mermaid", "json")
@with_workspace
def command(workspace: Workspace, targets: tuple[str, ...], options: BuildOptions, form: GraphFormat) -> None:
    """Show what is built upon what.

    Prints the graph of stages, as text or for other tools. Only the stages that the targets need are shown; without
    targets, those of all images.
    """
    from zbuild.graph.render import render  # noqa: PLC0415 - opened after the build files proved right

    graph = workspace.graph(targets, options)
    tell_notices(workspace, targets, options)
    click.echo(render(graph, form).rstrip("\n"))
