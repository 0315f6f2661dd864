"""Images of several platforms: built, put into lists, pushed; judged by buildah and skopeo."""

from __future__ import annotations

import json
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest
from support.faulty_registry import run_faulty
from support.monorepo import Monorepo
from support.registry import run_registry
from support.storage import Storage

from zbuild.base.platform import host_platform

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOST = str(host_platform())
FOREIGN = "linux/s390x"  # no machine that runs these tests is one, or has an emulator of it
FILE = f"""\
images:
  api:
    context: api
    tags: [REGISTRY/api:1, t/api:1]
    platforms: [{HOST}, {FOREIGN}]
"""
# Runs on this machine alone; what differs by platform is copied.
DOCKERFILE = """\
FROM --platform=$BUILDPLATFORM t/base:1 AS tools
RUN echo tool > /tool
FROM --platform=$BUILDPLATFORM t/base:1 AS cross
ARG TARGETARCH
RUN echo "for $TARGETARCH" > /out
FROM scratch
COPY --from=tools /tool /tool
COPY --from=cross /out /out
COPY main.txt /
ENV A=b
"""


@pytest.fixture
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with run_registry(tmp_path_factory.mktemp("registry")) as made:
        yield made


@pytest.fixture
def repo(tmp_path: Path, storage: Storage, address: str) -> Monorepo:
    (tmp_path / "w").mkdir()
    (tmp_path / "auth.json").write_text("{}")
    environment = {**storage.environment, "REGISTRY_AUTH_FILE": str(tmp_path / "auth.json")}
    made = Monorepo.create(tmp_path / "w", environment=environment)
    base = '\n  base: {context: base, tags: ["t/base:1"]}\n'
    made.write("zbuild.yaml", FILE.replace("REGISTRY", address).replace("\n", base, 1))
    made.write("api/Dockerfile", DOCKERFILE)
    return made


def index_of(reference: str) -> dict[str, dict[str, Any]]:
    """Return what a registry's list holds, by platform."""
    argv = ["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{reference}"]
    index = json.loads(subprocess.run(argv, check=True, capture_output=True).stdout)
    return {f"{item['platform']['os']}/{item['platform']['architecture']}": item for item in index["manifests"]}


def content(store: Storage, reference: str, platform: str, file: str) -> str:
    """Return a file of what a machine of that platform gets."""
    image = store.buildah("pull", "-q", "--tls-verify=false", "--platform", platform, f"docker://{reference}")
    container = store.buildah("from", "--pull-never", image)
    script = f"cat $(buildah mount {container}){file}"
    done = subprocess.run(["sh", "-c", script], env=store.environment, check=True, capture_output=True, text=True)
    return done.stdout


def names(storage: Storage) -> set[str]:
    return {name for name in storage.images() if "/zbuild-" not in name}


@pytest.mark.parametrize("after_all", [False, True])
def test_each_machine_gets_the_image_for_it(
    repo: Monorepo, address: str, storage: Storage, tmp_path: Path, *, after_all: bool
) -> None:
    if after_all:
        repo.write("zbuild.yaml", (repo.root / "zbuild.yaml").read_text() + "push: {after_all: true}\n")
    actions = repo.build("--push")
    assert set(actions.values()) == {"run"}
    metadata = repo.metadata()["api"]
    assert [item["platform"] for item in metadata["platforms"]] == [HOST, FOREIGN]
    assert metadata["image_id"] == storage.images()["localhost/t/api:1"]
    listed = json.loads(storage.buildah("manifest", "inspect", "localhost/t/api:1"))["manifests"]
    assert [item["digest"] for item in listed] == [item["digest"] for item in metadata["platforms"]]

    assert set(index_of(f"{address}/api:1")) == {HOST, FOREIGN}
    second = Storage.create(tmp_path / "second")
    try:
        for platform in (HOST, FOREIGN):
            arch = platform.partition("/")[2]
            assert content(second, f"{address}/api:1", platform, "/out") == f"for {arch}\n"
    finally:
        second.remove()


def test_a_list_that_is_pushed_has_the_digest_that_is_told(repo: Monorepo, address: str) -> None:
    repo.build()
    (line,) = repo.zbuild("push", "api").stdout.splitlines()
    argv = ["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{address}/api:1"]
    raw = subprocess.run(argv, check=True, capture_output=True).stdout
    digest = subprocess.run(["sha256sum"], input=raw, check=True, capture_output=True, text=False).stdout.split()[0]
    assert line == f"{address}/api:1@sha256:{digest.decode()}"


