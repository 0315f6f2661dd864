"""What is found in an image's files, and the documents that tell of it."""

from __future__ import annotations

import json
import os
import struct
from typing import TYPE_CHECKING

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from zbuild.attest.package import Package
from zbuild.attest.packages import installed
from zbuild.attest.provenance import BuildFacts, Material, statement
from zbuild.attest.sbom import sbom

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = f"sha256:{'a' * 64}"
DPKG = """\
Package: nano
Status: install ok installed
Architecture: amd64
Version: 7.2-1
Description: small editor
 Version: of a description is none

Package: removed
Status: deinstall ok config-files
Version: 1

Package: half
Status: install ok half-configured
Version: 1
"""
APK = """\
C:Q1pSfk
P:musl
V:1.2.4-r2
A:x86_64
p:so:libc.musl-x86_64.so.1=1
F:lib
a:0:0:755
"""


def put(root: Path, path: str, content: str | bytes, mode: int = 0o644) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    file.chmod(mode)


def found(root: Path) -> list[tuple[str, str, str, str]]:
    return [
        (package.kind, package.namespace, package.name, package.version) for package in installed(os.fsencode(root))
    ]


def test_packages_of_distributions_are_found(tmp_path: Path) -> None:
    put(tmp_path, "usr/lib/os-release", 'ID=debian\nVERSION_ID="12"\n# NAME=no\n')
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").symlink_to("../usr/lib/os-release")
    put(tmp_path, "var/lib/dpkg/status", DPKG)
    put(tmp_path, "var/lib/dpkg/status.d/base", "Package: base-files\nVersion: 12.4\n")
    put(tmp_path, "var/lib/dpkg/status.d/base.md5sums", "Package: no\nVersion: 1\n")
    assert found(tmp_path) == [("deb", "debian", "base-files", "12.4"), ("deb", "debian", "nano", "7.2-1")]
    nano = installed(os.fsencode(tmp_path))[1]
    assert nano.qualifiers == (("arch", "amd64"), ("distro", "debian-12"))
    assert nano.path == "var/lib/dpkg/status"


@pytest.mark.parametrize("path", ["lib/apk/db/installed", "usr/lib/apk/db/installed"])
def test_packages_of_alpine_are_found(tmp_path: Path, path: str) -> None:
    put(tmp_path, path, APK)
    (musl,) = installed(os.fsencode(tmp_path))
    assert musl == Package("apk", "musl", "1.2.4-r2", "alpine", (("arch", "x86_64"),), path)


def test_packages_of_languages_are_found(tmp_path: Path) -> None:
    put(tmp_path, "usr/lib/python3/Zope.Interface-5.0.dist-info/METADATA", "Name: Zope.Interface\nVersion: 5.0\n\nBody")
    put(tmp_path, "usr/lib/python3/old.egg-info/PKG-INFO", "Name: old\nVersion: 1\n")
    put(tmp_path, "usr/lib/python3/other/METADATA", "Name: no\nVersion: 1\n")
    put(tmp_path, "app/node_modules/left-pad/package.json", '{"name": "left-pad", "version": "1.3.0"}')
    put(tmp_path, "app/node_modules/@a/b/package.json", '{"name": "@a/b", "version": "2.0.0"}')
    put(tmp_path, "app/node_modules/left-pad/test/package.json", '{"name": "no", "version": "1"}')
    put(tmp_path, "app/package.json", '{"name": "no", "version": "1"}')
    assert found(tmp_path) == [
        ("npm", "@a", "b", "2.0.0"),
        ("npm", "", "left-pad", "1.3.0"),
        ("pypi", "", "old", "1"),
        ("pypi", "", "zope-interface", "5.0"),
    ]


def varint(number: int) -> bytes:
    low, high = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + varint(high) if high else bytes([low])


def go_program(modules: str, *, wide: bool = True, order: str = "<") -> bytes:
    """Return an ELF file with nothing in it but what Go's linker tells of modules."""
    marked = b"\x30\x77\xaf\x0c\x92\x74\x08\x02\x41\xe1\xc1\x07\xe6\xd6\x18\xe6" + modules.encode() + b"\xf9" * 16
    version = b"go1.21.5"
    info = b"\xff Go buildinf:" + bytes([8, 2]) + bytes(16)
    info += varint(len(version)) + version + varint(len(marked)) + marked
    names = b"\0.go.buildinfo\0.shstrtab\0"
    head, shape = (64, f"{order}IIQQQQIIQQ") if wide else (52, f"{order}IIIIIIIIII")
    places = ((0, 0, 0), (1, head, len(info)), (15, head + len(info), len(names)))
    table = b"".join(struct.pack(shape, name, 1, 0, 0, at, size, 0, 0, 1, 0) for name, at, size in places)
    offset = head + len(info) + len(names)
    start = b"\x7fELF" + bytes([2 if wide else 1, 1 if order == "<" else 2, 1]) + bytes(9)
    fields = (2, 62, 1, 0, 0, offset, 0, head, 0, 0, struct.calcsize(shape), len(places), 2)
    return (
        start
        + struct.pack(f"{order}HHIQQQIHHHHHH" if wide else f"{order}HHIIIIIHHHHHH", *fields)
        + info
        + names
        + table
    )


