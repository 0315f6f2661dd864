"""The command `zbuild`: finds the subcommand, and is the one place where errors are drawn and become exit codes."""

from __future__ import annotations

import importlib
import os
import select
import sys
from typing import TYPE_CHECKING

import click

from zbuild import __version__
from zbuild.base.errors import UsageError
from zbuild.base.text import did_you_mean
from zbuild.cli.session import Session
from zbuild.cli.values import with_bare_options

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = (
    *("build", "plan", "explain", "list", "graph", "validate", "lint", "parse", "init", "recipes", "convert"),
    *("lock", "import", "schema", "push", "tag", "manifest", "verify", "login", "logout", "cache", "clean"),
)
_MODULES = {"import": "import_file"}  # where a module cannot be called like its command
_CLOSED_PIPE = 141  # 128 + SIGPIPE, as if the signal had ended it


class LazyGroup(click.Group):
    """Imports a command's module when that command is asked for, not before."""

    def list_commands(self, _context: click.Context) -> list[str]:
        """Name the commands, in the order a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        """Return `command` of the module named like the command, or None when there is none."""
        if name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"zbuild.cli.{_MODULES.get(name, name)}").command
        return command

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; of an unknown one, say which known one is near."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            raise UsageError(
                "usage",
                f"there is no command '{args[0]}'",
                hint=did_you_mean(args[0], COMMANDS) or "see 'zbuild --help'",
            )
        return super().resolve_command(context, with_bare_options(args))


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Run 'zbuild COMMAND --help' for a command's options and examples.",
)
@click.version_option(__version__, message="zbuild %(version)s")
@click.pass_context
def zbuild(context: click.Context) -> None:
    """Make for container images: only what changed is built again.

    zbuild reads the zbuild.yaml of the folder it is started in, or of the nearest one above.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def run(argv: Sequence[str], session: Session | None = None) -> int:
    """Run one command line and return its exit code; whatever goes wrong is drawn on stderr."""
    session = session or Session()
    session.argv = list(argv)
    try:
        return _dispatch(session)
    except click.exceptions.Exit as end:
        return end.exit_code
    except (KeyboardInterrupt, Exception) as error:  # noqa: BLE001 - the edge: nothing may pass it as a traceback
        if isinstance(error, OSError) and _stdout_is_gone():
            return _CLOSED_PIPE
        return _tell(error, session, debug="--debug" in argv or bool(os.environ.get("ZBUILD_DEBUG")))


def _dispatch(session: Session) -> int:
    instruction = os.environ.get("_ZBUILD_COMPLETE")
    if instruction:
        from click.shell_completion import shell_complete  # noqa: PLC0415 - only a shell asks for it

        return shell_complete(zbuild, {"obj": session}, "zbuild", "_ZBUILD_COMPLETE", instruction)
    with zbuild.make_context("zbuild", list(session.argv), obj=session) as context:
        zbuild.invoke(context)
    return 0


def _tell(error: BaseException, session: Session, *, debug: bool) -> int:
    from zbuild.cli.draw import error_lines, exit_code  # noqa: PLC0415 - a run that goes well does not need it
    from zbuild.report.palette import palette_for  # noqa: PLC0415 - likewise

    if debug:
        import traceback  # noqa: PLC0415 - likewise; it costs 7 ms

        traceback.print_exception(error)
    for line in error_lines(error, session.root, palette_for(sys.stderr)):
        click.echo(line, err=True)
    return exit_code(error)


def _stdout_is_gone() -> bool:
    """Say whether nobody reads stdout any more; what it still holds and cannot be written is let go."""
    try:
        descriptor = sys.stdout.fileno()
    except (AttributeError, OSError):  # closed from the start, or no file at all
        return False
    poll = select.poll()
    poll.register(descriptor, 0)
    gone = bool(poll.poll(0))  # only errors are reported when nothing is asked for
    try:
        sys.stdout.flush()
    except OSError:  # Python would try once more at its end, and complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
    return gone