def test_docker_images_make_a_docker_list(repo: Monorepo, address: str) -> None:
    repo.build("--push", "--set", "images.api.format=docker", "api")
    kinds = {item["mediaType"] for item in index_of(f"{address}/api:1").values()}
    assert kinds == {"application/vnd.docker.distribution.manifest.v2+json"}


def test_nothing_is_done_twice(repo: Monorepo, storage: Storage) -> None:
    repo.build()
    before = storage.images()
    assert set(repo.plan().values()) == {"cached"}
    assert repo.zbuild("build").stderr.startswith("zbuild: 2 images up to date")
    assert set(repo.build("-j1").values()) == {"cached"}
    assert storage.images() == before
    repo.write("api/main.txt", "changed")
    assert {name for name, action in repo.build().items() if action == "run"} == {"api/2"}
    assert names(storage) == {name for name in before if "/zbuild-" not in name}
    assert storage.images()["localhost/t/api:1"] != before["localhost/t/api:1"]


def test_a_list_that_has_lost_its_tags_is_gone(repo: Monorepo, storage: Storage) -> None:
    repo.build()
    first = storage.images()["localhost/t/api:1"]
    repo.write("api/main.txt", "changed")
    repo.build()
    assert first not in storage.images().values()


def test_a_list_whose_tags_went_to_one_image_goes_without_a_word(repo: Monorepo, storage: Storage) -> None:
    repo.build()
    made = storage.images()["localhost/t/api:1"]
    repo.write("api/main.txt", "changed")
    repo.build("api", "--platform", HOST)
    assert storage.images()["localhost/t/api:1"] != made
    ended = repo.zbuild("build", "base", "--no-cache")
    assert (ended.code, "cut off" in ended.stderr) == (0, False), ended.stderr
    assert made not in storage.images().values()


def test_pruning_keeps_what_a_list_holds(repo: Monorepo, storage: Storage) -> None:
    repo.build()
    members = {item["image_id"] for item in repo.metadata()["api"]["platforms"]}
    assert repo.zbuild("cache", "prune", "--all").code == 0
    assert members <= set(storage.images().values())


def test_when_one_platform_fails_nothing_is_tagged_or_pushed(repo: Monorepo, address: str, storage: Storage) -> None:
    script = 'RUN test "$TARGETARCH" != s390x && echo "for $TARGETARCH" > /out'
    repo.write("api/Dockerfile", DOCKERFILE.replace('RUN echo "for $TARGETARCH" > /out', script))
    ended = repo.zbuild("build", "-k", "--push")
    assert ended.code == 1
    assert f"api/cross@{FOREIGN}" in ended.stderr
    assert not names(storage) & {f"{address}/api:1", "localhost/t/api:1"}
    argv = ["skopeo", "list-tags", "--tls-verify=false", f"docker://{address}/api"]
    assert subprocess.run(argv, capture_output=True, check=False).returncode


def test_a_run_that_needs_an_emulator_is_told_before_anything_runs(repo: Monorepo, storage: Storage) -> None:
    repo.write("api/Dockerfile", "FROM scratch AS tools\nRUN touch /x\nFROM scratch\nCOPY --from=tools /x /x\n")
    ended = repo.zbuild("build", "api")
    assert ended.code == 3
    assert f"api/Dockerfile:2:1: error[no-emulator]: 'RUN touch /x': this machine ({HOST}) cannot run" in ended.stderr
    assert f"programs of {FOREIGN}, and has no emulator of it" in ended.stderr
    assert "apt-get install qemu-user-static" in ended.stderr
    assert storage.images() == {}


def test_the_platforms_of_a_base_are_pulled_once_each(repo: Monorepo, address: str, storage: Storage) -> None:
    repo.build("--push")
    repo.write("more/more", "")
    repo.write("zbuild.yaml", f"images:\n  more: {{context: more, platforms: [{HOST}, {FOREIGN}]}}\n")
    asked: list[str] = []

    def note(method: str, path: str) -> int:
        asked.append(method + path)
        return 0

    with run_faulty(address, note) as registry:
        repo.write("more/Dockerfile", f"FROM {registry}/api:1\nCOPY more /\n")
        repo.build("more")
        assert asked
        for item in repo.metadata()["more"]["platforms"]:
            config = json.loads(storage.buildah("inspect", "--type", "image", item["image_id"]))["OCIv1"]
            assert f"{config['os']}/{config['architecture']}" == item["platform"]
        asked.clear()
        repo.write("more/more", "changed")
        assert set(repo.build("more").values()) == {"run"}
        assert asked == []