MODULES = (
    "path\texample.com/tool\nmod\texample.com/tool\tv1.0.0\th1:a=\n"
    "dep\tgolang.org/x/sys\tv0.1.0\th1:b=\n"
    "dep\texample.com/old\tv1.0.0\n=>\texample.com/new\tv2.0.0\th1:c=\n"
    "dep\texample.com/here\tv3.0.0\n=>\t./here/\t(devel)\n"
    "build\t-compiler=gc\n"
)


@pytest.mark.parametrize(("wide", "order"), [(True, "<"), (True, ">"), (False, "<")])
def test_modules_of_go_programs_are_found(tmp_path: Path, order: str, *, wide: bool) -> None:
    put(tmp_path, "usr/bin/tool", go_program(MODULES, wide=wide, order=order), 0o755)
    put(tmp_path, "usr/share/tool", go_program(MODULES), 0o644)
    assert found(tmp_path) == [
        ("golang", "example.com", "here", "v3.0.0"),
        ("golang", "example.com", "new", "v2.0.0"),
        ("golang", "", "stdlib", "1.21.5"),
        ("golang", "golang.org/x", "sys", "v0.1.0"),
        ("golang", "example.com", "tool", "v1.0.0"),
    ]


@pytest.mark.parametrize("size", [4, 20, 63, 64, 100, 200, 400])
def test_damaged_records_hold_up_nothing(tmp_path: Path, size: int) -> None:
    put(tmp_path, "bin/tool", go_program(MODULES)[:size], 0o755)
    put(tmp_path, "node_modules/a/package.json", "{" * 100_000)
    put(tmp_path, "node_modules/b/package.json", '{"name": 7, "version": "1"}')
    put(tmp_path, "node_modules/c/package.json", '{"name": "@only-a-scope/", "version": "1"}')
    put(tmp_path, "var/lib/dpkg/status", b"\xff\xfe\0Package")
    put(tmp_path, "x.dist-info/METADATA", b"\xff")
    put(tmp_path, "etc/os-release", "ID='unended")
    assert found(tmp_path) == []


def test_links_lead_nowhere(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    put(outside, "status", DPKG)
    put(root, "var/lib/dpkg/x", "")
    (root / "var/lib/dpkg/status").symlink_to(outside / "status")
    (root / "lib").symlink_to(outside)
    os.mkfifo(root / "var/lib/dpkg/status.d")
    assert found(root) == []


PACKAGES = (
    Package("deb", "nano", "7.2-1", "debian", (("arch", "amd64"),), "var/lib/dpkg/status"),
    Package("npm", "b", "2.0.0", "@a", path="app/node_modules/@a/b/package.json"),
    Package("npm", "b", "2.0.0", "@a", path="other/node_modules/@a/b/package.json"),
)


def test_an_sbom_is_valid_and_the_same_each_time() -> None:
    text = sbom("r.example:5000/team/web", DIGEST, PACKAGES, created=1_700_000_000.5, version="1.0")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert text == sbom("r.example:5000/team/web", DIGEST, PACKAGES, created=1_700_000_000.9, version="1.0")
    told = json.loads(text)
    assert told["metadata"]["component"]["purl"] == f"pkg:oci/web@{DIGEST}"
    assert told["metadata"]["timestamp"] == "2023-11-14T22:13:20+00:00"
    assert sorted(component["purl"] for component in told["components"]) == [
        "pkg:deb/debian/nano@7.2-1?arch=amd64",
        "pkg:npm/%40a/b@2.0.0",
        "pkg:npm/%40a/b@2.0.0",
    ]


def test_an_image_without_packages_has_an_sbom_that_says_so() -> None:
    text = sbom("web", DIGEST, (), created=0, version="1.0")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert not json.loads(text).get("components")


def test_a_statement_says_what_went_in() -> None:
    facts = BuildFacts(
        image="web",
        platform="linux/amd64",
        file="web/Dockerfile",
        stages=(("web/0", "1" * 32), ("web", "2" * 32)),
        arguments=("VERSION",),
        secrets=("token",),
        materials=(
            Material("pkg:docker/debian@12", "sha256", "b" * 64, "base"),
            Material("git+u", "gitCommit", "c" * 40),
        ),
        backend="buildah",
        started=1_700_000_000,
        finished=1_700_000_060.7,
        run="run-1",
        version="1.0",
    )
    told = statement([("r.example/web", DIGEST)], facts)
    assert told["subject"] == [{"name": "r.example/web", "digest": {"sha256": "a" * 64}}]
    definition = told["predicate"]["buildDefinition"]
    assert definition["externalParameters"]["arguments"] == ["VERSION"]
    assert definition["internalParameters"]["stages"] == {"web/0": "1" * 32, "web": "2" * 32}
    assert definition["resolvedDependencies"] == [
        {"uri": "pkg:docker/debian@12", "digest": {"sha256": "b" * 64}, "name": "base"},
        {"uri": "git+u", "digest": {"gitCommit": "c" * 40}},
    ]
    details = told["predicate"]["runDetails"]
    assert details["builder"] == {"id": "urn:zbuild:builder:local", "version": {"zbuild": "1.0"}}
    assert details["metadata"] == {
        "invocationId": "run-1",
        "startedOn": "2023-11-14T22:13:20Z",
        "finishedOn": "2023-11-14T22:14:20Z",
    }
