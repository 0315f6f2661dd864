"""The registry client: against docker-registry, judged by skopeo and buildah, and behind a proxy that does wrong."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
import threading
import time
from typing import TYPE_CHECKING

import pytest
from support.faulty_registry import Fault, run_faulty
from support.registry import PASSWORD, USER, run_registry

from zbuild.base.errors import InterruptedBuildError, RegistryError
from zbuild.base.platform import Platform
from zbuild.base.reference import Reference, normalise
from zbuild.oci.credentials import Credentials
from zbuild.oci.documents import encode_json
from zbuild.oci.faults import DamagedError, NotInRegistryError
from zbuild.oci.hosts import Hosts
from zbuild.oci.layout import sha256_digest
from zbuild.oci.media import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, Descriptor
from zbuild.oci.referrers import Attachment, referrers_index
from zbuild.oci.registry import Registry
from zbuild.oci.retries import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.storage import Storage

QUICK = Limits(connect=2, stall=0.4, patience=3, pause=0.01)
BLOB = bytes(range(256)) * 4096  # 1 MiB
DIGEST = sha256_digest(BLOB)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A repository of the test's own."""
    return f"t/{hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:12]}"


@pytest.fixture
def client() -> Iterator[Registry]:
    with made_client() as made:
        yield made


def made_client(user: str = "", password: str = "") -> Registry:
    return Registry(Hosts(), lambda _registry, _path: Credentials(user, password) if user else None, QUICK)


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with run_registry(tmp_path_factory.mktemp("closed"), closed=True) as made:
        yield made


def opened(data: bytes = BLOB) -> Callable[[], io.BytesIO]:
    return lambda: io.BytesIO(data)


def at(registry: str, name: str, tag: str = "1") -> Reference:
    return normalise(f"{registry}/{name}:{tag}")


def by_digest(reference: Reference, digest: str = DIGEST) -> Reference:
    return Reference(reference.domain, reference.path, digest=digest)


def put_image(client: Registry, reference: Reference, text: str = "hello", architecture: str = "amd64") -> Descriptor:
    """Put an image of one file; return what names its manifest."""
    layer = tar_of(text)
    config = encode_json(
        {
            "architecture": architecture,
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [sha256_digest(layer)]},
            "config": {},
        }
    )
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": Descriptor(OCI_CONFIG, client.put_blob(reference, config), len(config)).to_json(),
        "layers": [Descriptor(OCI_LAYER, client.put_blob(reference, layer), len(layer)).to_json()],
    }
    raw = encode_json(document)
    return Descriptor(OCI_MANIFEST, client.put_manifest(reference, raw, OCI_MANIFEST), len(raw))


def tar_of(text: str) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        entry = tarfile.TarInfo("hello.txt")
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text.encode()))
    return file.getvalue()


def skopeo(*arguments: str) -> str:
    return subprocess.run(["skopeo", *arguments], check=True, capture_output=True, text=True).stdout


def failing(
    count: int, fault: int | Fault, method: str, part: str
) -> tuple[Callable[[str, str], int | Fault], list[str]]:
    """Return a fault for the first `count` requests of a kind, and the list of all requests of that kind."""
    seen: list[str] = []

    def choose(asked: str, path: str) -> int | Fault:
        if asked != method or part not in path:
            return 0
        seen.append(path)
        return fault if len(seen) <= count else 0

    return choose, seen


def test_what_is_pushed_is_an_image_to_skopeo_and_buildah(
    client: Registry, registry: str, name: str, storage: Storage
) -> None:
    reference = at(registry, name)
    put = put_image(client, reference)
    found = json.loads(skopeo("inspect", "--tls-verify=false", f"docker://{reference}"))
    assert found["Digest"] == put.digest
    image = storage.buildah("pull", "-q", "--tls-verify=false", f"docker://{reference}")
    container = storage.buildah("from", image)
    assert (storage.root / storage.buildah("mount", container) / "hello.txt").read_text() == "hello"


