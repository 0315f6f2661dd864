"""Lists of images of several platforms that are put together by hand, from the store or from registries."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from zbuild.api.names import local_name
from zbuild.api.registries import open_registry
from zbuild.backend.buildah import manifests
from zbuild.backend.local_names import LOCAL
from zbuild.backend.process import Runner
from zbuild.base.errors import UsageError, ZbuildError
from zbuild.base.reference import parse_reference
from zbuild.execution.signals import Interruption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zbuild.base.platform import Platform
    from zbuild.model.ops import Pairs


class Manifests:
    """The lists of the store. Methods raise UsageError, BackendError, RegistryError, InterruptedBuildError."""

    def __init__(self) -> None:
        self._runner = Runner()

    def create(self, name: str, images: Sequence[str] = (), *, amend: bool = False) -> str:
        """Make a list of images, and return its name in full; with `amend`, add to one that is there.

        A new list is made whole or not at all.
        """
        full = local_name(name)
        with self._interruptible():
            new = not (amend and manifests.is_list(self._runner, full))
            manifests.create(self._runner, full, amend=amend)
            try:
                for image in images:
                    manifests.add(self._runner, full, local_name(image), None, ())
            except ZbuildError:
                if new:
                    manifests.discard(self._runner, full)
                raise
        return full

    def add(self, name: str, images: Sequence[str], platform: Platform | None = None, annotations: Pairs = ()) -> None:
        """Put images into a list, for their own platforms or the one given."""
        with self._interruptible():
            for image in images:
                manifests.add(self._runner, local_name(name), local_name(image), platform, annotations)

    def push(self, name: str, destination: str = "") -> tuple[str, str]:
        """Push a list with all that is in it to its name, or another; return where to, and its digest there."""
        full, target = local_name(name), local_name(destination or name)
        if target.startswith(LOCAL):
            hint = f"say where to: 'zbuild manifest push {name} REGISTRY/NAME:TAG'"
            raise UsageError("no-registry", f"{target} names no registry", hint=hint)
        with self._interruptible():
            return target, manifests.push(self._runner, full, target)

    def inspect(self, name: str) -> str:
        """Return a list of the store as JSON, or the manifest or list that a registry has under that name."""
        full = local_name(name)
        if manifests.is_list(self._runner, full):
            return manifests.inspect(self._runner, full)
        if full.startswith(LOCAL):
            raise UsageError("no-list", f"there is no list named {full}")
        with open_registry(self._runner) as registry, Interruption(lambda: None, registry.close):
            return json.dumps(registry.manifest(parse_reference(full)).document(), indent=4)

    def _interruptible(self) -> Interruption:
        return Interruption(lambda: None, self._runner.cancel)
