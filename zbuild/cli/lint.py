"""`zbuild lint`: checks how build files are written."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from zbuild.base.errors import UsageError
from zbuild.base.text import did_you_mean, plural
from zbuild.cli.options import examples, format_option, with_finder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from zbuild.api.lint import Linted
    from zbuild.api.workspace import Workspace
    from zbuild.base.diagnostic import Diagnostic
    from zbuild.cli.draw import Sources
    from zbuild.cli.session import Session

_FOUND = 1
_WRONG_FILES = 2


def _rules(_context: click.Context, _param: click.Parameter, values: Sequence[str]) -> frozenset[str]:
    from zbuild.frontend.lint.choices import ALL  # noqa: PLC0415 - not needed to show help
    from zbuild.frontend.lint.rules import RULES  # noqa: PLC0415 - likewise

    known = [rule.name for rule in RULES]
    for value in values:
        if value not in (ALL, *known):
            raise click.BadParameter(f"there is no rule '{value}'. {did_you_mean(value, known)}")
    return frozenset(values)


@click.command(
    "lint",
    epilog=examples(
        "zbuild lint                       check the build files of all images",
        "zbuild lint api 'services/*'      check those of some",
        "zbuild lint app/Dockerfile        check a file; no workspace is needed",
        "zbuild lint --error --skip JSONArgsRecommended",
    ),
)
@click.argument("targets", nargs=-1, metavar="[TARGET|FILE]...")
@click.option("--error", "strict", is_flag=True, help="Exit with 1 when anything is found.")
@click.option("--skip", multiple=True, callback=_rules, metavar="RULE", help="Leave out a rule, or 'all'.")
@click.option(
    "--experimental", multiple=True, callback=_rules, metavar="RULE", help="Check an experimental rule, or 'all'."
)
@format_option("text", "json")
@with_finder
@click.pass_obj
def command(
    session: Session,
    find: Callable[[], Workspace],
    targets: tuple[str, ...],
    skip: frozenset[str],
    experimental: frozenset[str],
    form: str,
    *,
    strict: bool,
) -> None:
    """Check how build files are written.

    The rules are those of BuildKit's build checks; each finding names its rule, and a page that explains it. Without
    arguments, the build files of all images are checked.

    A Dockerfile may choose for itself, in its first lines: '# check=skip=RULE,RULE;error=true'. The exit code is 0
    whatever is found; with --error, or error=true, it is 1. A build file with errors makes it 2.
    """
    from zbuild.api.lint import LintChoices, lint_files  # noqa: PLC0415 - not needed to show help
    from zbuild.cli.draw import Sources  # noqa: PLC0415 - likewise

    choices = LintChoices(skip, experimental, error=strict)
    files = [session.directory / name for name in targets if (session.directory / name).is_file()]
    names = [name for name in targets if not (session.directory / name).is_file()]
    linted = lint_files(files, choices)
    if names or not files:
        linted = (*linted, *_workspace(find, names).lint(names, choices))
    write = _write_json if form == "json" else _write_text
    write(linted, Sources(session.root))
    if code := _exit_code(linted):
        raise click.exceptions.Exit(code)


def _workspace(find: Callable[[], Workspace], names: Sequence[str]) -> Workspace:
    try:
        return find()
    except UsageError as error:
        if names and error.code == "no-workspace":
            what = f"there is no file '{names[0]}', and no workspace with images"
            raise UsageError("missing-file", what, hint=error.hint) from None
        raise


def _exit_code(linted: Sequence[Linted]) -> int:
    if any(item.errors for item in linted):
        return _WRONG_FILES
    return _FOUND if any(item.warnings and item.strict for item in linted) else 0


def _write_text(linted: Sequence[Linted], sources: Sources) -> None:
    from zbuild.cli.draw import diagnostic_lines  # noqa: PLC0415 - likewise
    from zbuild.report.palette import palette_for  # noqa: PLC0415 - likewise

    palette = palette_for(sys.stdout)
    for item in linted:
        for found in (*item.errors, *item.warnings):
            click.echo("\n".join(diagnostic_lines(found, sources, palette)))
    click.echo(f"{plural(len(linted), 'file')}, {found_text(linted)}")


def found_text(linted: Sequence[Linted]) -> str:
    """Return `2 errors, 1 warning`, or that there is nothing to tell."""
    errors = sum(len(item.errors) for item in linted)
    warnings = sum(len(item.warnings) for item in linted)
    counts = [plural(count, noun) for count, noun in ((errors, "error"), (warnings, "warning")) if count]
    return ", ".join(counts) or "no findings"


def _write_json(linted: Sequence[Linted], sources: Sources) -> None:
    found = [_plain(found, sources) for item in linted for found in (*item.errors, *item.warnings)]
    click.echo(json.dumps(found, indent=2))


def _plain(found: Diagnostic, sources: Sources) -> dict[str, str | int | None]:
    from zbuild.frontend.lint.rules import RULES  # noqa: PLC0415 - likewise

    url = next((rule.url for rule in RULES if rule.name == found.code), None)
    span = found.span
    return {
        "rule": found.code,
        "severity": found.severity,
        "message": found.message,
        "file": sources.name(span.file) if span else None,
        "line": span.line if span else None,
        "column": span.column if span else None,
        "url": url,
    }
