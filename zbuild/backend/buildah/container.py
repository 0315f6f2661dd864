"""One working container: made of an image, mounted when first needed, and in the end committed or removed."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from zbuild.backend.buildah import commands
from zbuild.backend.buildah.config_flags import config_flags
from zbuild.backend.layer_times import set_times
from zbuild.backend.layering import count_written
from zbuild.base.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self

    from zbuild.backend.buildah.engine import Engine
    from zbuild.backend.buildah.store import StoredContainer
    from zbuild.base.platform import Platform
    from zbuild.model.image_config import ImageConfig


class Container:
    """A working container, which is gone at the end of its `with` block."""

    def __init__(self, engine: Engine, image: str, image_format: str = "oci", platform: Platform | None = None) -> None:
        """Make it of an image id or of `scratch`; the last alone takes a platform. Raises BackendError."""
        self.name = engine.names.new_container()
        self._engine = engine
        self._root: bytes | None = None
        self._is_own_mount = False
        self.has_volumes = True
        self._gone = False
        self.made_in = 0.0
        self._made_by = commands.create(self.name, image, image_format, platform)

    def __enter__(self) -> Self:
        started = time.monotonic()
        try:
            self._engine.call(self._made_by)
        except BaseException:
            self.remove()
            raise
        self.made_in = time.monotonic() - started
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._gone:
            self.remove()

    @property
    def root(self) -> bytes:
        """Where its root is mounted."""
        if self._root is None:
            own = None
            if self._engine.mounts_roots:
                own = self._engine.overlay.mount_container(self.name, self._stored.layer)
            self._is_own_mount = own is not None
            self._root = own or os.fsencode(self._engine.call(commands.mount(self.name)))
        return self._root

    def written(self, limit: float) -> float:
        """Count the bytes that were written to it, up to a limit; 0 where the driver does not tell."""
        return count_written(bytes(self.upper), limit) if self._engine.facts.driver == "overlay" else 0.0

    @property
    def upper(self) -> Path:
        """The folder in which the driver `overlay` keeps what was written."""
        return Path(self._engine.facts.graphroot) / "overlay" / self._stored.layer / "diff"

    @property
    def id(self) -> str:
        """Its id in the store. Raises BackendError when it is gone."""
        return self._stored.id

    def release(self) -> None:
        """Unmount what zbuild has mounted."""
        if self._is_own_mount:
            self._engine.overlay.unmount(self.name, self._stored.layer)
            self._root, self._is_own_mount = None, False

    def drop_volumes(self, base: ImageConfig) -> None:
        """Forget the volumes of its image: `buildah run` would drop what is written there, which BuildKit keeps."""
        if base.volumes and self.has_volumes:
            flags = config_flags(base, replace(base, volumes=()), "oci")
            self._engine.call(commands.config(self.name, flags))
            self.has_volumes = False

    def set_times(self, epoch: int) -> None:
        """Let all that was changed in it so far bear one time, as it will in the image. Raises OSError."""
        if self._engine.facts.driver == "overlay":
            set_times(bytes(self.upper), self.root, epoch)

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Let buildah mount it by itself for a while."""
        was_mounted = self._is_own_mount
        self.release()
        try:
            yield
        finally:
            if was_mounted:
                _ = self.root

    @cached_property
    def _stored(self) -> StoredContainer:
        for stored in self._engine.store.containers():
            if self.name in stored.names:
                return stored
        raise BackendError("container-gone", f"the working container {self.name} is no longer in the store")

    def remove(self) -> None:
        """Remove it, if it is there."""
        self._gone = True
        self.release()
        self._engine.discard(self.name)

    def committed(self) -> None:
        """Note that a commit has removed it."""
        self._gone = True
