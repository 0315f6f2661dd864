"""The error tree. Errors carry data and an exit code; they are drawn once, in `cli/main.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbuild.base.diagnostic import Diagnostic
    from zbuild.base.span import Span


class ZbuildError(Exception):
    """Root of all errors zbuild raises on purpose.

    `code` names the kind of problem for machines, `span` its place in a build file, `hint` the next step.
    """

    exit_code: int = 1

    def __init__(self, code: str, message: str, *, span: Span | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.span = span
        self.hint = hint


class BuildFailedError(ZbuildError):
    """One or more stages failed; `report` (an `api.BuildReport`) tells what was built all the same."""

    exit_code = 1
    report: Any = None


class UsageError(ZbuildError):
    """The command line asks for what cannot be."""

    exit_code = 2


class BuildFileError(ZbuildError):
    """Build files are wrong; `diagnostics` holds every problem found, at least one."""

    exit_code = 2

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        first = diagnostics[0]
        super().__init__(first.code, first.message, span=first.span, hint=first.hint)
        self.diagnostics = tuple(diagnostics)


class BackendError(ZbuildError):
    """The backend, or a tool it needs, is missing or broken."""

    exit_code = 3


class StateError(ZbuildError):
    """What zbuild keeps in `.zbuild/` cannot be read or written."""

    exit_code = 3


class ImageGoneError(BackendError):
    """An image that a stage builds upon has left the backend's store."""


class RegistryError(ZbuildError):
    """A registry or a remote cache refused, or could not be reached."""

    exit_code = 4


class MissingImagesError(RegistryError):
    """Images that build files name cannot be had; `missing` holds (reference, problem) for each place, at least one."""

    def __init__(self, missing: Sequence[tuple[str, Diagnostic]]) -> None:
        first = missing[0][1]
        super().__init__(first.code, first.message, span=first.span, hint=first.hint)
        self.missing = tuple(missing)

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """The problems, in the order found, without repeats."""
        return tuple(dict.fromkeys(problem for _, problem in self.missing))


class InterruptedBuildError(ZbuildError):
    """A signal ended the build; `signum` says which, and the exit code is 128 + it."""

    def __init__(self, signum: int) -> None:
        super().__init__("interrupted", f"interrupted by signal {signum}")
        self.signum = signum
        self.exit_code = 128 + signum


class StageError(ZbuildError):
    """An instruction of a stage failed.

    `returncode` is the command's own, `tail` the last lines it wrote, `log` the path of the stage's whole log.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        span: Span | None = None,
        hint: str = "",
        returncode: int | None = None,
        tail: Sequence[str] = (),
        log: str = "",
    ) -> None:
        super().__init__(code, message, span=span, hint=hint)
        self.returncode = returncode
        self.tail = tuple(tail)
        self.log = log
