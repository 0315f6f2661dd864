"""`zbuild cache prune`: frees room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from zbuild.base.disk import parse_size
from zbuild.base.text import size_text
from zbuild.cli import values
from zbuild.cli.notices import warn
from zbuild.cli.options import CACHE_OPTIONS, examples, with_build_options, with_workspace

if TYPE_CHECKING:
    from zbuild.api.options import BuildOptions
    from zbuild.api.workspace import Workspace


def _size(_context: click.Context, _param: click.Parameter, value: str | None) -> int | None:
    try:
        return None if value is None else parse_size(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command(
    "prune",
    epilog=examples(
        "zbuild cache prune                      remove what the build files do not lead to any more",
        "zbuild cache prune --older-than 7d      of that, what was not used for a week",
        "zbuild cache prune --keep-size 20GB     of that, only as much as is over 20 GB",
        "zbuild cache prune --all --mounts       as much as can be had, but for tagged images",
        "zbuild cache prune --remote s3://b/p --older-than 4w",
    ),
)
@with_build_options(*CACHE_OPTIONS, "wait")
@click.option(
    "--older-than",
    callback=values.age,
    metavar="AGE",
    help="Only what was not used for this long: 12h, 7d, 2w.",
)
@click.option(
    "--keep-size",
    callback=_size,
    metavar="SIZE",
    help="Only as many images, least lately used first, as leave this much: 500MB, 20GB.",
)
@click.option("--all", "everything", is_flag=True, help="Also what the build files lead to, and what ADD fetched.")
@click.option("--mounts", is_flag=True, help="Also the cache mounts of RUN.")
@click.option(
    "--remote",
    default="",
    metavar="PLACE",
    help="Prune a remote cache instead, a folder or s3://BUCKET/PREFIX, by age and size.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
@with_workspace
def command(
    workspace: Workspace,
    options: BuildOptions,
    *,
    older_than: float | None,
    keep_size: int | None,
    everything: bool,
    mounts: bool,
    remote: str,
    dry_run: bool,
) -> None:
    """Remove what builds of this workspace keep and do not need.

    That is: images that the build files, as they are now, do not lead to, and what killed builds left. Images with a
    name that you gave stay, and those that a container stands on. The next build is slower at most, never wrong.
    """
    from zbuild.api.cache import PruneChoices  # noqa: PLC0415 - not needed for --help

    choices = PruneChoices(older_than or 0.0, keep_size, everything, mounts, dry_run)
    if remote:
        from zbuild.api.remote_prune import prune_remote  # noqa: PLC0415 - rarely asked for

        pruned = prune_remote(remote, choices)
    else:
        pruned = workspace.cache(options, warn).prune(choices)
    removed, freed = ("would remove", "would free") if dry_run else ("removed", "freed")
    lines = [f"{removed} {what}" for what in pruned.removed]
    lines = [*lines, f"{freed} {size_text(pruned.size)}"] if lines else ["nothing to remove"]
    click.echo("\n".join([*lines, pruned.waiting] if pruned.waiting else lines))
