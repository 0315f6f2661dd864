"""`zbuild import`: other tools' files as a zbuild.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from zbuild.base.errors import UsageError
from zbuild.cli.convert import tell_problems, write_output
from zbuild.cli.options import examples, with_directory

if TYPE_CHECKING:
    from zbuild.cli.session import Session


@click.command(
    "import",
    epilog=examples(
        "zbuild import compose.yaml                       print the zbuild.yaml of its 'build:' sections",
        "zbuild import docker-bake.json -o zbuild.yaml    write the one of a bake file's targets",
    ),
)
@click.argument("file", metavar="FILE")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="OUT", help="Write to OUT.")
@click.option("--force", is_flag=True, help="Overwrite OUT when it is there.")
@with_directory
def command(session: Session, file: str, output: Path | None, *, force: bool) -> None:
    """Make a zbuild.yaml of a bake file or a Compose file.

    FILE is a docker-bake.json, a docker-bake.hcl in JSON ('docker buildx bake --print' writes that), or a Compose file,
    of which the 'build:' sections count. What has no place in a zbuild.yaml is told with its line.
    """
    from zbuild.api.convert import import_file  # noqa: PLC0415 - nothing of it is needed for --help

    path = (session.directory / file).absolute()
    if not path.is_file():
        raise UsageError("no-build-file", f"there is no file {file}")
    target = None if output is None else (session.directory / output).absolute()
    session.root = path.parent
    printed = import_file(path.parent, path.name, path.parent if target is None else target.parent)
    tell_problems(printed.problems, session.root)
    write_output(printed.text, target, force=force)
