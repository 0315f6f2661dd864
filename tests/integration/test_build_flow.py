"""The main job with real buildah: built in order, rebuilt only where it changed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from support.monorepo import Monorepo

if TYPE_CHECKING:
    from pathlib import Path

    from support.storage import Storage

ALL = {"base/0", "api/builder", "api/1", "web/0"}


@pytest.fixture
def repo(tmp_path: Path, storage: Storage) -> Monorepo:
    return Monorepo.create(tmp_path, environment=storage.environment)


def ran(actions: dict[str, str]) -> set[str]:
    return {name for name, action in actions.items() if action == "run"}


def test_the_second_build_finds_everything_up_to_date(repo: Monorepo, storage: Storage) -> None:
    assert repo.plan() == dict.fromkeys(ALL, "run")
    assert repo.build() == dict.fromkeys(ALL, "run")
    assert storage.read("localhost/t/api:1", "/app/out.txt") == "hello"
    first = repo.metadata()
    for attempt in ("slow", "quick"):
        ended = repo.zbuild("build", "--metadata-file", "metadata.json")
        assert (ended.code, ended.stderr.startswith("zbuild: 3 images up to date")) == (0, True), attempt
        assert set(repo.actions().values()) == {"cached"}
        assert {name: image["image_id"] for name, image in repo.metadata().items()} == {
            name: image["image_id"] for name, image in first.items()
        }


def test_the_metadata_file_tells_what_is_in_the_store(repo: Monorepo, storage: Storage) -> None:
    repo.build()
    images = storage.images()
    api = repo.metadata()["api"]
    assert api["image_id"] == images["localhost/t/api:1"] == images["localhost/t/api:latest"]
    assert api["tags"] == ["t/api:1", "t/api:latest"]
    inspected = storage.buildah("inspect", "--type", "image", "--format", "{{.FromImageDigest}}", "localhost/t/api:1")
    assert api["digest"] == inspected
    layers = storage.buildah("inspect", "--type", "image", "--format", "{{len .OCIv1.RootFS.DiffIDs}}", "t/api:1")
    assert api["layer_count"] == int(layers) == 2
    assert api["size"] > (repo.root / "base/busybox").stat().st_size
    assert api["build_time_ms"] > 0
    keys = ["action", "key", "name", "platform", "reason", "seconds"]
    assert [sorted(stage) for stage in api["stages"]] == [keys] * 2
    assert all(len(stage["key"]) == 32 and stage["seconds"] > 0 for stage in api["stages"])


def test_touching_files_runs_nothing(repo: Monorepo) -> None:
    repo.build()
    for name in ("api/main.txt", "base/busybox", "zbuild.yaml", "api/Dockerfile", "web/ZImagefile"):
        os.utime(repo.root / name)
    assert set(repo.plan().values()) == {"cached"}
    assert ran(repo.build()) == set()


def test_editing_one_service_runs_its_stages_alone(repo: Monorepo, storage: Storage) -> None:
    repo.build()
    repo.write("api/main.txt", "# a comment\nhello again\n")
    assert repo.plan() == {"base/0": "cached", "api/builder": "run", "api/1": "maybe", "web/0": "cached"}
    assert ran(repo.build()) == {"api/builder", "api/1"}
    assert storage.read("localhost/t/api:latest", "/app/out.txt") == "hello again"
    assert ran(repo.build()) == set()


def test_a_comment_that_changes_no_binary_stops_at_the_builder(repo: Monorepo) -> None:
    repo.build()
    repo.write("api/main.txt", "# another comment\nhello\n")
    assert repo.plan()["api/1"] == "maybe"
    ended = repo.zbuild("build", "--metadata-file", "metadata.json")
    assert "equal" in ended.stderr
    assert ran(repo.actions()) == {"api/builder"}
    explained = repo.zbuild("explain", "api").stdout
    assert "api/builder ran again and came out equal (early cutoff)" in explained
    assert set(repo.plan().values()) == {"cached"}


def test_explain_names_the_file_that_differs(repo: Monorepo) -> None:
    repo.build()
    repo.write("api/main.txt", "changed\n")
    explained = repo.zbuild("explain", "api/builder").stdout
    assert "file main.txt" in explained
    assert "COPY main.txt ." in explained


def test_going_back_to_what_was_built_before_only_tags(repo: Monorepo, storage: Storage) -> None:
    repo.build()
    before = storage.images()["localhost/t/web:1"]
    repo.write("web/page.html", "<p>new\n")
    assert ran(repo.build()) == {"web/0"}
    assert storage.images()["localhost/t/web:1"] != before
    repo.write("web/page.html", "<p>web\n")
    assert ran(repo.build()) == set()
    assert storage.images()["localhost/t/web:1"] == before


def test_a_change_of_the_base_runs_all_that_stands_on_it(repo: Monorepo) -> None:
    repo.build()
    repo.write("base/ZImagefile", (repo.root / "base/ZImagefile").read_text() + "labels: {a: b}\n")
    assert repo.plan() == dict.fromkeys(ALL, "run")  # they inherit the label
    assert ran(repo.build()) == ALL


@pytest.mark.parametrize("jobs", ["1", "8"])
def test_a_base_that_comes_out_equal_reruns_nothing_that_starts_from_it(
    repo: Monorepo, storage: Storage, jobs: str
) -> None:
    repo.build("-j", jobs)
    before = repo.metadata()
    written = (repo.root / "base/ZImagefile").read_text()
    repo.write("base/ZImagefile", written.replace("[/bin/busybox", "[/bin/busybox, env, /bin/busybox"))
    assert repo.plan() == {"base/0": "run", "api/builder": "maybe", "api/1": "maybe", "web/0": "maybe"}
    assert ran(repo.build("-j", jobs)) == {"base/0"}
    after = repo.metadata()
    assert after["base"]["image_id"] != before["base"]["image_id"]
    assert after["web"]["image_id"] == before["web"]["image_id"]
    explained = repo.zbuild("explain", "web").stdout
    assert "up to date: base ran again and came out equal (early cutoff)" in explained
    # What was built on the old base needs its layers, though nothing else does.
    assert repo.zbuild("cache", "prune").code == 0
    assert storage.read("localhost/t/web:1", "/www/page.html") == "<p>web"
    repo.write("web/page.html", "<p>new\n")
    assert ran(repo.build("-j", jobs)) == {"web/0"}
    assert storage.read("localhost/t/web:1", "/www/page.html") == "<p>new"


def test_a_base_built_alone_tells_its_children_what_became_of_it(repo: Monorepo) -> None:
    repo.build("base")
    repo.build()
    assert ran(repo.build("base", "-B")) == {"base/0"}
    assert ran(repo.build()) == set()
    repo.write("base/ZImagefile", (repo.root / "base/ZImagefile").read_text().replace("env: {", "env: {A: b, "))
    assert ran(repo.build("base")) == {"base/0"}
    assert ran(repo.build()) == ALL - {"base/0"}


def test_targets_build_what_they_need_and_no_more(repo: Monorepo, storage: Storage) -> None:
    assert set(repo.build("api/builder")) <= {"base/0", "api/builder"}
    assert "localhost/t/api:1" not in storage.images()
    assert set(repo.build("web")) == {"base/0", "web/0"}
    assert set(repo.build("a*", "--jobs", "1")) == {"base/0", "api/builder", "api/1"}


def test_always_make_runs_everything_and_a_dry_run_nothing(repo: Monorepo, storage: Storage) -> None:
    ended = repo.zbuild("build", "-n")
    assert (ended.code, "never built here" in ended.stdout) == (0, True)
    assert storage.images() == {}
    repo.build()
    assert ran(repo.build("-B")) == ALL
    assert ran(repo.build()) == set()


def test_build_arguments_and_tags_of_the_command_line(repo: Monorepo, storage: Storage) -> None:
    repo.write("web/ZImagefile", "build: ../base\nargs: {V: one}\nenv: {V: $V}\n")
    repo.build("web", "--tag", "t/web:extra")
    assert "localhost/t/web:extra" in storage.images()
    assert ran(repo.build("web", "--build-arg", "V=two")) == {"web/0"}
    assert ran(repo.build("web", "--build-arg", "V=one", "--build-arg", "UNUSED=x")) == set()


NO_OP = """
import sys
started = []
def audit(event, arguments):
    if event in ("subprocess.Popen", "os.fork", "os.exec", "os.posix_spawn", "os.system", "socket.__new__"):
        started.append(event)
