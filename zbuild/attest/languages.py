"""The packages of languages, as their installers leave them: Python's metadata files and node's package.json."""

from __future__ import annotations

import json
import re
from email.parser import HeaderParser
from typing import TYPE_CHECKING

from zbuild.attest.package import Package, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zbuild.attest.systems import System

_SEPARATORS = re.compile(r"[-_.]+")
_MODULES = "node_modules"


def python(data: bytes, _system: System) -> Iterator[Package]:
    """Yield the package of a METADATA or PKG-INFO file (core metadata); its name in the normal form."""
    head = data.decode("utf-8", "replace").partition("\n\n")[0]
    told = HeaderParser().parsestr(head)
    name, version = told.get("Name"), told.get("Version")
    if name and version:
        yield Package("pypi", _SEPARATORS.sub("-", name.strip()).lower(), version.strip())


def node(data: bytes, _system: System) -> Iterator[Package]:
    """Yield the package of a package.json; a scope is its namespace. Raises UnreadableError."""
    try:
        told = json.loads(data)
    except (ValueError, RecursionError):
        raise UnreadableError("package.json holds no JSON") from None
    name, version = (told.get("name"), told.get("version")) if isinstance(told, dict) else (None, None)
    if isinstance(name, str) and isinstance(version, str) and name and version:
        scope, slash, rest = name.partition("/")
        yield Package("npm", rest, version, scope) if slash else Package("npm", name, version)


def is_node_module(folder: str) -> bool:
    """Tell whether a folder is a package's own, and not one that lies in a package by chance."""
    above, _, _ = folder.rpartition("/")
    grandparent, _, scope = above.rpartition("/")
    if scope.startswith("@"):
        above = grandparent
    return above == _MODULES or above.endswith(f"/{_MODULES}")