def test_a_manifest_is_told_of_and_fetched(client: Registry, registry: str, name: str) -> None:
    reference = at(registry, name)
    put = put_image(client, reference)
    assert client.head_manifest(reference) == put
    fetched = client.manifest(reference)
    assert (fetched.digest, fetched.media_type, fetched.is_index) == (put.digest, OCI_MANIFEST, False)
    assert client.manifest(by_digest(reference, put.digest)) == fetched
    (layer,) = fetched.layers()
    assert b"".join(client.blob(reference, layer.digest, layer.size)) == tar_of("hello")
    raw = skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{reference}")
    assert raw.encode() == fetched.raw


def test_an_index_gives_each_platform_its_image(client: Registry, registry: str, name: str) -> None:
    entries = []
    for architecture, variant in (("amd64", ""), ("arm64", "v8"), ("arm", "v6"), ("arm", "v7")):
        put = put_image(client, at(registry, name, architecture + variant), architecture + variant, architecture)
        entries.append(Descriptor(put.media_type, put.digest, put.size, Platform("linux", architecture, variant)))
    index = encode_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [one.to_json() for one in entries]})
    reference = at(registry, name, "all")
    client.put_manifest(reference, index, OCI_INDEX)
    assert client.manifest(reference).entries() == tuple(entries)
    wanted = {"amd64": 0, "arm64": 1, "arm/v6": 2, "arm/v7": 3}
    for text, place in wanted.items():
        platform = Platform("linux", *text.split("/"))
        assert client.resolve(reference, platform) == entries[place].digest
    assert client.resolve(at(registry, name, "amd64"), Platform("linux", "amd64")) == entries[0].digest
    with pytest.raises(NotInRegistryError, match="is not there for windows/amd64") as refused:
        client.resolve(reference, Platform("windows", "amd64"))
    assert refused.value.hint == "it is there for linux/amd64, linux/arm/v6, linux/arm/v7, linux/arm64/v8"


@pytest.mark.parametrize("chunk", [0, 100_000])
def test_a_blob_goes_up_and_comes_down(client: Registry, registry: str, name: str, chunk: int) -> None:
    reference = at(registry, name)
    assert not client.has_blob(reference, DIGEST)
    client.upload_blob(reference, DIGEST, len(BLOB), opened(), chunk=chunk)
    assert client.has_blob(reference, DIGEST)
    assert b"".join(client.blob(reference, DIGEST)) == BLOB


def test_a_blob_of_another_repository_is_not_sent_again(client: Registry, registry: str, name: str) -> None:
    client.upload_blob(at(registry, name), DIGEST, len(BLOB), opened())
    assert client.mount_blob(at(registry, f"{name}/a"), DIGEST, name)
    assert client.has_blob(at(registry, f"{name}/a"), DIGEST)
    client.upload_blob(at(registry, f"{name}/b"), DIGEST, len(BLOB), opened(b"not sent"), mount=name)
    assert client.has_blob(at(registry, f"{name}/b"), DIGEST)
    assert not client.mount_blob(at(registry, f"{name}/c"), sha256_digest(b"of nobody"), name)


def test_tags_come_in_pages(client: Registry, registry: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zbuild.oci.registry._PAGE", 2)
    tags = tuple(f"v{number}" for number in range(5))
    for tag in tags:
        put_image(client, at(registry, name, tag))
    assert sorted(client.tags(at(registry, name))) == list(tags)


def test_a_deleted_manifest_is_gone(client: Registry, registry: str, name: str) -> None:
    reference = at(registry, name)
    put = put_image(client, reference)
    client.delete_manifest(by_digest(reference, put.digest))
    with pytest.raises(NotInRegistryError) as refused:
        client.manifest(by_digest(reference, put.digest))
    assert refused.value.exit_code == 4


def test_a_registry_that_wants_a_user_gets_one(closed: str, name: str) -> None:
    with made_client(USER, PASSWORD) as client:
        put = put_image(client, at(closed, name))
        assert client.head_manifest(at(closed, name)) == put
    for user, password in (("", ""), (USER, "wrong")):
        with made_client(user, password) as client, pytest.raises(RegistryError) as refused:
            client.manifest(at(closed, name))
        assert refused.value.code == "registry-denied"
        assert refused.value.hint == f"log in with 'zbuild login {closed}', as a user who may do that"


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_is_told_at_once(client: Registry, registry: str, name: str, status: int) -> None:
    choose, seen = failing(9, status, "GET", "/manifests/")
    with run_faulty(registry, choose) as faulty, pytest.raises(RegistryError, match=f"HTTP {status}"):
        client.manifest(at(faulty, name))
    assert len(seen) == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault(500),
        Fault(503),
        Fault(429, (("Retry-After", "1"),)),
        Fault(take=0),
        Fault(cut=10),
        Fault(hang=0.6),
    ],
    ids=["500", "503", "429", "reset", "truncated", "hang"],
)
def test_a_fault_that_passes_is_waited_for(client: Registry, registry: str, name: str, fault: Fault) -> None:
    put = put_image(client, at(registry, name))
    choose, seen = failing(2, fault, "GET", "/manifests/")
    started = time.monotonic()
    with run_faulty(registry, choose) as faulty:
        assert client.manifest(at(faulty, name)).digest == put.digest
    assert len(seen) == 3
    assert time.monotonic() - started > (2 if fault.headers else 0)


