"""`zbuild list`: the images of the workspace."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from zbuild.cli.notices import tell_notices
from zbuild.cli.options import examples, format_option, with_build_options, with_workspace
from zbuild.report.table import aligned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbuild.api.options import BuildOptions, ImageListing
    from zbuild.api.workspace import Workspace


@click.command(
    "list",
    epilog=examples(
        "zbuild list                  the images, their build files, tags and groups",
        "zbuild list --format json    for programs",
    ),
)
@with_build_options("detect", "runtime")
@format_option("text", "json")
@with_workspace
def command(workspace: Workspace, options: BuildOptions, form: str) -> None:
    """List the images of the workspace.

    Each can be a target of 'zbuild build', and so can each of the groups.
    """
    images = workspace.images(options)
    tell_notices(workspace, [image.name for image in images], options)
    click.echo(json.dumps([asdict(image) for image in images], indent=2) if form == "json" else list_text(images))


def list_text(images: Sequence[ImageListing]) -> str:
    """Return the images as an aligned table."""
    rows = [("IMAGE", "CONTEXT", "FILE", "TAGS", "GROUPS", "PLATFORMS")]
    for i in images:
        lists = (" ".join(i.tags), " ".join(i.groups), " ".join(i.platforms))
        rows.append((i.name, i.context, i.file or "(inline)", *lists))
    if not any(i.platforms for i in images):
        return "\n".join(aligned([row[:-1] for row in rows]))
    return "\n".join(aligned(rows))
