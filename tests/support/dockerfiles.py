"""Dockerfiles built for real, many in one go, and what came of them: file trees and configurations."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support.lab import DictMemory
from support.monorepo import Monorepo
from support.storage import Storage
from zbuild.backend.buildah.backend import BuildahBackend

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from support.monorepo import Ended

BASE = "localhost/test/base:1"
_USERS = {
    "/etc/passwd": "root:x:0:0::/:/bin/sh\nweb:x:33:44::/srv:/bin/sh\n",
    "/etc/group": "root:x:0:\nstaff:x:50:\n",
}


@dataclass(frozen=True)
class Case:
    """One Dockerfile with the files of its context, and more flags of `build` if wanted."""

    dockerfile: str
    files: Mapping[str, str | bytes] = ()  # type: ignore[assignment] # an empty tuple is an empty mapping's items
    args: tuple[tuple[str, str], ...] = ()

    def write(self, folder: Path) -> None:
        for name, content in {**dict(self.files), "Dockerfile": self.dockerfile}.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())


@dataclass(frozen=True)
class Bench:
    """A store with a base of busybox and two users, and a folder for contexts."""

    storage: Storage
    folder: Path
    memory: DictMemory = field(default_factory=DictMemory)

    @classmethod
    def create(cls, folder: Path) -> Bench:
        bench = cls(Storage.create(folder / "s"), folder / "w")
        bench.folder.mkdir()
        bench.storage.import_busybox("localhost/test/busybox:1")
        lines = [f"RUN printf '{text!r}' > {path}".replace("''", "'") for path, text in _USERS.items()]
        Case("\n".join(["FROM localhost/test/busybox:1", "RUN mkdir -p /etc /tmp", *lines])).write(folder / "base")
        bench.storage.buildah("build", "--isolation", "chroot", "--format", "docker", "-q", "-t", BASE, folder / "base")
        return bench

    def workspace(self, cases: Mapping[str, Case], **keys: object) -> Monorepo:
        """Write a workspace with an image for each case, tagged `localhost/z/NAME:1`; `keys` are for all of them."""
        for name, case in cases.items():
            case.write(self.folder / name)
        images = {
            name: {
                "context": name,
                "tags": [f"localhost/z/{name}:1"],
                "format": "docker",
                "build_args": dict(case.args),
                **keys,
            }
            for name, case in cases.items()
        }
        (self.folder / "zbuild.yaml").write_text(json.dumps({"images": images}))
        return Monorepo(self.folder, self.storage.environment | {"ZBUILD_ISOLATION": "chroot"})

    def zbuild(self, cases: Mapping[str, Case]) -> Ended:
        """Build all cases with zbuild, in one run; one that fails stops no other."""
        return self.workspace(cases).zbuild("build", "--progress", "plain", "-k", "-j2")

    def buildah(self, name: str, case: Case) -> subprocess.CompletedProcess[str]:
        """Build one case with buildah as `localhost/b/NAME:1`, in one layer a stage as zbuild does."""
        case.write(self.folder / name)
        flags = ["--isolation", "chroot", "--format", "docker", "--layers=false", "--identity-label=false"]
        given = [word for arg, value in case.args for word in ("--build-arg", f"{arg}={value}")]
        argv = ["buildah", "build", *flags, *given, "-q", "-t", f"localhost/b/{name}:1", str(self.folder / name)]
        return subprocess.run(argv, env=self.storage.environment, check=False, capture_output=True, text=True)

    def image(self, name: str) -> Image:
        """Return what an image holds."""
        image_id = self.storage.images()[name]
        with pytest.MonkeyPatch.context() as patch:
            for key, value in self.storage.settings.items():
                patch.setenv(key, value)
            backend = BuildahBackend(self.folder, self.folder, self.memory)
            try:  # its mounts run no ONBUILD, as `buildah from` would
                root = Path(os.fsdecode(backend._roots.root(image_id)))
                return Image(dict(_entries(root)), backend._engine.store.config(image_id)["config"])
            finally:
                backend.close()

    def remove(self) -> None:
        self.storage.remove()


@dataclass(frozen=True)
class Image:
    """An image: `tree` tells of each path all but its times, `config` is docker's."""

    tree: dict[str, Entry]
    config: dict[str, Any]

    def text(self, path: str) -> str:
        return self.tree[path].content.decode()


@dataclass(frozen=True)
class Entry:
    """A file, folder, link …: `content` is a small file's, else its digest; or a link's target."""

    kind: str
    mode: str
    owner: tuple[int, int]
    content: bytes = b""
    xattrs: tuple[tuple[str, bytes], ...] = ()


_SMALL = 4096


def _entries(root: Path) -> Iterator[tuple[str, Entry]]:
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(folder, name)
            yield f"/{path.relative_to(root)}", _entry(path)


def _entry(path: Path) -> Entry:
    info = path.lstat()
    kind = stat.filemode(info.st_mode)[0]
    content = b""
    if kind == "l":
        content = os.fsencode(path.readlink())
    elif kind == "-":
        content = path.read_bytes()
        content = content if len(content) <= _SMALL else hashlib.sha256(content).hexdigest().encode()
    mode = "" if kind == "l" else f"{stat.S_IMODE(info.st_mode):o}"
    xattrs = tuple((key, os.getxattr(path, key, follow_symlinks=False)) for key in _xattrs(path))
    return Entry(kind, mode, (info.st_uid, info.st_gid), content, xattrs)


def _xattrs(path: Path) -> list[str]:
    return sorted(key for key in os.listxattr(path, follow_symlinks=False) if not key.startswith("trusted.overlay."))