def test_patience_ends(registry: str, name: str) -> None:
    choose, seen = failing(99, 500, "GET", "/manifests/")
    limits = Limits(connect=2, stall=0.4, patience=0.5, pause=0.01)
    with (
        run_faulty(registry, choose) as faulty,
        Registry(Hosts(), lambda *_: None, limits) as client,
        pytest.raises(RegistryError, match="the registry is in trouble") as refused,
    ):
        client.manifest(at(faulty, name))
    assert refused.value.code == "registry-busy"
    assert 3 < len(seen) < 20


def test_a_registry_that_asks_for_too_long_a_rest_is_told_of(client: Registry, registry: str, name: str) -> None:
    choose, seen = failing(99, Fault(429, (("Retry-After", "3600"),)), "GET", "/manifests/")
    with run_faulty(registry, choose) as faulty, pytest.raises(RegistryError, match="429") as refused:
        client.manifest(at(faulty, name))
    assert "log in, or try later" in refused.value.hint
    assert len(seen) == 1


@pytest.mark.parametrize("fault", [Fault(cut=300_000), Fault(500), Fault(take=0)], ids=["truncated", "500", "reset"])
def test_a_blob_is_taken_up_where_it_broke_off(client: Registry, registry: str, name: str, fault: Fault) -> None:
    client.upload_blob(at(registry, name), DIGEST, len(BLOB), opened())
    choose, seen = failing(2, fault, "GET", "/blobs/")
    with run_faulty(registry, choose) as faulty:
        assert b"".join(client.blob(at(faulty, name), DIGEST, len(BLOB))) == BLOB
    assert len(seen) == 3


def test_wrong_content_is_not_taken(client: Registry, registry: str, name: str) -> None:
    reference = at(registry, name)
    put = put_image(client, reference)
    client.upload_blob(reference, DIGEST, len(BLOB), opened())

    def alter(_method: str, _path: str) -> Fault:
        return Fault(change=lambda body: body.replace(b"\x01", b"\x02").replace(b"sha256:", b"sha257:"))

    with run_faulty(registry, alter) as faulty:
        for reference in (at(faulty, name), by_digest(at(faulty, name), put.digest)):
            with pytest.raises(DamagedError, match="what comes is sha256:"):
                client.manifest(reference)
        with pytest.raises(DamagedError):
            list(client.blob(at(faulty, name), DIGEST))
    with pytest.raises(DamagedError, match="1048576 bytes"):
        list(client.blob(at(registry, name), DIGEST, len(BLOB) - 1))


@pytest.mark.parametrize("chunk", [0, 300_000])
@pytest.mark.parametrize(
    ("method", "fault"),
    [
        *[("PUT", Fault(500)), ("PUT", Fault(take=1000)), ("PUT", Fault(404))],
        *[("PATCH", Fault(503)), ("PATCH", Fault(take=1000)), ("PATCH", Fault(416)), ("PATCH", Fault(404))],
    ],
)
def test_an_upload_that_breaks_off_is_done_all_the_same(
    client: Registry, registry: str, name: str, method: str, fault: Fault, chunk: int
) -> None:
    choose, seen = failing(2, fault, method, "/blobs/uploads/")
    with run_faulty(registry, choose) as faulty:
        client.upload_blob(at(faulty, name), DIGEST, len(BLOB), opened(), chunk=chunk)
    assert b"".join(client.blob(at(registry, name), DIGEST)) == BLOB
    assert len(seen) >= (3 if chunk or method == "PUT" else 0)


