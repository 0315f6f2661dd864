"""Base images from a registry, with every pull policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from zbuild.base.errors import RegistryError
from zbuild.base.platform import host_platform, parse_platform

if TYPE_CHECKING:
    from support.buildah_store import BuildahStore
    from support.lab import Lab, RecordingRunner


@pytest.fixture
def pushed(buildah_lab: Lab, buildah_store: BuildahStore, registry: str) -> str:
    """The name of an image that is in the registry alone."""
    name = f"{registry}/lab/pushed:1"
    result = buildah_lab.build("pushed", names=(name,))
    buildah_store.storage.buildah("push", "--quiet", "--tls-verify=false", name)
    buildah_lab.backend.remove([result.image_id])
    return name


def test_missing_pulls_once(buildah_lab: Lab, runner: RecordingRunner, pushed: str) -> None:
    runner.called.clear()
    first = buildah_lab.backend.resolve(pushed, host_platform(), "missing")
    assert buildah_lab.backend.resolve(pushed, host_platform(), "missing") == first
    assert runner.called == ["pull"]
    assert first.config.env == (("PATH", "/bin"),)
    assert buildah_lab.backend.images()[first.image_id] == (pushed,)


def test_never_does_not_pull(buildah_lab: Lab, runner: RecordingRunner, pushed: str) -> None:
    runner.called.clear()
    with pytest.raises(RegistryError):
        buildah_lab.backend.resolve(pushed, host_platform(), "never")
    assert runner.called == []


def test_always_takes_what_the_registry_has(buildah_lab: Lab, buildah_store: BuildahStore, pushed: str) -> None:
    other = buildah_lab.build("other", names=("localhost/lab/other:1",))
    buildah_lab.backend.resolve(pushed, host_platform(), "missing")
    buildah_store.storage.buildah(
        "push", "--quiet", "--tls-verify=false", "localhost/lab/other:1", f"docker://{pushed}"
    )
    found = buildah_lab.backend.resolve(pushed, host_platform(), "always")
    assert found.image_id == other.image_id


def test_always_fails_when_the_registry_is_away(buildah_lab: Lab) -> None:
    buildah_lab.build("away", names=("127.0.0.1:9/lab/away:1",))
    with pytest.raises(RegistryError):
        buildah_lab.backend.resolve("127.0.0.1:9/lab/away:1", host_platform(), "always")


def test_digest_names_an_image(buildah_lab: Lab, runner: RecordingRunner, pushed: str) -> None:
    digest = buildah_lab.backend.resolve(pushed, host_platform(), "missing").digest
    by_digest = f"{pushed}@{digest}"
    first = buildah_lab.backend.resolve(by_digest, host_platform(), "missing")
    runner.called.clear()
    assert buildah_lab.backend.resolve(by_digest, host_platform(), "missing") == first
    assert runner.called == []
    assert first.digest == digest


def test_an_image_is_found_by_its_digest_whatever_it_is_called(
    buildah_lab: Lab, runner: RecordingRunner, pushed: str
) -> None:
    found = buildah_lab.backend.resolve(pushed, host_platform(), "missing")
    runner.called.clear()
    assert buildah_lab.backend.resolve(f"other.example/x@{found.digest}", host_platform(), "missing") == found
    assert runner.called == []


def test_the_digest_of_an_index_s_image_is_its_own(buildah_lab: Lab, buildah_store: BuildahStore, pushed: str) -> None:
    digest = buildah_lab.backend.resolve(pushed, host_platform(), "missing").digest
    index = pushed.replace("pushed:1", "index:1")
    buildah = buildah_store.storage.buildah
    buildah("manifest", "create", "localhost/lab/index:1")
    buildah("manifest", "add", "--tls-verify=false", "localhost/lab/index:1", f"docker://{pushed}")
    buildah("manifest", "push", "--all", "--tls-verify=false", "localhost/lab/index:1", f"docker://{index}")
    buildah("manifest", "rm", "localhost/lab/index:1")
    assert buildah_lab.backend.resolve(index, host_platform(), "always").digest == digest


def test_unknown_image_says_what_the_registry_says(buildah_lab: Lab, registry: str) -> None:
    with pytest.raises(RegistryError) as raised:
        buildah_lab.backend.resolve(f"{registry}/lab/nope:1", host_platform(), "missing")
    assert f"{registry}/lab/nope:1" in raised.value.message
    assert "manifest unknown" in raised.value.message
    assert 'time="' not in raised.value.message


@pytest.mark.parametrize("policy", ["missing", "always"])
def test_local_names_are_never_pulled(buildah_lab: Lab, runner: RecordingRunner, policy: str) -> None:
    runner.called.clear()
    with pytest.raises(RegistryError, match=r"there is no image localhost/lab/nope:1 for linux/.* in the store"):
        buildah_lab.backend.resolve("localhost/lab/nope:1", host_platform(), policy)
    built = buildah_lab.build("kept", names=("localhost/lab/kept:1",))
    assert buildah_lab.backend.resolve("localhost/lab/kept:1", host_platform(), policy).image_id == built.image_id
    assert "pull" not in runner.called


def test_platform_that_an_image_does_not_have(buildah_lab: Lab, pushed: str) -> None:
    with pytest.raises(RegistryError):
        buildah_lab.backend.resolve(pushed, parse_platform("linux/s390x"), "missing")
