"""What users write after `--output`: `type=oci,dest=image.tar`, or a folder for the files alone (buildx' form)."""

from __future__ import annotations

import csv
from typing import Literal, TypeAlias, get_args

from zbuild.base.dataclass import dataclass
from zbuild.base.text import did_you_mean

OutputKind: TypeAlias = Literal["oci", "docker", "dir", "local", "tar"]
_OTHERS: dict[str, OutputKind] = {"oci-archive": "oci", "docker-archive": "docker"}


@dataclass(frozen=True, slots=True)
class Output:
    """Where a built image is to be written, besides the store.

    `oci` is an OCI image layout, packed unless `archive` is False; `docker` what `docker save` writes, or with `dest`
    "" the docker that runs here; `dir` what skopeo calls so; `local` and `tar` are the image's files.
    """

    kind: OutputKind
    dest: str = ""
    archive: bool = True


def parse_output(text: str) -> Output:
    """Read one `--output`. Raises ValueError, which says what is wrong."""
    fields = next(csv.reader([text]), [])
    if len(fields) == 1 and "=" not in fields[0]:
        return Output("local", _checked(fields[0]))
    given: dict[str, str] = {}
    for field in fields:
        name, equals, value = field.strip().partition("=")
        if name not in ("type", "dest", "tar") or not equals:
            raise ValueError(f"'{field}' is none of type=…, dest=… and tar=true|false")
        given[name] = value
    kind = _kind(given.get("type", ""))
    dest = given.get("dest", "")
    if not dest and (kind != "docker" or given["type"] != "docker"):
        raise ValueError(f"type={given['type']} needs dest=PATH")
    if given.get("tar", "true") not in ("true", "false"):
        raise ValueError("'tar' is true or false")
    return Output(kind, _checked(dest), given.get("tar") != "false")


def _checked(dest: str) -> str:
    if dest == "-":
        raise ValueError("'-' is no path: nothing is written to stdout; name a file, or './-' for one called so")
    return dest


def _kind(text: str) -> OutputKind:
    for kind in get_args(OutputKind):
        if text == kind:
            return kind  # type: ignore[no-any-return] # one of its own words
    if text in _OTHERS:
        return _OTHERS[text]
    known = [*get_args(OutputKind), *_OTHERS]
    hint = did_you_mean(text, known) or f"it is one of {', '.join(known)}"
    raise ValueError(f"there is no type '{text}': {hint}" if text else f"'type' is missing; {hint}")
