"""`zbuild init`: begins a workspace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from zbuild.cli.options import examples, with_directory

if TYPE_CHECKING:
    from zbuild.cli.session import Session


@click.command(
    "init",
    epilog=examples(
        "zbuild init                 write a zbuild.yaml for the projects found here",
        "zbuild init --dry-run ..    only show what would be written in the folder above",
    ),
)
@click.argument(
    "folder", required=False, metavar="[DIR]", type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option("-n", "--dry-run", is_flag=True, help="Print the files instead of writing them.")
@click.option("--force", is_flag=True, help="Overwrite files that are there.")
@with_directory
def command(session: Session, folder: Path | None, *, dry_run: bool, force: bool) -> None:
    """Make a workspace of the projects in a folder.

    Looks for projects, one folder each: those with a ZImagefile or Dockerfile, and those whose files (package.json,
    go.mod, Cargo.toml …) show which recipe builds them. Writes a zbuild.yaml that lists them, and a ZImagefile and a
    .dockerignore for each that has none. Packages of a workspace of npm, pnpm, Yarn, cargo or Go are built from its
    root, where their lock file is. Folders like node_modules, vendor, target and hidden ones are left alone.
    """
    from zbuild.api.recipes import foreign_files, plan_workspace, write_files  # noqa: PLC0415 - nothing of it is needed for --help

    root = (session.directory / (folder or ".")).absolute()
    files = plan_workspace(root)
    if dry_run:
        click.echo("\n".join(f"# {file.path}\n{file.text}" for file in files), nl=False)
        return
    write_files(root, files, force=force)
    for file in files:
        click.echo(f"wrote {file.path}: {file.reason}")
    for name in foreign_files(root):
        click.echo(f"note: {name} was not read; 'zbuild import {name}' prints a zbuild.yaml of what it builds")
    click.echo("next: read them, then run 'zbuild validate' and 'zbuild plan'")
