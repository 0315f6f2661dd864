"""`vars`: the variables of a zbuild.yaml, with types and rules where they are declared in the long form."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zbuild.base.dataclass import dataclass
from zbuild.base.text import did_you_mean, shortened
from zbuild.syntax.interpolate import Plain, resolve_variables, value_of
from zbuild.syntax.nodes import Mapping, Scalar, Sequence

if TYPE_CHECKING:
    from collections.abc import Mapping as Dict

    from zbuild.base.diagnostic import Diagnostics
    from zbuild.base.span import Span
    from zbuild.frontend.buildfile.given import Given
    from zbuild.syntax.interpolate import Value
    from zbuild.syntax.nodes import Node

_TRUTHS = {"true": "true", "yes": "true", "on": "true", "1": "true"}
_TRUTHS |= {"false": "false", "no": "false", "off": "false", "0": "false"}
_NOUNS = {"bool": "true or false", "int": "a whole number", "list": "a list", "string": "text"}
_STAND_INS = {"bool": "false", "int": "0"}
_RULES = {"pattern": ("string", "list"), "choices": ("string", "int", "list"), "min": ("int",), "max": ("int",)}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_LONGEST_NUMBER = 18  # digits, as everywhere in build files


@dataclass(frozen=True, slots=True)
class Declaration:
    """One variable as it is declared; `rules` is its long form, empty for a name with only a value."""

    name: Scalar
    rules: Mapping
    default: Node | None

    @property
    def environment(self) -> str:
        """The variable of the environment that gives its value, "" for none."""
        source = self.rules.scalar("env")
        if source is None or source.boolean is False:
            return ""
        name = self.name.text if source.boolean else source.text
        return name if _NAME.fullmatch(name) else ""

    @property
    def type(self) -> str:
        """Its type: string, bool, int or list."""
        found = self.rules.text("type")
        return found if found in _NOUNS else "list" if isinstance(self.default, Sequence) else "string"

    def from_text(self, text: str, span: Span, diagnostics: Diagnostics) -> Value:
        """Return the value that a text gives, checked; a list's items stand between commas."""
        value = self._converted(text)
        if value is None:
            self._refuse(text, _NOUNS[self.type], span, diagnostics)
            return Plain(_STAND_INS[self.type])  # so that nothing else is told of it
        return self._checked(value, span, diagnostics)

    def from_node(self, node: Node, diagnostics: Diagnostics) -> Value:
        """Return the value that a default gives, checked."""
        if isinstance(node, Scalar) and node.is_null:
            return () if self.type == "list" else ""
        if isinstance(node, Scalar) and self.type != "list":
            return self.from_text(node.text, node.span, diagnostics)
        if isinstance(node, Sequence) and self.type == "list":
            return self._checked(value_of(node), node.span, diagnostics)
        message = f"the variable '{self.name.text}' must be {_NOUNS[self.type]}"
        diagnostics.error("wrong-type", message, node.span)
        return () if self.type == "list" else ""

    def from_above(self, value: Value, diagnostics: Diagnostics) -> Value:
        """Return the value of the including file, checked."""
        if isinstance(value, str):
            return self.from_text(value, self.name.span, diagnostics)
        return self.from_node(Sequence(tuple(map(Scalar, value)), self.name.span), diagnostics)

    def _converted(self, text: str) -> Value | None:
        match self.type:
            case "bool":
                truth = _TRUTHS.get(text.lower())
                return None if truth is None else Plain(truth)
            case "int":
                is_number = re.fullmatch(rf"[-+]?[0-9]{{1,{_LONGEST_NUMBER}}}", text, re.ASCII)
                return Plain(int(text)) if is_number else None
            case "list":
                return tuple(item.strip() for item in text.split(",") if item.strip())
        return text

    def _checked(self, value: Value, span: Span, diagnostics: Diagnostics) -> Value:
        for item in (value,) if isinstance(value, str) else value:
            wanted, hint = self._broken_rule(item)
            if wanted:
                self._refuse(item, wanted, span, diagnostics, hint)
        return value

    def _broken_rule(self, text: str) -> tuple[str, str]:
        """Return what a value should be, and a hint, when it breaks a rule; two empty texts when it does not."""
        choices = [choice.text for choice in self.rules.scalars("choices")]
        if choices and text not in choices:
            return f"one of {', '.join(choices)}", did_you_mean(text, choices)
        pattern = _compiled(self.rules.text("pattern"))
        if pattern and not pattern.fullmatch(text):
            return f"like {pattern.pattern}", ""
        least, most = self.rules.number("min"), self.rules.number("max")
        if self.type == "int" and least is not None and int(text) < least:
            return f"at least {least}", ""
        if self.type == "int" and most is not None and int(text) > most:
            return f"at most {most}", ""
        return "", ""

    def _refuse(self, text: str, wanted: str, span: Span, diagnostics: Diagnostics, hint: str = "") -> None:
        message = f"the variable '{self.name.text}' must be {wanted}, not '{shortened(text)}'"
        declared = f"it is declared at {self.name.span}" if not span.line else ""
        diagnostics.error("bad-value", message, span, hint or declared)


