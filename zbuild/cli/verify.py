"""`zbuild verify`: tells whether images are whole and up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from zbuild.base.errors import ZbuildError
from zbuild.base.text import plural
from zbuild.cli.options import IMAGE_OPTIONS, examples, with_build_options, with_workspace

if TYPE_CHECKING:
    from zbuild.api.options import BuildOptions
    from zbuild.api.workspace import Workspace


@click.command(
    "verify",
    epilog=examples(
        "zbuild verify                check the default group, or all images",
        "zbuild verify api 'web-*'    check these",
    ),
)
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@with_build_options("build_args", "contexts", "platforms", "target", *IMAGE_OPTIONS, "backend", "detect", "runtime")
@with_workspace
def command(workspace: Workspace, targets: tuple[str, ...], options: BuildOptions) -> None:
    """Check that images are whole, and what these build files give.

    Whole is an image whose configuration is what its id says, and whose layers, read from the disk file by file, are
    what their digests say. It is what the build files give when its record has the key that they have now, with the
    files, arguments and bases of now; its tags must be its own.

    Prints a line for each image, and ends with exit code 1 when one is not as it should be.
    """
    found = workspace.verify(targets, options)
    for image in found:
        for problem in image.problems:
            click.echo(f"{image.name}: {problem}")
        if not image.problems:
            click.echo(f"{image.name}: whole and up to date, {image.image_id[:12]}")
    bad = [image for image in found if image.problems]
    if bad:
        names = " ".join(dict.fromkeys(image.target for image in bad))
        again = "-B " if any(image.damaged for image in bad) else ""
        message = f"{plural(len(bad), 'image')} of {len(found)} not as it should be"
        raise ZbuildError("not-verified", message, hint=f"build anew: 'zbuild build {again}{names}'")
