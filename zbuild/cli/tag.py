"""`zbuild tag`: gives a built image further names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from zbuild.cli.notices import tell_event
from zbuild.cli.options import IMAGE_OPTIONS, examples, with_build_options, with_workspace
from zbuild.cli.values import image_names

if TYPE_CHECKING:
    from zbuild.api.options import BuildOptions
    from zbuild.api.workspace import Workspace


@click.command(
    "tag",
    epilog=examples(
        "zbuild tag api shop/api:tested                    another name in the store",
        "zbuild tag api registry.example.com/shop/api:7    a name that can be pushed with 'buildah push'",
    ),
)
@click.argument("image")
@click.argument("names", nargs=-1, required=True, callback=image_names, metavar="NAME[:TAG]...")
@with_build_options(
    *(
        "build_args",
        "contexts",
        "platforms",
        "target",
        *IMAGE_OPTIONS,
        "backend",
        "reproducible",
        "detect",
        "runtime",
        "wait",
    )
)
@with_workspace
def command(workspace: Workspace, image: str, names: tuple[str, ...], options: BuildOptions) -> None:
    """Give the present result of an image further names.

    They are names in the local store, as with --tag; nothing is built or pushed. An image that is not up to date
    with its build files is an error.
    """
    workspace.tag(image, names, options, tell_event)
