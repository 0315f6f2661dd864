"""Bad input, as a user meets it: the place, what is wrong, what to do; all at once; exit code 2; nothing built."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from support.monorepo import Monorepo

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def repo(tmp_path: Path) -> Monorepo:
    repo = Monorepo.create(tmp_path)
    repo.environment["ZBUILD_BACKEND"] = "fake"
    return repo


def refused(repo: Monorepo, *command: str) -> str:
    """Run a command (`validate` unless another is given) that must be refused; return what it said."""
    began = time.monotonic()
    ended = repo.zbuild(*(command or ("validate",)))
    assert ended.code == 2, ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
    assert time.monotonic() - began < 10
    assert not (repo.root / ".zbuild/fake/images").exists()
    return ended.stderr


def test_wrong_types_and_unknown_keys_are_told_at_once(repo: Monorepo) -> None:
    repo.write("zbuild.yaml", "images:\n  api: {contxt: api, tags: {a: b}}\n  web: [1]\nimagez: {}\n")
    said = refused(repo)
    assert "zbuild.yaml:2:9: error" in said
    assert "did you mean 'context'?" in said
    assert "zbuild.yaml:2:22: error" in said
    assert "zbuild.yaml:3:3: error" in said
    assert "did you mean 'images'?" in said
    assert "  2 |   api: {contxt: api, tags: {a: b}}" in said
    assert "^" in said


def test_problems_of_a_zimagefile_have_their_place(repo: Monorepo) -> None:
    repo.write("web/ZImagefile", "base: scratch\nsteps:\n  - copy: page.html\n  - run: x\n    copy: y\n  - rum: make\n")
    said = refused(repo)
    assert "web/ZImagefile:3:" in said
    assert "to" in said
    assert "web/ZImagefile:5:5" in said
    assert "web/ZImagefile:6:5" in said
    assert "did you mean 'run'?" in said


def test_duplicate_keys_and_images(repo: Monorepo) -> None:
    repo.write("zbuild.yaml", "images:\n  api: {context: api}\n  api: {context: web}\n")
    assert "zbuild.yaml:3:3" in refused(repo)


def test_a_missing_context_and_a_missing_build_file(repo: Monorepo) -> None:
    (repo.root / "empty").mkdir()
    repo.write("zbuild.yaml", "images:\n  a: {context: nowhere}\n")
    said = refused(repo)
    assert "zbuild.yaml:2:" in said
    assert "nowhere" in said
    repo.write("zbuild.yaml", "images:\n  b: {context: empty}\n")
    said = refused(repo)
    assert "zbuild.yaml:2:" in said
    assert "Dockerfile" in said


def test_a_file_that_copy_misses_is_told_with_what_is_near(repo: Monorepo) -> None:
    repo.write("web/ZImagefile", "base: scratch\nsteps:\n  - copy: paeg.html\n    to: /\n  - copy: gone\n    to: /\n")
    said = refused(repo, "build", "web")
    assert "web/ZImagefile:3:" in said
    assert "page.html" in said
    assert "web/ZImagefile:5:" in said


def test_a_cycle_over_three_files(repo: Monorepo) -> None:
    for name, needed in (("a", "b"), ("b", "c"), ("c", "a")):
        repo.write(f"{name}/Dockerfile", f"FROM t/{needed}:1\n")
    images = "".join(f"  {name}: {{context: {name}, tags: [t/{name}:1]}}\n" for name in "abc")
    repo.write("zbuild.yaml", f"images:\n{images}")
    said = refused(repo)
    assert "a → b → c → a" in said
    assert "a/Dockerfile:1:" in said


def test_a_cycle_of_nested_builds(repo: Monorepo) -> None:
    repo.write("a/ZImagefile", "build: ../b\n")
    repo.write("b/ZImagefile", "build: ../a\n")
    repo.write("zbuild.yaml", "images:\n  a: {context: a}\n")
    assert "→" in refused(repo)


def test_an_image_that_depends_on_itself(repo: Monorepo) -> None:
    repo.write("zbuild.yaml", "images:\n  web: {context: web, depends_on: [web]}\n")
    said = refused(repo)
    assert "zbuild.yaml:2:" in said
    assert "itself" in said


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("zbuild.yaml", "images:\n  a: {context: ../outside}\n", "zbuild.yaml:2:"),
        ("zbuild.yaml", "images:\n  a: {context: web, file: ../../etc/passwd}\n", "zbuild.yaml:2:"),
        ("zbuild.yaml", "include: ['../*/zbuild.yaml']\nimages: {}\n", "zbuild.yaml:1:"),
        ("web/ZImagefile", "build: ../../outside\n", "web/ZImagefile:1:"),
    ],
)
def test_paths_do_not_lead_out_of_the_workspace(repo: Monorepo, name: str, text: str, place: str) -> None:
    repo.write(name, text)
    said = refused(repo)
    assert place in said
    assert "workspace" in said


def test_unknown_images_stages_and_groups(repo: Monorepo) -> None:
    assert "did you mean 'api'?" in refused(repo, "build", "apy")
    assert "did you mean 'builder'?" in refused(repo, "build", "api/bilder")
    repo.write("zbuild.yaml", "images:\n  web: {context: web, depends_on: [wep]}\ngroups: {all: [web, nobody]}\n")
    said = refused(repo)
    assert "zbuild.yaml:2:" in said
    assert "zbuild.yaml:3:" in said
    assert "nobody" in said


def test_what_is_not_done_yet_is_refused_by_name(repo: Monorepo) -> None:
    repo.write("api/Dockerfile", "FROM scratch\nRUN --security=insecure x\nRUN --device=x y\n")
    repo.write("web/ZImagefile", "wasm: {target: preview2}\n")
    said = refused(repo, "build")
    assert "api/Dockerfile:2:" in said
    assert "--security" in said
    assert "api/Dockerfile:3:" in said
    assert "web/ZImagefile:1:" in said
    assert "wasm" in said


def test_no_workspace_and_no_such_file(repo: Monorepo, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    assert "zbuild.yaml" in refused(repo, "build", "-C", str(elsewhere))
    assert "nope.yaml" in refused(repo, "build", "-f", "nope.yaml")
    assert "did you mean 'build'?" in refused(repo, "biuld")
    assert "--jobs" in refused(repo, "build", "--jobz", "2")


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 100_000,
        b"{a: " * 50_000,
        b"a: &a [x, x]\n" + b"".join(b"%c: &%c [*%c, *%c]\n" % (c + 1, c + 1, c, c) for c in range(97, 121)),
        b"\xff\xfe\x00",
        b"images: !!python/object/apply:os.system [id]\n",
        b"- " * 20_000,
        b"a: b: c\n",
        b"\t- x\n",
        b"? " * 10_000,
        b"x" * 5_000_000,
    ],
    ids=["brackets", "braces", "aliases", "binary", "tag", "dashes", "colons", "tab", "questions", "large"],
)
def test_no_yaml_crashes_or_stalls_it(repo: Monorepo, data: bytes) -> None:
    (repo.root / "zbuild.yaml").write_bytes(data)
    assert "zbuild.yaml" in refused(repo)
