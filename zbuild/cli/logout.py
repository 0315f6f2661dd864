"""`zbuild logout`: forgets the credentials of a registry."""

from __future__ import annotations

import click

from zbuild.cli.options import debug_option, examples


@click.command(
    "logout",
    epilog=examples(
        "zbuild logout registry.example.com",
        "zbuild logout localhost:5000    a port is part of the name",
    ),
)
@click.argument("registry")
@debug_option
def command(registry: str) -> None:
    """Forget the user and password of a registry."""
    from zbuild.api.credentials import logout  # noqa: PLC0415 - not needed to show help

    logout(registry)
    click.echo(f"logged out of {registry}")
