"""`zbuild cache du`: how much room things take."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from zbuild.base.text import size_text
from zbuild.cli.notices import warn
from zbuild.cli.options import CACHE_OPTIONS, examples, format_option, with_build_options, with_workspace
from zbuild.report.table import aligned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbuild.api.cache import DiskUse
    from zbuild.api.options import BuildOptions
    from zbuild.api.workspace import Workspace


@click.command(
    "du",
    epilog=examples(
        "zbuild cache du                  images, cache mounts, fetched files, state, logs",
        "zbuild cache du --format json    for programs, in bytes",
    ),
)
@with_build_options(*CACHE_OPTIONS)
@format_option("text", "json")
@with_workspace
def command(workspace: Workspace, options: BuildOptions, form: str) -> None:
    """Say how much room builds of this workspace take.

    Of the images it is the layers that no other images of the store hold, each counted once. Under 'NOT NEEDED' is
    what 'zbuild cache prune' would free.
    """
    uses = workspace.cache(options, warn).usage()
    click.echo(json.dumps([asdict(use) for use in uses], indent=2) if form == "json" else usage_text(uses))


def usage_text(uses: Sequence[DiskUse]) -> str:
    """Return the sums as an aligned table, with all together as its last line."""
    rows = [
        (f"{use.kind} {use.name}".rstrip(), str(use.count), size_text(use.size), size_text(use.unused)) for use in uses
    ]
    total = ("all", "", size_text(sum(use.size for use in uses)), size_text(sum(use.unused for use in uses)))
    return "\n".join(aligned([("WHAT", "COUNT", "SIZE", "NOT NEEDED"), *rows, total], right=(1, 2, 3)))
