"""`zbuild recipes`: the recipes at hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from zbuild.cli.options import examples, format_option, with_directory
from zbuild.report.table import aligned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbuild.cli.session import Session
    from zbuild.frontend.recipe.catalog import Recipe


@click.command(
    "recipes",
    epilog=examples(
        "zbuild recipes                          what there is",
        "zbuild recipes node22                   what it takes, and its build file",
        "zbuild recipes go --format build-file   the build file alone, to make it your own",
    ),
)
@click.argument("name", required=False)
@format_option("text", "json", "build-file")
@with_directory
def command(session: Session, name: str | None, form: str) -> None:
    """List the recipes, or show one.

    A recipe is a build file for a whole ecosystem. 'runtime: NAME' in a ZImagefile, or in an image of a zbuild.yaml,
    stands for it; 'args' beside it set its parameters. Those of the workspace ('recipes:' in zbuild.yaml) come first.
    """
    from zbuild.api.recipes import list_recipes, show_recipe  # noqa: PLC0415 - nothing of it is needed for --help

    own = session.recipes()
    if name is None:
        if form == "build-file":
            raise click.UsageError("--format build-file shows one recipe; name it")
        recipes = list_recipes(session.root, own)
        told = [_plain(recipe) for recipe in recipes]
        click.echo(json.dumps(told, indent=2) if form == "json" else list_text(recipes))
        return
    recipe, text = show_recipe(session.root, name, own)
    if form == "json":
        click.echo(json.dumps({**_plain(recipe), "build_file": text}, indent=2))
    else:
        click.echo(text if form == "build-file" else recipe_text(recipe, text), nl=form != "build-file")


def list_text(recipes: Sequence[Recipe]) -> str:
    """Return the recipes as an aligned table."""
    rows = [(recipe.name, recipe.title, ", ".join(recipe.aliases), " ".join(recipe.detect)) for recipe in recipes]
    return "\n".join(aligned([("RECIPE", "FOR", "ALSO CALLED", "FOUND BY"), *rows]))


def recipe_text(recipe: Recipe, build_file: str) -> str:
    """Return what is to be known of one recipe: its description, its parameters, its build file."""
    lines = [f"{recipe.name}: {recipe.title}", "", recipe.description, "", "Parameters (args):"]
    rows = [(f"  {item.name}", item.default or "(none)", item.description) for item in recipe.parameters]
    return "\n".join([*lines, *aligned(rows), "", "Build file:", *_indented(build_file)])


def _indented(text: str) -> list[str]:
    return [f"  {line}".rstrip() for line in text.rstrip("\n").split("\n")]


def _plain(recipe: Recipe) -> dict[str, object]:
    return {
        "name": recipe.name,
        "title": recipe.title,
        "description": recipe.description,
        "aliases": list(recipe.aliases),
        "detect": list(recipe.detect),
        "shipped": recipe.shipped,
        "parameters": [
            {"name": item.name, "default": item.default, "description": item.description} for item in recipe.parameters
        ],
    }