def test_credentials_go_to_no_other_host(closed: str, registry: str, name: str) -> None:
    with made_client() as anybody:
        anybody.upload_blob(at(registry, name), DIGEST, len(BLOB), opened())
    seen: list[str] = []

    def elsewhere(_method: str, path: str) -> int | Fault:
        return Fault(307, (("Location", f"http://{other}{path}"),)) if "/blobs/" in path else 0

    def watch(_method: str, path: str) -> int:
        seen.append(path)
        return 0

    with (
        run_faulty(registry, watch, headers := []) as other,
        run_faulty(closed, elsewhere) as faulty,
        made_client(USER, PASSWORD) as client,
    ):
        put_image(client, at(closed, name))
        client.manifest(at(faulty, name))
        assert b"".join(client.blob(at(faulty, name), DIGEST)) == BLOB
    assert seen == [f"/v2/{name}/blobs/{DIGEST}"]
    assert [one.get("Authorization") for one in headers] == [None]


def test_closing_ends_what_waits(registry: str, name: str) -> None:
    caught: list[BaseException] = []
    with (
        Registry(Hosts(), lambda *_: None, Limits(stall=30)) as client,
        run_faulty(registry, lambda *_: Fault(hang=20)) as faulty,
    ):

        def ask() -> None:
            try:
                client.manifest(at(faulty, name))
            except InterruptedBuildError as error:
                caught.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        time.sleep(0.3)
        client.close()
        thread.join(3)
        assert not thread.is_alive()
    assert len(caught) == 1


@pytest.mark.parametrize(
    ("registry", "code"), [("127.0.0.1:9", "registry-unreachable"), ("nowhere.invalid", "registry-unknown")]
)
def test_a_registry_that_is_not_there(registry: str, code: str) -> None:
    limits = Limits(connect=2, stall=1, patience=0.1, pause=0.05)
    with Registry(Hosts(), lambda *_: None, limits) as client, pytest.raises(RegistryError) as refused:
        client.manifest(at(registry, "x"))
    assert refused.value.code == code
    assert refused.value.hint


