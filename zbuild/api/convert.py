"""One format into another: Dockerfile to ZImagefile and back, and other tools' files to zbuild.yaml."""

from __future__ import annotations

import os
import posixpath
from dataclasses import replace
from typing import TYPE_CHECKING

from zbuild.base.diagnostic import Diagnostic, Diagnostics
from zbuild.base.errors import BuildFileError
from zbuild.base.span import Span
from zbuild.frontend.load import is_zimagefile, load_definition
from zbuild.frontend.paths import read_build_file
from zbuild.frontend.printing import Printed
from zbuild.syntax.nodes import Mapping

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def convert_file(root: Path, path: str) -> Printed:
    """Return a Dockerfile for a ZImagefile, and a ZImagefile for any other build file; `path` is relative to `root`.

    Raises BuildFileError with every problem of the file.
    """
    definition = load_definition(root, path)
    if definition.wasm is not None:
        message = "a Dockerfile cannot say what a WebAssembly component is"
        raise BuildFileError([Diagnostic("cannot-say", message, definition.wasm.span)])
    if is_zimagefile(path):
        from zbuild.frontend.dockerfile.print import print_dockerfile  # noqa: PLC0415 - one direction at a time

        return print_dockerfile(definition)
    from zbuild.frontend.zimagefile import parse_zimagefile  # noqa: PLC0415 - likewise
    from zbuild.frontend.zimagefile.print import print_zimagefile  # noqa: PLC0415 - likewise

    folder = posixpath.dirname(path) or "."
    printed = print_zimagefile(definition, folder)
    try:
        parse_zimagefile(printed.text.encode(), file="ZImagefile", folder=folder)
    except BuildFileError as error:
        refused = [Diagnostic("cannot-say", f"a ZImagefile refuses this: {item.message}") for item in error.diagnostics]
        return replace(printed, problems=(*printed.problems, *refused))
    return printed


def import_files(root: Path, paths: Sequence[str], folder: Path) -> Printed:
    """Return the zbuild.yaml, for a folder, of bake files in JSON or of Compose files; `paths` are relative to `root`.

    Later files lie over earlier ones; paths in all of them start at the first one's folder. Raises BuildFileError for
    files that are neither, or not all the same.
    """
    from zbuild.frontend.imports import bake, compose, overlay  # noqa: PLC0415 - only this command needs them
    from zbuild.frontend.imports.emit import Imported  # noqa: PLC0415 - likewise

    nodes = [_read_foreign(root, path) for path in paths]
    prefix = os.path.relpath((root / paths[0]).parent, folder).replace(os.sep, "/")
    imported = Imported(prefix, Diagnostics(), _as_zimagefile)
    kinds = {_kind(node) for node in nodes}
    if len(kinds) > 1:
        raise _refused("a bake file and a Compose file cannot be one", nodes[-1].span, "import one after the other")
    if kinds == {"compose"}:
        compose.import_compose(overlay.overlay_compose(nodes), imported)
    else:
        bake.import_bake(overlay.overlay_bake(nodes), imported)
    if not imported.images:
        raise _refused("nothing in this file is built from a folder", Span(paths[0], 1), "")
    origin = ", ".join(posixpath.basename(path) for path in paths)
    return Printed(imported.text(origin), tuple(imported.diagnostics.items))


def _kind(node: Mapping) -> str:
    if "services" in node:
        return "compose"
    if "target" in node or "group" in node or "variable" in node:
        return "bake"
    hint = "it has neither 'target' nor 'services'"
    raise _refused("this is neither a bake file nor a Compose file", node.span, hint)


def _as_zimagefile(data: bytes, path: str) -> Printed:
    from zbuild.frontend.dockerfile.parse import parse_dockerfile  # noqa: PLC0415 - few files hold a Dockerfile
    from zbuild.frontend.zimagefile.print import print_zimagefile  # noqa: PLC0415 - likewise

    return print_zimagefile(parse_dockerfile(data, path), ".")


def _read_foreign(root: Path, path: str) -> Mapping:
    from zbuild.syntax.yaml_reader import read_yaml  # noqa: PLC0415 - as above

    if path.endswith(".hcl"):
        hint = "'docker buildx bake --print' writes it as JSON, which 'zbuild import' reads"
        raise _refused("this is HCL, which zbuild does not read", Span(path, 1), hint)
    data = read_build_file(root, path)
    if path.endswith(".json"):  # JSON is YAML but for tabs, which stand between its texts only
        data = data.replace(b"\t", b" ")
    node = read_yaml(data, path)
    if not isinstance(node, Mapping):
        raise _refused("this is neither a bake file nor a Compose file", node.span, "it is no mapping")
    return node


def _refused(message: str, span: Span, hint: str) -> BuildFileError:
    return BuildFileError([Diagnostic("bad-import", message, span, hint)])
