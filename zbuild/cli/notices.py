"""What commands that build nothing tell of how build files were found; `zbuild build` has its report for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from zbuild.report.clean import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbuild.api.options import BuildOptions
    from zbuild.api.workspace import Workspace


def tell_notices(workspace: Workspace, targets: Sequence[str], options: BuildOptions) -> None:
    """Say on stderr which contexts are built by a recipe, when the options ask for such."""
    if options.detect or options.runtime:
        for notice in workspace.notices(targets, options):
            click.echo(f"zbuild: {printable(notice)}", err=True)