def read_declarations(node: Mapping, diagnostics: Diagnostics) -> dict[str, Declaration]:
    """Return the variables that a file declares; rules that cannot hold for them are noted."""
    found = {}
    for name, value in node.items:
        long = value if isinstance(value, Mapping) else Mapping()
        declaration = Declaration(name, long, long.get("default") if isinstance(value, Mapping) else value)
        _check_rules(declaration, diagnostics)
        found[name.text] = declaration
    return found


def file_variables(
    declared: Dict[str, Declaration], inherited: Dict[str, Value], given: Given, diagnostics: Diagnostics
) -> dict[str, Value]:
    """Return the values of a file's variables: given from outside, its own, or inherited; what is wrong is noted.

    Raises BuildFileError for more text than is sane.
    """
    fixed: dict[str, Value] = dict(given.variables)
    defaults = []
    for name, declaration in declared.items():
        found = given.text(name, declaration.environment)
        if found is not None:
            fixed[name] = declaration.from_text(*found, diagnostics)
        elif declaration.default is not None:
            defaults.append((declaration.name, declaration.default))
        elif name in inherited:
            fixed[name] = declaration.from_above(inherited[name], diagnostics)
        else:
            fixed[name] = _without_value(declaration, diagnostics)

    def settle(name: Scalar, node: Node) -> Value:
        return declared[name.text].from_node(node, diagnostics)

    return resolve_variables(Mapping(tuple(defaults)), inherited, fixed, diagnostics, settle)


def _without_value(declaration: Declaration, diagnostics: Diagnostics) -> Value:
    name, source = declaration.name, declaration.environment
    hint = f"give it with --set {name.text}=VALUE" + (f", or ${source} in the environment" if source else "")
    diagnostics.error("missing-value", f"the variable '{name.text}' has no value, and no default", name.span, hint)
    return () if declaration.type == "list" else ""


def _check_rules(declaration: Declaration, diagnostics: Diagnostics) -> None:
    for key, _ in declaration.rules.items:
        if key.text in _RULES and declaration.type not in _RULES[key.text]:
            message = f"'{key.text}' cannot hold for a variable of type {declaration.type}"
            hint = f"it is for {' and '.join(_RULES[key.text])}"
            diagnostics.error("conflicting-keys", message, key.span, hint)
    pattern = declaration.rules.scalar("pattern")
    if pattern is not None and _compiled(pattern.text) is None:
        diagnostics.error("bad-value", f"'{shortened(pattern.text)}' is no regular expression", pattern.span)


def _compiled(pattern: str) -> re.Pattern[str] | None:
    """Return a regular expression, None for "" and for what is none."""
    try:
        return re.compile(pattern) if pattern else None
    except (re.error, OverflowError, RecursionError):
        return None
