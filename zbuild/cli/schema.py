"""`zbuild schema`: prints the schemas of the YAML build files, for editors."""

from __future__ import annotations

import click

from zbuild.cli.options import examples

NAMES = ("zbuild", "zimagefile", "recipe", "lock")


@click.command(
    "schema",
    epilog=examples(
        "zbuild schema zbuild > zbuild.schema.json            for zbuild.yaml",
        "zbuild schema zimagefile > zimagefile.schema.json    for ZImagefiles",
    ),
)
@click.argument("name", type=click.Choice(NAMES), metavar="NAME")
@click.help_option("-h", "--help")
def command(name: str) -> None:
    """Print a JSON schema, for editors.

    NAME is 'zbuild', for zbuild.yaml and ZPipeline.yaml, 'zimagefile', 'recipe', for recipe.yaml, or 'lock', for
    zbuild.lock. Editors complete and check build files with it; zbuild itself checks them by the same schema.
    """
    from zbuild.resources import data_folder  # noqa: PLC0415 - not needed to show help

    click.echo((data_folder("schemas") / "v1" / f"{name}.schema.json").read_text(encoding="utf-8"), nl=False)