sys.addaudithook(audit)
sys.argv = ["zbuild", "build"]
from zbuild.cli.entry import main
code = main()
heavy = {"yaml", "jsonschema", "doit", "rich", "click", "sqlite3", "dataclasses", "typing", "re", "pathlib"}
print(code, started, sorted(heavy & set(sys.modules)))
"""


def test_a_build_with_nothing_to_do_imports_little_and_starts_nothing(repo: Monorepo) -> None:
    argv = [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{NO_OP}"]
    for _ in range(2):
        subprocess.run(argv, cwd=repo.root, check=True, capture_output=True)
    done = subprocess.run(argv, cwd=repo.root, check=True, capture_output=True, text=True)
    assert done.stdout == "0 [] []\n"
    assert "up to date" in done.stderr


def test_a_build_argument_from_the_environment_is_part_of_the_command(repo: Monorepo) -> None:
    repo.write("web/ZImagefile", "build: ../base\nargs: {V: none}\nenv: {V: $V}\n")
    for _ in range(2):
        repo.build("web", "--build-arg", "V", V="one")
    assert ran(repo.build("web", "--build-arg", "V", V="two")) == {"web/0"}


def test_a_variable_of_the_environment_is_seen_when_there_is_nothing_else_to_do(repo: Monorepo) -> None:
    repo.write(
        "zbuild.yaml", "vars: {V: {env: LEVEL, default: none}}\nimages: {own: {context: own, labels: {v: '${V}'}}}\n"
    )
    repo.write("own/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
    repo.build(LEVEL="one")
    assert "1 image up to date" in repo.zbuild("build", LEVEL="one").stderr
    assert ran(repo.build(LEVEL="two")) == {"own/0"}
    assert ran(repo.build()) == {"own/0"}
    assert ran(repo.build(LEVEL="two")) == set()


def test_a_copy_of_a_workspace_is_a_workspace_of_its_own(
    repo: Monorepo, tmp_path_factory: pytest.TempPathFactory
) -> None:
    repo.build("web")
    copied = Monorepo(tmp_path_factory.mktemp("copy") / "repo", repo.environment)
    shutil.copytree(repo.root, copied.root)
    copied.write("web/ZImagefile", "build: ../base\nlabels: {a: b}\n")
    assert copied.plan("web")["web/0"] == "run"


def test_a_nearer_workspace_that_appears_is_the_one_meant(repo: Monorepo) -> None:
    inner = Monorepo(repo.root / "web", repo.environment)
    repo.build()
    assert "3 images up to date" in inner.zbuild("build").stderr
    inner.write("zbuild.yaml", "images:\n  own: {context: ., file: D}\n")
    inner.write("D", "FROM scratch\nCOPY page.html /\n")
    assert inner.build() == {"own/0": "run"}


def test_a_stage_alone_can_be_tagged(repo: Monorepo, storage: Storage) -> None:
    repo.build("api", "--target", "builder", "--tag", "t/builder:x")
    assert repo.metadata()["api"]["image_id"] == storage.images()["localhost/t/builder:x"]
    for bad in (
        ["api", "web", "--tag", "t/both:1"],
        ["web", "--tag", "UPPER:1"],
        ["web", "--tag", "a@sha256:" + "0" * 64],
    ):
        assert repo.zbuild("build", *bad).code == 2


def test_a_working_directory_is_the_users_and_path_is_there(repo: Monorepo, storage: Storage) -> None:
    repo.write("web/passwd", "bob:x:1000:1001::/home/bob:/bin/sh\n")
    repo.write(
        "web/Dockerfile",
        "FROM t/base:1\nCOPY passwd /etc/\nUSER bob\nWORKDIR /home/bob/app\nRUN touch here\n"
        "RUN stat -c %u:%g here > own\n",
    )
    (repo.root / "web/ZImagefile").unlink()
    repo.build("web")
    assert storage.read("localhost/t/web:1", "/home/bob/app/own") == "1000:1001"


def test_a_plan_pulls_nothing(repo: Monorepo, storage: Storage, registry: str) -> None:
    repo.build("base")
    name = f"{registry}/t/far:1"
    storage.buildah("tag", "localhost/t/base:1", name)
    storage.buildah("push", "--quiet", "--tls-verify=false", name)
    storage.buildah("rmi", name)
    repo.write("web/Dockerfile", f"FROM {name}\nRUN echo far > /f\nCOPY page.html /\n")
    (repo.root / "web/ZImagefile").unlink()
    base = storage.images()["localhost/t/base:1"]
    storage.buildah("rmi", "--force", *storage.images().values())
    assert repo.plan("web") == {"web/0": "run"}
    assert storage.images() == {}
    assert repo.build("web") == {"web/0": "run"}
    storage.buildah("rmi", "--force", base)
    assert repo.plan("web") == repo.build("web") == {"web/0": "cached"}
    assert base not in storage.images().values()
