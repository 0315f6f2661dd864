"""Draws errors for people: `file:line:column: error[CODE]: message`, the source line with a caret, and a hint."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zbuild.base.diagnostic import Diagnostic
from zbuild.base.errors import (
    BuildFailedError,
    BuildFileError,
    InterruptedBuildError,
    MissingImagesError,
    StageError,
    ZbuildError,
)
from zbuild.base.text import did_you_mean, plural
from zbuild.report.clean import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbuild.base.span import Span
    from zbuild.report.palette import Palette

_BROKEN = 3  # something outside the build files is missing or broken, zbuild itself included
_WRONG_USAGE = 2
_INTERRUPTED = 130  # 128 + SIGINT
_LARGEST_SOURCE = 4 * 1024 * 1024  # bytes; a bigger file is no build file worth showing
_WIDEST_SOURCE = 160  # characters of a source line
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s\"']+(?=@)")


class Sources:
    """Reads the lines that spans point at; `root` is the folder their files are relative to."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._texts: dict[str, list[str]] = {}

    def line(self, span: Span) -> str | None:
        """Return the line, or None when it cannot be had."""
        if span.file not in self._texts:
            self._texts[span.file] = self._read(self._root / span.file)
        lines = self._texts[span.file]
        return lines[span.line - 1] if 0 < span.line <= len(lines) else None

    def place(self, span: Span) -> str:
        """Return `file:line:column`, the file as it can be opened from the current folder; what is no file as it is."""
        return f"{self.name(span.file)}:{span.line}:{span.column}" if span.line else span.file

    def name(self, file: str) -> str:
        """Return a file's path as it can be opened from the current folder."""
        try:
            path, here = (self._root / file).absolute(), Path.cwd()
        except OSError:  # the current folder is gone
            return file
        if path.is_relative_to(here):
            return str(path.relative_to(here))
        return str(path) if path.is_file() else file

    @staticmethod
    def _read(path: Path) -> list[str]:
        try:
            if not path.is_file() or path.stat().st_size > _LARGEST_SOURCE:
                return []
            return path.read_bytes().decode("utf-8", "replace").split("\n")
        except OSError:
            return []


def error_lines(error: BaseException, root: Path, palette: Palette) -> list[str]:
    """Return what is told about an error; nothing, when the build's display has told it already."""
    match error:
        case BuildFailedError() | StageError():
            return []
        case InterruptedBuildError() | KeyboardInterrupt() | click.Abort():
            return [palette.paint("error", "zbuild: interrupted")]
        case BuildFileError():
            return _many_lines(error.diagnostics, "in the build files", Sources(root), palette)
        case MissingImagesError():
            return _many_lines(error.diagnostics, "with what comes from elsewhere", Sources(root), palette)
    return diagnostic_lines(_diagnostic(error), Sources(root), palette)


def exit_code(error: BaseException) -> int:
    """Return the exit code of a run that this error ended."""
    match error:
        case InterruptedBuildError():
            return 128 + error.signum
        case ZbuildError():
            return error.exit_code
        case KeyboardInterrupt() | click.Abort():
            return _INTERRUPTED
        case click.ClickException():
            return _WRONG_USAGE
    return _BROKEN


def diagnostic_lines(diagnostic: Diagnostic, sources: Sources, palette: Palette) -> list[str]:
    """Return one problem's lines: where and what, the source line with a caret, the hint."""
    span = diagnostic.span
    place = f"{sources.place(span)}: " if span is not None and span.file else ""
    kind = palette.paint(diagnostic.severity, f"{diagnostic.severity}[{diagnostic.code}]")
    first, *more = diagnostic.message.split("\n")
    lines = [f"{palette.paint('strong', place)}{kind}: {printable(first)}", *(f"  {printable(line)}" for line in more)]
    if span is not None:
        lines += _source_lines(span, sources, palette)
    if diagnostic.hint:
        lines += [f"  hint: {printable(line)}" for line in diagnostic.hint.split("\n")]
    return lines


def _many_lines(diagnostics: Sequence[Diagnostic], what: str, sources: Sources, palette: Palette) -> list[str]:
    lines: list[str] = []
    for diagnostic in diagnostics:
        lines += diagnostic_lines(diagnostic, sources, palette)
    errors = sum(1 for diagnostic in diagnostics if diagnostic.severity == "error")
    return [*lines, f"zbuild: {plural(errors, 'error')} {what}"] if errors > 1 else lines


def _source_lines(span: Span, sources: Sources, palette: Palette) -> list[str]:
    source = sources.line(span)
    if source is None or not source.strip():
        return []
    before = printable_width(source[: span.column - 1])
    gutter = f"{span.line:>5}"
    shown = _CREDENTIALS.sub(lambda found: "*" * len(found[0]), _plain_characters(source))
    start = max(0, before - _WIDEST_SOURCE // 2) if len(shown) > _WIDEST_SOURCE else 0
    text = shown[start : start + _WIDEST_SOURCE].rstrip()
    caret = palette.paint("error", " " * (before - start) + "^")
    return [f"{gutter} | {text}", f"{' ' * len(gutter)} | {caret}"]


def _plain_characters(text: str) -> str:
    # One character for each, so that columns stay what they are.
    return "".join(part if part.isprintable() or part == "\t" else "?" for part in text).expandtabs(8)


def printable_width(text: str) -> int:
    """Return how many columns a terminal needs for a text."""
    wide = sum(unicodedata.east_asian_width(part) in "WF" for part in text)
    return len(_plain_characters(text)) + wide


def _diagnostic(error: BaseException) -> Diagnostic:
    match error:
        case ZbuildError():
            return Diagnostic(error.code, error.message, error.span, error.hint)
        case click.ClickException():
            return _usage(error)
        case OSError(strerror=str(reason)):
            name = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
            return Diagnostic("system", f"{name}{reason}")
    told = f"{type(error).__name__}: {error}"
    return Diagnostic("internal", told, hint="this is a fault of zbuild; run again with --debug for a traceback")


def _usage(error: click.ClickException) -> Diagnostic:
    message = (error.message if isinstance(error, click.NoSuchOption) else error.format_message()).rstrip(".")
    hints = []
    context = error.ctx if isinstance(error, click.UsageError) else None
    if isinstance(error, click.NoSuchOption):
        hints.append(did_you_mean(error.option_name, _option_names(context)))
    if context is not None:
        hints.append(f"see '{context.command_path} --help'")
    return Diagnostic("usage", message[:1].lower() + message[1:], hint="\n".join(hint for hint in hints if hint))


def _option_names(context: click.Context | None) -> list[str]:
    params = context.command.get_params(context) if context is not None else []
    return [name for param in params for name in (*param.opts, *param.secondary_opts) if name.startswith("-")]
