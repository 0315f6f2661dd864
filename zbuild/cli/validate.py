"""`zbuild validate`: reads the build files and tells every problem."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from zbuild.base.text import plural
from zbuild.cli.notices import tell_notices
from zbuild.cli.options import examples, with_build_options, with_workspace

if TYPE_CHECKING:
    from zbuild.api.options import BuildOptions
    from zbuild.api.workspace import Workspace


@click.command(
    "validate",
    epilog=examples(
        "zbuild validate                   check the build files of the workspace",
        "zbuild validate -C examples/shop  check another workspace",
    ),
)
@with_build_options("detect", "runtime")
@with_workspace
def command(workspace: Workspace, options: BuildOptions) -> None:
    """Check all build files of the workspace.

    Nothing is built. Every problem is told at once, with file, line and column. The exit code is 2 when there are
    errors; warnings do not change it.
    """
    from zbuild.cli.draw import Sources, diagnostic_lines  # noqa: PLC0415 - warnings are few
    from zbuild.report.palette import palette_for  # noqa: PLC0415 - likewise

    warnings = workspace.validate(options)
    sources, palette = Sources(workspace.root), palette_for(sys.stderr)
    for warning in warnings:
        click.echo("\n".join(diagnostic_lines(warning, sources, palette)), err=True)
    images = workspace.images(options)
    tell_notices(workspace, [image.name for image in images], options)
    found = plural(len(warnings), "warning") if warnings else "no problems"
    click.echo(f"{plural(len(images), 'image')}, {found}")
