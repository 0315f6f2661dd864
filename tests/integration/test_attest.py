"""Provenance and SBOMs on their way with an image: attached in a real registry, and written to a folder."""

from __future__ import annotations

import hashlib
import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from support.faulty_registry import run_faulty
from support.file_server import run_file_server
from support.monorepo import Monorepo
from support.registry import run_registry

from zbuild.base.reference import Reference, parse_reference
from zbuild.oci.hosts import Hosts
from zbuild.oci.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.file_server import FileServer
    from support.storage import Storage

IMAGES = """\
images:
  base: {context: base, tags: ["t/base:1"]}
  api:
    context: api
    tags: ["REGISTRY/api:1", "REGISTRY/api:latest", "REGISTRY/copy/api:1"]
    build_args: {COLOUR: marmalade}
"""
DOCKERFILE = """\
FROM t/base:1 AS builder
ARG COLOUR
RUN --mount=type=secret,id=pass cat /run/secrets/pass > /dev/null; echo $COLOUR > /out.txt
FROM t/base:1
COPY --from=builder /out.txt /app/
COPY main.txt /app/
COPY status /var/lib/dpkg/status
COPY node_modules /app/node_modules/
"""
STATUS = "Package: nano\nStatus: install ok installed\nArchitecture: amd64\nVersion: 7.2-1\n"
PURLS = ["pkg:deb/debian/nano@7.2-1?arch=amd64", "pkg:npm/%40scope/tool@1.0.0", "pkg:npm/left-pad@1.3.0"]
PROVENANCE, SBOM = "application/vnd.in-toto+json", "application/vnd.cyclonedx+json"


@pytest.fixture
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with run_registry(tmp_path_factory.mktemp("registry")) as made:
        yield made


@pytest.fixture
def files() -> Iterator[FileServer]:
    with run_file_server() as made:
        yield made


@pytest.fixture
def repo(tmp_path: Path, storage: Storage, address: str) -> Monorepo:
    (tmp_path / "w").mkdir()
    (tmp_path / "auth.json").write_text("{}")
    environment = {**storage.environment, "REGISTRY_AUTH_FILE": str(tmp_path / "auth.json"), "PASS": "drowssap"}
    made = Monorepo.create(tmp_path / "w", environment=environment)
    made.write("zbuild.yaml", IMAGES.replace("REGISTRY", address))
    made.write("api/Dockerfile", DOCKERFILE)
    made.write("api/status", STATUS)
    for name, version in (("left-pad", "1.3.0"), ("@scope/tool", "1.0.0")):
        package = json.dumps({"name": name, "version": version})
        made.write(f"api/node_modules/{name}/package.json", package)
    return made


SECRET = ("--secret", "id=pass,env=PASS")


def attached(reference: str) -> dict[str, tuple[Reference, str]]:
    """Return what is attached to an image, by its type: the attachment's reference, and its content."""
    with Registry(Hosts(), lambda *_: None) as registry:
        tag = parse_reference(reference)
        subject = Reference(tag.domain, tag.path, digest=registry.head_manifest(tag).digest)
        found = {}
        for entry in registry.referrers(subject):
            named = Reference(tag.domain, tag.path, digest=entry.digest)
            (blob,) = registry.manifest(named).layers()
            found[entry.artifact_type] = named, b"".join(registry.blob(named, blob.digest, blob.size)).decode()
        return found


def check_statement(text: str, name: str, digest: str) -> dict[str, Any]:
    """Hold a statement to in-toto's and SLSA's specifications; return its definition of the build."""
    told: dict[str, Any] = json.loads(text)
    assert set(told) == {"_type", "subject", "predicateType", "predicate"}
    assert told["_type"] == "https://in-toto.io/Statement/v1"
    assert told["subject"] == [{"name": name, "digest": {"sha256": digest.removeprefix("sha256:")}}]
    assert told["predicateType"] == "https://slsa.dev/provenance/v1"
    definition, details = told["predicate"]["buildDefinition"], told["predicate"]["runDetails"]
    assert set(definition) == {"buildType", "externalParameters", "internalParameters", "resolvedDependencies"}
    assert ":" in definition["buildType"]
    assert ":" in details["builder"]["id"]
    assert set(details["metadata"]) == {"invocationId", "startedOn", "finishedOn"}
    assert details["metadata"]["startedOn"] <= details["metadata"]["finishedOn"]
    for one in definition["resolvedDependencies"]:
        assert set(one) <= {"uri", "digest", "name"}
        assert all(int(value, 16) for value in one["digest"].values())
    return definition


def check_sbom(text: str) -> list[str]:
    """Hold an SBOM to CycloneDX's schema; return its packages."""
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    return sorted(component["purl"] for component in json.loads(text)["components"])


def test_files_are_what_was_attached(repo: Monorepo, address: str) -> None:
    asked = ("--push", "--provenance", "--sbom", "--attestations", "att")
    ended = repo.zbuild("build", "api", *SECRET, *asked)
    assert ended.code == 0, ended.stderr
    found = attached(f"{address}/api:1")
    assert (repo.root / "att/api.provenance.json").read_text() == found[PROVENANCE][1]
    assert (repo.root / "att/api.sbom.json").read_text() == found[SBOM][1]


def digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_is_pushed_tells_how_it_was_built_and_what_is_in_it(repo: Monorepo, address: str) -> None:
    assert repo.zbuild("build", "api", *SECRET).code == 0
    ended = repo.zbuild("push", "api", "--provenance", "--sbom")
    assert ended.code == 0, ended.stderr
    pushed = dict(line.split("@") for line in ended.stdout.splitlines())
    digest = pushed[f"{address}/api:1"]
    assert f"attached provenance and sbom to {address}/api@{digest}" in ended.stderr
    for repository in ("api", "copy/api"):
        found = attached(f"{address}/{repository}:1")
        assert set(found) == {PROVENANCE, SBOM}
        definition = check_statement(found[PROVENANCE][1], f"{address}/{repository}", digest)
        assert check_sbom(found[SBOM][1]) == PURLS
    assert definition["externalParameters"] == {
        "image": "api",
        "file": "api/Dockerfile",
        "platform": "linux/amd64",
        "arguments": ["COLOUR"],
        "secrets": ["pass"],
    }
    told = {one["uri"]: one["digest"] for one in definition["resolvedDependencies"]}
    files = ("zbuild.yaml", "api/Dockerfile", "base/ZImagefile")
    assert {f"file:{name}": {"sha256": digest_of(repo.root / name)} for name in files}.items() <= told.items()
    assert {"file:api", "file:base"} <= set(told)
    assert len(told) == 5
    everything = "".join(text for _, text in found.values())
    assert "marmalade" not in everything
    assert "drowssap" not in everything


def test_a_build_that_pushes_attaches_too_and_again_the_same(repo: Monorepo, address: str) -> None:
    assert repo.zbuild("build", "api", *SECRET, "--push", "--provenance").code == 0
    first = attached(f"{address}/api:1")
    assert set(first) == {PROVENANCE}
    assert repo.zbuild("build", "api", *SECRET, "--push", "--provenance", "--sbom").code == 0
    second = attached(f"{address}/api:1")
    assert second[PROVENANCE] == first[PROVENANCE]
    assert set(second) == {PROVENANCE, SBOM}


def test_documents_are_written_to_a_folder(repo: Monorepo, tmp_path: Path) -> None:
    argv = ("build", *SECRET, "--provenance", "--sbom", "--attestations", "../out")
    assert repo.zbuild(*argv).code == 0
    names = {f"{image}.{kind}.json" for image in ("api", "base") for kind in ("provenance", "sbom")}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names
    assert check_sbom((tmp_path / "out/api.sbom.json").read_text()) == PURLS
    text = (tmp_path / "out/api.provenance.json").read_text()
    check_statement(text, "api", f"sha256:{json.loads(text)['subject'][0]['digest']['sha256']}")
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    (tmp_path / "out/api.sbom.json").unlink()
    assert repo.zbuild(*argv).code == 0
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_a_change_shows_in_the_context_s_digest(repo: Monorepo, tmp_path: Path) -> None:
    def context() -> str:
        assert repo.zbuild("build", "api", *SECRET, "--provenance", "--attestations", "../out").code == 0
        told = json.loads((tmp_path / "out/api.provenance.json").read_text())["predicate"]["buildDefinition"]
        (found,) = [one["digest"]["sha256"] for one in told["resolvedDependencies"] if one["uri"] == "file:api"]
        return str(found)

    first = context()
    repo.write("api/unused.txt", "nobody copies this")
    assert context() == first
    repo.write("api/main.txt", "changed")
    changed = context()
    assert changed != first
    repo.write("api/main.txt", "# a comment\nhello\n")
    assert context() == first


def test_documents_that_would_go_nowhere_are_refused(repo: Monorepo) -> None:
    ended = repo.zbuild("build", "--sbom")
    assert (ended.code, "error[attest-nowhere]: --sbom has nowhere to go" in ended.stderr) == (2, True)
    ended = repo.zbuild("build", "--attestations", "out")
    assert (ended.code, "error[attest-nothing]" in ended.stderr) == (2, True)


def test_a_registry_that_refuses_attachments_is_told_of(repo: Monorepo, address: str) -> None:
    def fault(method: str, path: str) -> int:
        return 403 if method == "PUT" and "/manifests/sha256" in path else 0

    with run_faulty(address, fault) as faulty:
        repo.write("zbuild.yaml", IMAGES.replace("REGISTRY", faulty))
        ended = repo.zbuild("build", "api", *SECRET, "--push", "--provenance")
    assert ended.code == 4
    assert "error[registry-denied]" in ended.stderr


def test_other_tools_find_what_is_attached(repo: Monorepo, address: str) -> None:
    assert repo.zbuild("build", "api", *SECRET, "--push", "--sbom").code == 0
    (reference, text) = attached(f"{address}/api:1")[SBOM]
    raw = subprocess.run(
        ["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{reference}"], check=True, capture_output=True
    ).stdout
    manifest = json.loads(raw)
    assert manifest["artifactType"] == SBOM
    assert manifest["layers"][0]["digest"] == f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def test_what_comes_from_other_machines_is_told_by_its_digest(
    repo: Monorepo, address: str, storage: Storage, files: FileServer, tmp_path: Path
) -> None:
    storage.import_busybox("localhost/test/base:1")
    storage.buildah("push", "--tls-verify=false", "localhost/test/base:1", f"docker://{address}/base:1.0")
    url = files.put("/tool.txt", "a tool")
    repo.write("api/Dockerfile", f"FROM {address}/base:1.0\nADD {url}?token=drowssap /\n")
    assert repo.zbuild("build", "api", "--provenance", "--attestations", "../out").code == 0
    text = (tmp_path / "out/api.provenance.json").read_text()
    told = {
        one["uri"]: one["digest"] for one in json.loads(text)["predicate"]["buildDefinition"]["resolvedDependencies"]
    }
    with Registry(Hosts(), lambda *_: None) as registry:
        base = registry.head_manifest(parse_reference(f"{address}/base:1.0"))
    assert told[f"pkg:docker/{address}/base@1.0?platform=linux%2Famd64"] == {
        "sha256": base.digest.removeprefix("sha256:")
    }
    assert told[url] == {"sha256": hashlib.sha256(b"a tool").hexdigest()}
    assert "drowssap" not in text
