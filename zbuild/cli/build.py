"""`zbuild build`: builds what changed."""

from __future__ import annotations

import io
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zbuild.base.errors import BuildFailedError
from zbuild.cli.options import DOCUMENT_OPTIONS, PLAN_OPTIONS, examples, with_build_options, with_workspace
from zbuild.report.select import open_report

if TYPE_CHECKING:
    from zbuild.api.options import BuildOptions, BuildReport
    from zbuild.api.workspace import Workspace
    from zbuild.cli.session import Session
    from zbuild.report.select import Progress


_OWN_OPTIONS = (
    *("layers", "jobs", "keep_going"),
    *("secrets", "agents", "tags", "outputs", "load", "push", *DOCUMENT_OPTIONS, "wait"),
)


@click.command(
    "build",
    epilog=examples(
        "zbuild build                     build the default group, or all images",
        "zbuild build api 'services/*'    build one image, and all that match",
        "zbuild build api/builder -j4     build one stage, four at once",
        "zbuild build -n                  only say what would be done",
    ),
)
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@with_build_options(*PLAN_OPTIONS, *_OWN_OPTIONS)
@click.option("-n", "--dry-run", is_flag=True, help="Print the plan and build nothing.")
@click.option(
    "--progress",
    type=click.Choice(["auto", "tty", "plain", "json", "quiet"]),
    default="auto",
    show_default=True,
    help="How to show progress, on stderr; auto is tty on a terminal, else plain.",
)
@click.option(
    "--metadata-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write what was built (ids, digests, tags, sizes, stages) to FILE, as JSON.",
)
@with_workspace
@click.pass_obj
def command(
    session: Session,
    workspace: Workspace,
    targets: tuple[str, ...],
    options: BuildOptions,
    progress: Progress,
    metadata_file: Path | None,
    *,
    dry_run: bool,
) -> None:
    """Build images; only what changed runs.

    A stage runs when no result is recorded for all that it depends on: its instructions, the files it copies, its
    arguments and its base.

    A TARGET is an image, a stage (image/stage), a group, or a pattern of image names. Without any, the group
    'default' is built, or all images when there is no such group.
    """
    if dry_run:
        from zbuild.cli.notices import tell_notices  # noqa: PLC0415 - only a dry run has no report
        from zbuild.cli.plan import plan_text  # noqa: PLC0415 - only a dry run prints it

        tell_notices(workspace, targets, options)
        click.echo(plan_text(workspace.plan(targets, options)))
        return
    metadata = session.directory / metadata_file if metadata_file else None
    if metadata is not None and metadata_file is not None:
        from zbuild.cli.metadata import check_metadata_file  # noqa: PLC0415 - rarely asked for

        check_metadata_file(metadata, metadata_file)
    try:
        with closing(open_report(progress, sys.stderr or io.StringIO())) as report:
            result = workspace.build(targets, options, report)
    except BuildFailedError as error:
        _write(metadata, error.report)
        raise
    _write(metadata, result)
    if result.proof is not None and progress != "json":  # a program wants its events each time
        from zbuild.cli.stamp import leave_stamp  # noqa: PLC0415 - not every build ends so

        leave_stamp(session.argv, result, result.proof, metadata, told=progress != "quiet")


def _write(path: Path | None, report: BuildReport | None) -> None:
    if path is not None and report is not None:
        from zbuild.cli.metadata import write_metadata  # noqa: PLC0415 - rarely asked for

        write_metadata(path, report)
