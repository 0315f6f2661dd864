"""`zbuild cache`: what builds keep on disk."""

from __future__ import annotations

import click

from zbuild.cli import cache_du, cache_ls, cache_prune
from zbuild.cli.options import examples


@click.group(
    "cache",
    epilog=examples(
        "zbuild cache ls       every result that is kept, and whether it is still needed",
        "zbuild cache du       how much room things take",
        "zbuild cache prune    remove what is not needed any more",
    ),
)
def command() -> None:
    """Show and free what builds of this workspace keep on disk."""


for _command in (cache_ls.command, cache_du.command, cache_prune.command):
    command.add_command(_command)
