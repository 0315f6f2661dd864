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
    from pathlib import Path


def convert_file(root: Path, path: str) -> Printed:
    """Return a Dockerfile for a ZImagefile, and a ZImagefile for any other build file; `path` is relative to `root`.

    Raises BuildFileError with every problem of the file.
    """
    definition = load_definition(root, path)
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


def import_file(root: Path, path: str, folder: Path) -> Printed:
    """Return the zbuild.yaml, for a folder, of a bake file in JSON or a Compose file; `path` is relative to `root`.

    Raises BuildFileError for a file that is neither.
    """
    from zbuild.frontend.imports.bake import import_bake  # noqa: PLC0415 - only this command needs it
    from zbuild.frontend.imports.compose import import_compose  # noqa: PLC0415 - likewise
    from zbuild.frontend.imports.emit import Imported  # noqa: PLC0415 - likewise

    node = _read_foreign(root, path)
    prefix = os.path.relpath((root / path).parent, folder).replace(os.sep, "/")
    imported = Imported(prefix, Diagnostics())
    if "services" in node:
        import_compose(node, imported)
    elif "target" in node:
        import_bake(node, imported)
    else:
        hint = "it has neither 'target' nor 'services'"
        raise _refused("this is neither a bake file nor a Compose file", node.span, hint)
    if not imported.images:
        raise _refused("nothing in this file is built from a folder", Span(path, 1), "")
    return Printed(imported.text(posixpath.basename(path)), tuple(imported.diagnostics.items))


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
