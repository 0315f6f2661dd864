"""The keys of a stage other than its steps, as instructions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zbuild.frontend.values import command_of, duration_of, word, word_of, word_pairs, words_of
from zbuild.model.ops import (
    Arg,
    Cmd,
    Entrypoint,
    Env,
    Expose,
    Healthcheck,
    Label,
    StopSignal,
    User,
    Volume,
    Workdir,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from zbuild.base.diagnostic import Diagnostics
    from zbuild.model.ops import Op
    from zbuild.syntax.nodes import Mapping, Scalar

_HIGHEST_PORT = 65535
_PORT_NUMBERS = re.compile(r"([0-9]+)(?:-([0-9]+))?(?:/|$)")


def arg_ops(args: Mapping) -> Iterator[Arg]:
    """Yield the declarations of an `args` mapping; an empty default is none."""
    for key, value in args.pairs():
        yield Arg(key.text, word(value.text) if value.text else None, key.span)


def settings_before_steps(node: Mapping) -> Iterator[Op]:
    """Yield what the steps of a stage find set: `env`, then `workdir`."""
    pairs = word_pairs(node.mapping("env"))
    if pairs:
        yield Env(pairs, node.place("env"))
    if "workdir" in node:
        yield Workdir(word_of(node, "workdir"), node.place("workdir"))


def settings_after_steps(node: Mapping, diagnostics: Diagnostics) -> Iterator[Op]:
    """Yield what is set when the steps are done, in the format's order: labels … entrypoint, cmd."""
    if pairs := word_pairs(node.mapping("labels")):
        yield Label(pairs, node.place("labels"))
    if ports := tuple(_ports(node.scalars("expose"), diagnostics)):
        yield Expose(ports, node.place("expose"))
    if "user" in node:
        yield User(word_of(node, "user"), node.place("user"))
    if volumes := words_of(node, "volumes"):
        yield Volume(volumes, node.place("volumes"))
    if "healthcheck" in node:
        yield _healthcheck(node.mapping("healthcheck"), diagnostics)
    if "stopsignal" in node:
        yield StopSignal(word_of(node, "stopsignal"), node.place("stopsignal"))
    if command := command_of(node.get("entrypoint")):
        yield Entrypoint(command, node.place("entrypoint"))
    if command := command_of(node.get("cmd")):
        yield Cmd(command, node.place("cmd"))


def _ports(ports: Iterable[Scalar], diagnostics: Diagnostics) -> Iterator[str]:
    for port in ports:
        match = _PORT_NUMBERS.match(port.text)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 1)
        if not 1 <= first <= last <= _HIGHEST_PORT:
            hint = f"ports go from 1 to {_HIGHEST_PORT}, in a range from low to high"
            diagnostics.error("bad-port", f"there is no port '{port.text}'", port.span, hint)
        yield word(port.text)


def _healthcheck(node: Mapping, diagnostics: Diagnostics) -> Healthcheck:
    return Healthcheck(
        command=command_of(node.get("cmd")),
        interval=duration_of(node, "interval", diagnostics),
        timeout=duration_of(node, "timeout", diagnostics),
        start_period=duration_of(node, "start_period", diagnostics),
        retries=node.number("retries") or 0,
        span=node.span,
    )