def test_a_list_of_the_store_is_a_base_for_each_of_its_platforms(repo: Monorepo) -> None:
    repo.build()
    repo.write("more/Dockerfile", "FROM localhost/t/api:1\nCOPY --from=localhost/t/api:1 /out /copied\n")
    repo.write("zbuild.yaml", f"images:\n  more: {{context: more, platforms: [{HOST}, {FOREIGN}]}}\n")
    assert set(repo.build("more").values()) == {"run"}
    other = repo.zbuild("build", "more", "--platform", "linux/riscv64")
    assert (other.code, "localhost/t/api:1 for linux/riscv64" in other.stderr) == (4, True)


def test_one_platform_of_the_command_line(repo: Monorepo, storage: Storage) -> None:
    repo.build("api", "--platform", FOREIGN)
    assert [item["platform"] for item in repo.metadata()["api"]["platforms"]] == [FOREIGN]
    config = json.loads(storage.buildah("inspect", "--type", "image", "localhost/t/api:1"))["OCIv1"]
    assert config["architecture"] == "s390x"
    assert f"api  (for {FOREIGN})" not in repo.zbuild("list").stdout
    assert FOREIGN in repo.zbuild("list").stdout


def test_what_tells_of_an_image_is_attached_for_each_platform(repo: Monorepo, address: str) -> None:
    ended = repo.zbuild("build", "--push", "--provenance", "--attestations", "told")
    assert ended.code == 0, ended.stderr
    for platform, entry in index_of(f"{address}/api:1").items():
        told = json.loads((repo.root / f"told/api@{platform.replace('/', '_')}.provenance.json").read_text())
        assert told["predicateType"] == "https://slsa.dev/provenance/v1"
        tag = entry["digest"].replace(":", "-")
        argv = ["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{address}/api:{tag}"]
        assert json.loads(subprocess.run(argv, check=True, capture_output=True).stdout)["manifests"]


def test_each_platform_is_verified_and_so_are_the_tags_of_the_list(repo: Monorepo, storage: Storage) -> None:
    repo.build()
    ended = repo.zbuild("verify", "api")
    assert ended.code == 0, ended.stdout + ended.stderr
    storage.buildah("tag", "localhost/t/base:1", "localhost/t/api:1")
    ended = repo.zbuild("verify", "api")
    assert ended.code == 1
    assert "localhost/t/api:1 is another image" in ended.stdout + ended.stderr
    assert "build anew: 'zbuild build api'\n" in ended.stderr


def test_half_a_list_of_a_run_that_was_killed_is_made_anew(repo: Monorepo, storage: Storage) -> None:
    repo.build()
    made = json.loads(storage.buildah("manifest", "inspect", "localhost/t/api:1"))
    storage.buildah("manifest", "remove", "localhost/t/api:1", made["manifests"][1]["digest"])
    repo.build("--no-wait")
    assert json.loads(storage.buildah("manifest", "inspect", "localhost/t/api:1")) == made


def test_plans_and_explanations_tell_of_platforms(repo: Monorepo) -> None:
    assert f"api@{FOREIGN} " in repo.zbuild("plan", "api").stdout
    assert f"api ({FOREIGN}) " in repo.zbuild("plan", "api", "--platform", FOREIGN).stdout
    told = json.loads(repo.zbuild("explain", "api", "--format", "json").stdout)["stages"]
    assert {stage["name"]: stage["platform"] for stage in told}[f"api/cross@{FOREIGN}"] == HOST
    assert FOREIGN in repo.zbuild("graph", "api").stdout


def test_a_build_that_is_killed_tags_nothing(repo: Monorepo, storage: Storage) -> None:
    repo.write("api/Dockerfile", DOCKERFILE.replace("RUN echo tool", "RUN sleep 30; echo tool"))
    repo.build("base")
    process = repo.start("build", "api")
    deadline = time.monotonic() + 60
    while not storage.containers() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.communicate(timeout=60)
    assert names(storage) == {"localhost/t/base:1"}
    repo.write("api/Dockerfile", DOCKERFILE)
    assert repo.build("api")
    assert "localhost/t/api:1" in names(storage)
