"""What commands that build nothing tell on stderr; `zbuild build` has its report for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from zbuild.events.types import ImagePushed, ImageTagged, Notice
from zbuild.report.clean import printable
from zbuild.report.plain import notice_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbuild.api.options import BuildOptions
    from zbuild.api.workspace import Workspace
    from zbuild.events.types import Event


def tell_event(event: Event) -> None:
    """Say on stderr what is told outside any stage."""
    if isinstance(event, Notice | ImageTagged | ImagePushed):
        click.echo("\n".join(notice_lines(event)), err=True)


def tell_notices(workspace: Workspace, targets: Sequence[str], options: BuildOptions) -> None:
    """Say on stderr which contexts are built by a recipe, when the options ask for such."""
    if options.detect or options.runtime:
        for notice in workspace.notices(targets, options):
            warn(notice)


def warn(message: str) -> None:
    """Say something on stderr."""
    click.echo(f"zbuild: {printable(message)}", err=True)
