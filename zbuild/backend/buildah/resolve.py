"""Base images: found in the store without a process, or pulled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zbuild.backend.buildah import commands
from zbuild.backend.buildah.lists import entries
from zbuild.backend.image_json import diff_ids, parse_config, parse_platform_of
from zbuild.backend.local_names import full_name, image_id_of, is_local, local_names
from zbuild.backend.protocol import BaseImage
from zbuild.base.errors import RegistryError
from zbuild.base.loopback import is_loopback
from zbuild.base.platform import host_platform
from zbuild.base.reference import parse_reference

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from zbuild.backend.buildah.engine import Engine
    from zbuild.backend.buildah.store import Store, StoredImage
    from zbuild.backend.protocol import StorePolicy
    from zbuild.base.platform import Platform

# A registry that never answers would hold a build for ever; large images on slow lines need their time.
PULL_TIMEOUT = 3600.0
_LOG_LINE = 'time="'  # what buildah's libraries log besides the error itself


def resolve(engine: Engine, reference: str, platform: Platform, pull: StorePolicy) -> BaseImage:
    """Return the image of a reference, pulling it as the policy says; `localhost/…` is no registry's.

    Raises RegistryError.
    """
    local = _find_local(engine, reference, platform)
    is_id = bool(image_id_of(reference))
    only_here = is_local(reference)
    if local and (only_here or pull != "always"):
        return local
    if only_here and not is_id:
        raise RegistryError("image-missing", f"there is no image {reference} for {platform} in the store")
    if is_id or pull == "never":
        raise RegistryError("image-missing", f"the image {reference} is not in the store, and must not be pulled")
    return _pull(engine, reference, platform)


def base_image(engine: Engine, image_id: str) -> BaseImage:
    """Read an image from the store. Raises ImageGoneError."""
    image = engine.store.image(image_id)
    config = engine.store.config(image_id)
    return BaseImage(image_id, image.digest, parse_config(config), diff_ids(config))


def _find_local(engine: Engine, reference: str, platform: Platform) -> BaseImage | None:
    images = engine.store.images()
    image_id = image_id_of(reference)
    candidates = (image_id,) if image_id in images else () if image_id else _called(images, reference)
    fitting = (_for_platform(engine.store, images, candidate, platform) for candidate in candidates)
    return next((base_image(engine, found) for found in fitting if found), None)


def _called(images: Mapping[str, StoredImage], reference: str) -> Iterator[str]:
    """Yield the images that may be meant: that with the name, else those with the digest, whatever they are called.

    A name is one image's: when that was pulled for another platform than the image that had the name before, the latter
    is still what the registry has for its own. Of a name that nobody has any more, nothing is known.
    """
    names = local_names(reference)
    named = [image_id for name in names for image_id, image in images.items() if name in image.names]
    yield from named
    digest = parse_reference(names[0]).digest
    yield from (image_id for image_id, image in images.items() if digest and digest in image.digests)
    if named and not is_local(reference):
        yield from (image.id for image in reversed([*images.values()]) if names[0] in image.former_names)


def _for_platform(store: Store, images: Mapping[str, StoredImage], image_id: str, platform: Platform) -> str:
    """Return the id of an image, or of the one in a list, when it is for a platform; else ""."""
    listed = entries(store.manifest(image_id))
    if not listed:
        return image_id if _fits(parse_platform_of(store.config(image_id)), platform) else ""
    digests = {entry["digest"] for entry in listed if _fits(parse_platform_of(entry.get("platform") or {}), platform)}
    return next((image.id for image in images.values() if digests & image.digests), "")


def _fits(found: Platform, wanted: Platform) -> bool:
    same = (found.os, found.architecture) == (wanted.os, wanted.architecture)
    return same and (not wanted.variant or not found.variant or found.variant == wanted.variant)


def _pull(engine: Engine, reference: str, platform: Platform) -> BaseImage:
    full = full_name(reference)
    foreign = None if platform == host_platform() else platform
    command = commands.pull(full, foreign, insecure=is_loopback(parse_reference(full).domain), timeout=PULL_TIMEOUT)
    done = engine.runner.run(command)
    if done.returncode:
        said = " ".join(line for line in done.stderr if not line.startswith(_LOG_LINE)).strip()
        said = said or f"exit code {done.returncode}"
        raise RegistryError("pull-failed", f"cannot pull {full}: {said}")
    image_id = done.stdout.split()[-1].removeprefix("sha256:")
    found = parse_platform_of(engine.store.config(image_id))
    if not _fits(found, platform):
        raise RegistryError("wrong-platform", f"{full} is for {found}, not for {platform}")
    return base_image(engine, image_id)
