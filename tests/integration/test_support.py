"""The fixtures that other tests stand on."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.request import urlopen

if TYPE_CHECKING:
    from support.storage import Storage


def test_a_store_of_its_own_starts_empty_and_holds_the_base_image(storage: Storage):
    assert storage.images() == {}
    image = storage.import_busybox("localhost/test/mine:1")
    assert storage.images() == {"localhost/test/mine:1": image}
    assert storage.containers() == []


def test_the_base_image_runs_commands(storage: Storage, base_image: str):
    container = storage.buildah("from", "--pull-never", base_image)
    assert storage.buildah("run", "--isolation", "chroot", container, "echo", "hello") == "hello"
    assert len(storage.containers()) == 1


def test_the_registry_takes_and_gives_images(storage: Storage, base_image: str, registry: str):
    name = f"{registry}/support/base:1"
    image = storage.images()[base_image]
    storage.buildah("push", "--quiet", "--tls-verify=false", base_image, f"docker://{name}")
    with urlopen(f"http://{registry}/v2/support/base/tags/list") as answer:
        assert b'"1"' in answer.read()
    storage.buildah("rmi", base_image)
    assert storage.buildah("pull", "--quiet", "--tls-verify=false", name) == image
