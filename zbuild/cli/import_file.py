"""`zbuild import`: other tools' files as a zbuild.yaml."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zbuild.base.errors import UsageError
from zbuild.cli.convert import tell_problems, write_output
from zbuild.cli.options import examples, with_directory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbuild.cli.session import Session


@click.command(
    "import",
    epilog=examples(
        "zbuild import compose.yaml                       print the zbuild.yaml of its 'build:' sections",
        "zbuild import docker-bake.json -o zbuild.yaml    write the one of a bake file's targets",
        "zbuild import compose.yaml compose.prod.yaml     with what the second file changes",
    ),
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="OUT", help="Write to OUT.")
@click.option("--force", is_flag=True, help="Overwrite OUT when it is there.")
@with_directory
def command(session: Session, files: tuple[str, ...], output: Path | None, *, force: bool) -> None:
    """Make a zbuild.yaml of bake files or Compose files.

    A FILE is a docker-bake.json, a docker-bake.hcl in JSON ('docker buildx bake --print' writes that), or a Compose
    file, of which the 'build:' sections count. Of several, later ones lie over earlier ones. What has no place in a
    zbuild.yaml is told with its line.
    """
    from zbuild.api.convert import import_files  # noqa: PLC0415 - nothing of it is needed for --help

    paths = [Path(os.path.abspath(session.directory / file)) for file in files]  # noqa: PTH100 - links stay links
    for path, file in zip(paths, files, strict=True):
        if not path.is_file():
            raise UsageError("no-build-file", f"there is no file {file}")
    target = None if output is None else (session.directory / output).absolute()
    session.root = Path(os.path.commonpath([path.parent for path in paths]))
    folder = paths[0].parent if target is None else target.parent
    printed = import_files(session.root, [path.relative_to(session.root).as_posix() for path in paths], folder)
    tell_problems(printed.problems, session.root)
    tell_siblings(paths)
    write_output(printed.text, target, force=force)


def tell_siblings(paths: Sequence[Path]) -> None:
    """Say which files docker would read unasked beside those that were named."""
    for path in paths:
        sibling = path.with_name(f"{path.stem}.override{path.suffix}")
        if sibling.is_file() and sibling not in paths:
            click.echo(f"zbuild: docker reads {sibling.name}, too: name it after {path.name} to do so here", err=True)
        if path.suffix in (".yml", ".yaml") and path.with_name(".env").is_file():
            click.echo("zbuild: .env is not read; what it sets must come from the environment, or --set", err=True)
