"""All that a tree of files holds, but for times: what two images have to share to be equal."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path


def describe_tree(root: Path) -> dict[str, tuple[object, ...]]:
    """Return path → (type and mode, owner, group, device, extended attributes, link target or content's digest)."""
    found = {}
    for folder, folders, files in os.walk(root):
        for name in ("", *folders, *files):
            path = Path(folder, name)
            found[str(path.relative_to(root))] = _describe(path)
    return found


def _describe(path: Path) -> tuple[object, ...]:
    info = path.lstat()
    xattrs = {name: os.getxattr(path, name, follow_symlinks=False) for name in _xattrs(path)}
    content = ""
    if stat.S_ISLNK(info.st_mode):
        content = str(path.readlink())
    elif stat.S_ISREG(info.st_mode):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
    return (oct(info.st_mode), info.st_uid, info.st_gid, info.st_rdev, xattrs, content)


def _xattrs(path: Path) -> list[str]:
    return [name for name in os.listxattr(path, follow_symlinks=False) if not name.startswith("trusted.overlay")]