def test_many_threads_share_a_client(client: Registry, registry: str, name: str) -> None:
    put_image(client, at(registry, name))
    found: list[str] = []
    threads = [
        threading.Thread(
            target=lambda: found.extend(client.head_manifest(at(registry, name)).digest for _ in range(10))
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 80
    assert len(set(found)) == 1


SBOM = Attachment(b'{"a": 1}', "application/x.sbom+json", "application/x.sbom", (("made.by", "zbuild"),))
NOTE = Attachment(b"{}", "application/x.note+json", "application/x.note")


def test_what_is_attached_is_listed_under_a_tag_where_the_registry_lists_nothing(
    client: Registry, registry: str, name: str
) -> None:
    reference = at(registry, name)
    put = put_image(client, reference)
    subject = by_digest(reference, put.digest)
    assert client.referrers(subject) == ()
    attached = [client.attach(put, reference, one) for one in (SBOM, NOTE, SBOM)]
    assert client.referrers(subject) == tuple(attached[:2])
    (found,) = client.referrers(subject, SBOM.artifact_type)
    assert found == attached[0]
    assert dict(found.annotations) == {"made.by": "zbuild"}
    manifest = client.manifest(by_digest(reference, found.digest))
    assert manifest.document()["subject"] == put.to_json()
    (blob,) = manifest.layers()
    assert b"".join(client.blob(reference, blob.digest, blob.size)) == SBOM.data
    assert set(client.tags(reference)) == {"1", put.digest.replace(":", "-")}


def test_what_is_attached_is_listed_by_the_registry_where_it_can(client: Registry, registry: str, name: str) -> None:
    reference = at(registry, name)
    put = put_image(client, reference)
    entries = [
        Descriptor(OCI_MANIFEST, sha256_digest(bytes([number])), 3, artifact_type=f"type{number % 2}")
        for number in range(4)
    ]

    def listing(_method: str, path: str) -> int | Fault:
        if "/referrers/" not in path:
            return 0
        page = entries[2:] if "page=2" in path else entries[:2]
        more = () if "page=2" in path else (("Link", f'<{path.partition("?")[0]}?page=2>; rel="next"'),)
        return Fault(200, (("Content-Type", OCI_INDEX), *more), referrers_index(page))

    with run_faulty(registry, listing) as faulty:
        subject = by_digest(at(faulty, name), put.digest)
        assert client.referrers(subject) == tuple(entries)
        assert client.referrers(subject, "type1") == (entries[1], entries[3])


def test_a_mirror_is_asked_first_and_left_alone_when_it_is_gone(registry: str, name: str) -> None:
    with made_client() as client:
        put = put_image(client, at(registry, f"mirror/{name}"))
        other = put_image(client, at(registry, name, "2"), "not mirrored")
    asked: list[str] = []

    def fault(_method: str, path: str) -> int:
        asked.append(path)
        return 503 if path.endswith("/3") else 0

    with run_faulty(registry, fault) as mirror:
        table = {"location": registry, "mirror": [{"location": f"{mirror}/mirror"}]}
        with Registry(Hosts([table]), lambda *_: None, QUICK) as client:
            assert client.manifest(at(registry, name)).digest == put.digest
            assert client.head_manifest(at(registry, name, "2")) == other
            assert len(asked) == 3  # the first asks whether it has TLS
            with pytest.raises(NotInRegistryError):
                client.manifest(at(registry, name, "3"))
            assert client.head_manifest(at(registry, name, "2")) == other
    assert len(asked) == 4


def test_what_is_sent_follows_a_redirect_whole(client: Registry, registry: str, name: str) -> None:
    def elsewhere(method: str, path: str) -> int | Fault:
        return Fault(307, (("Location", f"http://{registry}{path}"),)) if method == "PUT" else 0

    with run_faulty(registry, elsewhere) as faulty:
        put = put_image(client, at(faulty, name))
        client.upload_blob(at(faulty, name), DIGEST, len(BLOB), opened(), chunk=300_000)
    assert client.head_manifest(at(registry, name)) == put
    assert b"".join(client.blob(at(registry, name), DIGEST)) == BLOB


def test_a_circle_of_redirects_ends(client: Registry, registry: str, name: str) -> None:
    def circle(_method: str, path: str) -> int | Fault:
        return Fault(302, (("Location", path),)) if "/manifests/" in path else 0

    with run_faulty(registry, circle) as faulty, pytest.raises(RegistryError, match="redirects in a circle"):
        client.manifest(at(faulty, name))


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"no JSON", "Expecting value"),
        (b"[]", "not an object"),
        (b"[" * 100_000, "nested too deep"),
    ],
)
def test_an_answer_that_is_no_list_is_refused(
    client: Registry, registry: str, name: str, body: bytes, told: str
) -> None:
    with run_faulty(registry, lambda *_: Fault(200, body=body)) as faulty, pytest.raises(DamagedError, match=told):
        client.tags(at(faulty, name))


def test_an_answer_without_end_is_not_read_to_it(client: Registry, registry: str, name: str) -> None:
    endless = Fault(200, body=bytes(9 << 20))
    with run_faulty(registry, lambda *_: endless) as faulty, pytest.raises(DamagedError, match="has no end"):
        client.tags(at(faulty, name))


def test_one_connection_serves_many_questions(client: Registry, registry: str, name: str) -> None:
    ports: set[int] = set()
    with run_faulty(registry, lambda *_: 0, ports=ports) as faulty:
        put = put_image(client, at(faulty, name))
        for number in range(5):
            assert not client.has_blob(at(faulty, name), sha256_digest(b"%d" % number))
            assert client.head_manifest(at(faulty, name)) == put
        with pytest.raises(NotInRegistryError):
            client.manifest(at(faulty, name, "none"))
        client.tags(at(faulty, name))
    assert len(ports) <= 2  # the first one asks whether there is TLS
