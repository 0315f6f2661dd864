"""`zbuild manifest`: lists of images of several platforms, put together by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from zbuild.cli import values
from zbuild.cli.options import debug_option, examples

if TYPE_CHECKING:
    from zbuild.api.manifests import Manifests


@click.group(
    "manifest",
    epilog=examples(
        "zbuild manifest create registry.example.com/api:7 registry.example.com/api:7-amd64",
        "zbuild manifest add registry.example.com/api:7 registry.example.com/api:7-arm64",
        "zbuild manifest push registry.example.com/api:7",
    ),
)
def command() -> None:
    """Put images for several platforms into lists.

    An image of a workspace needs none of this: with several 'platforms' it is such a list. These commands are for
    images that were built apart, on several machines say. Lists are kept in the store, as buildah and podman have
    them.
    """


def _manifests() -> Manifests:
    from zbuild.api.manifests import Manifests  # noqa: PLC0415 - not needed to show help

    return Manifests()


@command.command(
    "create",
    epilog=examples(
        "zbuild manifest create shop/api:7",
        "zbuild manifest create shop/api:7 shop/api:7-amd64 registry.example.com/shop/api:7-arm64",
    ),
)
@click.argument("name", callback=values.image_name)
@click.argument("images", nargs=-1, metavar="[IMAGE]...")
@click.option("--amend", is_flag=True, help="Add to a list of that name, if there is one.")
@debug_option
def create(name: str, images: tuple[str, ...], *, amend: bool) -> None:
    """Make a list, of images if any are named.

    An IMAGE is one of the store, or else of the registry that it names, which is not pulled. Prints the list's name in
    full.
    """
    click.echo(_manifests().create(name, images, amend=amend))


@command.command("add", epilog=examples("zbuild manifest add shop/api:7 shop/api:7-riscv64 --platform linux/riscv64"))
@click.argument("name", callback=values.image_name)
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.option(
    "--platform", callback=values.platform, metavar="OS/ARCH", help="What the image is for; without it, what it says."
)
@click.option(
    "--annotation",
    "annotations",
    callback=values.pairs,
    multiple=True,
    metavar="NAME=VALUE",
    help="Annotate the image in the list.",
)
@debug_option
def add(name: str, images: tuple[str, ...], platform: object, annotations: tuple[tuple[str, str], ...]) -> None:
    """Put images into a list of the store."""
    _manifests().add(name, images, platform, annotations)  # type: ignore[arg-type] # the callback makes it a Platform


@command.command(
    "push",
    epilog=examples(
        "zbuild manifest push registry.example.com/shop/api:7",
        "zbuild manifest push shop/api:7 registry.example.com/shop/api:7",
    ),
)
@click.argument("name", callback=values.image_name)
@click.argument("destination", required=False, callback=values.image_name)
@debug_option
def push(name: str, destination: str | None) -> None:
    """Push a list, and all that is in it before.

    It goes to the registry that its name, or DESTINATION, names. Prints REFERENCE@DIGEST, as the registry has it.
    """
    reference, digest = _manifests().push(name, destination or "")
    click.echo(f"{reference}@{digest}")


@command.command("inspect", epilog=examples("zbuild manifest inspect shop/api:7"))
@click.argument("name")
@debug_option
def inspect(name: str) -> None:
    """Print a list of the store as JSON, or what a registry has under that name."""
    click.echo(_manifests().inspect(name).rstrip("\n"))
