"""`zbuild convert`: a Dockerfile as a ZImagefile, and back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zbuild.base.errors import UsageError
from zbuild.base.text import plural
from zbuild.cli.options import examples, with_directory

if TYPE_CHECKING:
    from zbuild.base.diagnostic import Diagnostic
    from zbuild.cli.session import Session


@click.command(
    "convert",
    epilog=examples(
        "zbuild convert Dockerfile                   print it as a ZImagefile",
        "zbuild convert Dockerfile -o ZImagefile     write one",
        "zbuild convert ZImagefile -o Dockerfile     the other way",
    ),
)
@click.argument("file", metavar="FILE")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="OUT", help="Write to OUT.")
@click.option("--partial", is_flag=True, help="Be content with less: what cannot be said is told and left out.")
@click.option("--force", is_flag=True, help="Overwrite OUT when it is there.")
@with_directory
def command(session: Session, file: str, output: Path | None, *, partial: bool, force: bool) -> None:
    """Turn a Dockerfile into a ZImagefile, or back.

    The meaning is kept: what the other format cannot say is told with its line, and the exit code is then 1 and nothing
    is written, unless --partial is given. Comments are not kept. A file named ZImagefile*, *.yml or *.yaml is read as a
    ZImagefile, any other as a Dockerfile.
    """
    from zbuild.api.convert import convert_file  # noqa: PLC0415 - nothing of it is needed for --help

    path = session.directory / file
    if not path.is_file():
        raise UsageError("no-build-file", f"there is no file {file}")
    session.root = path.parent
    printed = convert_file(path.parent, path.name)
    tell_problems(printed.problems, session.root)
    if not printed.whole and not partial:
        count = sum(problem.severity == "error" for problem in printed.problems)
        click.echo(f"zbuild: {plural(count, 'thing')} cannot be said there; --partial leaves them out", err=True)
        raise click.exceptions.Exit(1)
    write_output(printed.text, None if output is None else session.directory / output, force=force)


def tell_problems(problems: tuple[Diagnostic, ...], root: Path) -> None:
    """Draw problems on stderr, with their lines."""
    from zbuild.cli.draw import Sources, diagnostic_lines  # noqa: PLC0415 - there may be none
    from zbuild.report.palette import palette_for  # noqa: PLC0415 - likewise

    sources, palette = Sources(root), palette_for(sys.stderr)
    for problem in problems:
        click.echo("\n".join(diagnostic_lines(problem, sources, palette)), err=True)


def write_output(text: str, path: Path | None, *, force: bool) -> None:
    """Print a text, or write it to a file that is not there yet. Raises UsageError when it is, without `force`."""
    if path is None:
        click.echo(text, nl=False)
    elif path.exists() and not force:
        raise UsageError("file-exists", f"there is already {path}", hint="--force overwrites it")
    else:
        path.write_text(text, encoding="utf-8")
