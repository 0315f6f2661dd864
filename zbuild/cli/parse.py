"""`zbuild parse`: one build file as zbuild reads it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zbuild.base.errors import UsageError
from zbuild.cli.options import build_options, debug_option, examples, format_option

if TYPE_CHECKING:
    from zbuild.cli.session import Session
    from zbuild.frontend.recipe.catalog import Catalog
    from zbuild.model.definition import Definition

_LARGEST = 4 * 1024 * 1024


@click.command(
    "parse",
    epilog=examples(
        "zbuild parse Dockerfile                       its stages and instructions",
        "zbuild parse api/ZImagefile --format json     for programs",
        "zbuild parse Dockerfile --build-arg TAG=3.20  with the value of an ARG",
        "zbuild parse - < Dockerfile                   what stdin holds, as a Dockerfile",
    ),
)
@click.argument("file", metavar="FILE")
@build_options("build_args")
@click.option("--raw", is_flag=True, help="Leave words as they are written: no variables, quotes kept.")
@format_option("text", "json")
@debug_option
@click.pass_obj
def command(session: Session, file: str, build_args: tuple[tuple[str, str], ...], form: str, *, raw: bool) -> None:
    """Print one build file as zbuild reads it.

    Shows its stages with their bases, and each instruction with its lines, flags and arguments. No workspace is
    needed: the file is read by itself, as a ZImagefile or a Dockerfile by its name.

    Variables are expanded where the file alone decides them; others stay as they are written. A word that no build
    could expand does so too, with a warning.
    """
    from zbuild.base.diagnostic import Diagnostics  # noqa: PLC0415 - not for --help
    from zbuild.cli.convert import tell_problems  # noqa: PLC0415 - likewise
    from zbuild.graph.outline import outline  # noqa: PLC0415 - likewise

    # The paths of nested builds may lead anywhere: without a workspace, it is the whole file system.
    folder = os.path.abspath((session.directory / file).parent)  # noqa: PTH100 - keeps links
    problems = Diagnostics()
    plain = outline(_read(file, folder, session), dict(build_args), raw=raw, problems=problems)
    for build in (stage["build"] for stage in plain["stages"] if stage["build"] and not stage["build"]["image"]):
        build["context"] = os.path.relpath(f"/{build['context']}", folder)
    tell_problems(tuple(dict.fromkeys(problems.items)), session.root)
    click.echo(json.dumps(plain, indent=2, ensure_ascii=False) if form == "json" else parse_text(plain))


def _read(file: str, folder: str, session: Session) -> Definition:
    from zbuild.frontend.load import open_catalog, parse_definition  # noqa: PLC0415 - not for --help

    def recipes() -> Catalog:
        return open_catalog(Path(folder))

    session.root = session.directory
    if file == "-":
        return parse_definition(sys.stdin.buffer.read(_LARGEST), "Dockerfile", ".", recipes)
    path = session.directory / file
    if not path.is_file():
        raise UsageError("no-build-file", f"there is no file {file}", hint="name a Dockerfile, or a ZImagefile")
    with path.open("rb") as stream:
        data = stream.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise UsageError("too-large", f"{file} has more than {_LARGEST} bytes; no build file is so large")
    return parse_definition(data, file, folder.lstrip("/") or ".", recipes)


def parse_text(plain: dict[str, Any]) -> str:
    """Return the file's stages, each with its instructions, a line for each."""
    lines = [f"{_lines(arg)} ARG {arg['name']}{_equals(arg['value'])}" for arg in plain["args"]]
    for stage in plain["stages"]:
        name = f" {stage['name']}" if stage["name"] else ""
        lines.append(f"{_lines(stage)} stage {stage['index']}{name}: {_base(stage)}")
        lines += [f"{_lines(item)}   {_instruction(item)}" for item in stage["instructions"]]
    if "wasm" in plain:
        lines.append(f"{_lines(plain['wasm'])} {_component(plain['wasm'])}")
    return "\n".join(lines)


def _component(wasm: dict[str, Any]) -> str:
    said = [f"{name}={json.dumps(value)}" for name, value in wasm.items() if value and not name.endswith("_line")]
    return " ".join(["wasm", *said])


def _lines(item: dict[str, Any]) -> str:
    start, end = item["start_line"], item["end_line"]
    return f"{start if start == end else f'{start}-{end}':>9}"


def _equals(value: str | None) -> str:
    return "" if value is None else f"={value}"


def _base(stage: dict[str, Any]) -> str:
    base = stage["base"] or f"build {stage['build']['image'] or stage['build']['context']}"
    number = "" if stage["base_stage"] is None else f" (stage {stage['base_stage']})"
    platform = f" for {stage['platform']}" if stage["platform"] else ""
    return f"{base}{number}{platform}"


def _instruction(item: dict[str, Any]) -> str:
    flags = [f"--{name}={value}" for name, values in item["flags"].items() for value in _texts(values)]
    mounts = [f"--mount={_mount(mount)}" for mount in item.get("mounts", ())]
    arguments = [json.dumps(item["arguments"], ensure_ascii=False)] if item.get("form") == "exec" else item["arguments"]
    return " ".join([item["name"], *flags, *mounts, *arguments]).replace("\n", "\\n")


def _texts(values: object) -> list[str]:
    if isinstance(values, list):
        return values
    return [str(values).lower() if isinstance(values, bool) else str(values)]


def _mount(mount: dict[str, Any]) -> str:
    return ",".join(
        f"{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in mount.items() if value
    )
