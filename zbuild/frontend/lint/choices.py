"""Which rules are checked: `# check=skip=RULE,…;error=true;experimental=RULE,…`, and the command line."""

from __future__ import annotations

from zbuild.base.dataclass import dataclass

ALL = "all"

_TRUTHS = {
    **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), False),
}
_MOST_PARTS = 3


@dataclass(frozen=True, slots=True)
class LintChoices:
    """Rules to leave out, experimental ones to check (`all` stands for all of them), and if findings are errors.

    `final`: what a file itself says does not count.
    """

    skip: frozenset[str] = frozenset()
    experimental: frozenset[str] = frozenset()
    error: bool = False
    final: bool = False

    def wants(self, name: str, *, experimental: bool) -> bool:
        """Say whether a rule is checked; as in BuildKit, `skip=all` does not touch experimental ones asked for."""
        if experimental:
            return bool(self.experimental & {ALL, name}) and name not in self.skip
        return not self.skip & {ALL, name}

    def joined(self, other: LintChoices) -> LintChoices:
        """Return the choices of both."""
        if self.final:
            return self
        return LintChoices(
            self.skip | other.skip, self.experimental | other.experimental, error=self.error or other.error
        )


def parse_choices(text: str) -> LintChoices:
    """Read the value of a `check` directive. Raises ValueError for what BuildKit refuses."""
    skip = experimental = ""
    error = False
    for part in text.strip().split(";", _MOST_PARTS - 1):
        name, equals, value = (word.strip() for word in part.partition("="))
        match name if equals else "":
            case "skip":
                skip = value
            case "experimental":
                experimental = value
            case "error" if value in _TRUTHS:
                error = _TRUTHS[value]
            case "error":
                raise ValueError(f"'error' of a check directive is true or false, not '{value[:40]}'")
            case _:
                raise ValueError(f"a check directive has no option '{part.strip()[:40]}'")
    return LintChoices(_names(skip), _names(experimental), error=error)


def _names(text: str) -> frozenset[str]:
    return frozenset(name for word in text.split(",") if (name := word.strip()))
