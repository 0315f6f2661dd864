"""How zbuild marks what is its own in a store it shares: by names, since labels would change users' images."""

from __future__ import annotations

import itertools
import os
import re
from typing import TYPE_CHECKING

from zbuild.base.digest import xxh

if TYPE_CHECKING:
    from pathlib import Path

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


class Names:
    """The names of one workspace's working containers and nameless images, told apart by the workspace's path."""

    def __init__(self, workspace: Path) -> None:
        identity = xxh(str(workspace.resolve()))[:12]
        self.container_prefix = f"zbuild-{identity}-"
        self.image_prefix = f"localhost/zbuild-{identity}:"
        self._counter = itertools.count(1)

    def new_container(self) -> str:
        """Return a name no other container has, in this process or another."""
        return f"{self.container_prefix}{os.getpid()}-{next(self._counter)}"

    def image(self, key: str) -> str:
        """Return the name under which the image of a key is held when no user names it."""
        return self.image_prefix + (key if _TAG.fullmatch(key) else xxh(key))
