"""Images to registries: tag by tag, or everything by its digest first and the tags last."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from zbuild.backend.buildah import registry_commands
from zbuild.backend.buildah.list_maker import members, write_index
from zbuild.backend.buildah.lists import is_list
from zbuild.backend.buildah.registry_calls import call_registry
from zbuild.base.loopback import is_loopback
from zbuild.base.reference import parse_reference

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from zbuild.backend.buildah.engine import Engine
    from zbuild.backend.command import Command
    from zbuild.backend.protocol import PushOrder


class Push:
    """Carries out orders one by one; `folder` holds files while it does, and is removed."""

    def __init__(self, engine: Engine, folder: Path, pushed: Callable[[PushOrder, str], None]) -> None:
        self._engine = engine
        self._folder = folder
        self._pushed = pushed

    def run(self, orders: Sequence[PushOrder], *, tags_last: bool) -> None:
        """Push. Raises RegistryError, ImageGoneError, BackendError, InterruptedBuildError."""
        for image_id in dict.fromkeys(order.image_id for order in orders):
            self._engine.store.image(image_id)
            members(self._engine.store, image_id)
        shutil.rmtree(self._folder, ignore_errors=True)  # what a run left that was killed
        self._folder.mkdir(mode=0o700, parents=True)
        try:
            if tags_last:
                self._push_tags_last(orders)
            else:
                self._push_each(orders)
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _push_each(self, orders: Sequence[PushOrder]) -> None:
        digest_file = self._folder / "digest"
        for order in orders:
            if is_list(self._engine.store.manifest(order.image_id)):
                self._push_tags_last([order])
                continue
            insecure = is_loopback(parse_reference(order.reference).domain)
            command = registry_commands.push(order.image_id, order.reference, str(digest_file), insecure=insecure)
            self._call(command, order.reference)
            self._pushed(order, digest_file.read_text())

    def _push_tags_last(self, orders: Sequence[PushOrder]) -> None:
        """Bring every blob and manifest to its repository, and only then set tags."""
        digests = {image_id: self._upload(image_id, orders) for image_id in {order.image_id: None for order in orders}}
        for order in orders:
            reference = parse_reference(order.reference)
            digest = digests[order.image_id]
            insecure = is_loopback(reference.domain)
            index = is_list(self._engine.store.manifest(order.image_id))
            command = registry_commands.set_tag(order.reference, reference.name, digest, index=index, insecure=insecure)
            self._call(command, order.reference)
            self._pushed(order, digest)

    def _upload(self, image_id: str, orders: Sequence[PushOrder]) -> str:
        """Bring an image, or a list and all in it, to its repositories; return its digest there."""
        named = (parse_reference(order.reference).name for order in orders if order.image_id == image_id)
        names = tuple(dict.fromkeys(named))
        found = members(self._engine.store, image_id)
        if not found:
            return self._upload_image(image_id, names)[0]
        pushed = [(entry, *self._upload_image(member, names)) for entry, member in found]
        folder = self._folder / "index"
        digest = write_index(folder, pushed)
        self._send(folder, digest, names, index=True)
        shutil.rmtree(folder)
        return digest

    def _upload_image(self, image_id: str, names: Sequence[str]) -> tuple[str, bytes]:
        """Return an image's digest and manifest in registries, known only once layers are compressed."""
        folder, digest_file = self._folder / "image", self._folder / "digest"
        self._engine.call(registry_commands.export(image_id, str(folder), str(digest_file)))
        digest, manifest = digest_file.read_text(), (folder / "manifest.json").read_bytes()
        self._send(folder, digest, names)
        shutil.rmtree(folder)
        return digest, manifest

    def _send(self, folder: Path, digest: str, names: Sequence[str], *, index: bool = False) -> None:
        for name in names:
            insecure = is_loopback(parse_reference(name).domain)
            self._call(registry_commands.upload(str(folder), name, digest, index=index, insecure=insecure), name)

    def _call(self, command: Command, place: str) -> None:
        call_registry(self._engine.runner, command, "push", place)
