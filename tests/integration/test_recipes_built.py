"""The Linux recipes, built for real and run: each one's example, and projects that bring other lock files.

What they are built on is told in tests/data/recipes/zbuild.yaml. The Windows recipes are planned only (tests/unit).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.container import serving
from support.debian import import_debian
from support.monorepo import Monorepo
from support.storage import Storage

if TYPE_CHECKING:
    from collections.abc import Iterator

RECIPES = Path(__file__).parents[2] / "recipes"
DATA = Path(__file__).parents[1] / "data/recipes"
EXAMPLES = sorted(path.parent.name for path in RECIPES.glob("*/example") if "windows" not in str(path))
ENDED = {0, 143}  # in good order, or by SIGTERM itself


@dataclass(frozen=True)
class Project:
    """Sources of tests/data/recipes/projects with a lock file of locks/; `build_file` names the recipe."""

    sources: str
    build_file: str
    lock: str = ""
    answer: str = "hello, 1m\n"


PYTHON = ("python", "runtime: python313\nargs: {APP_MODULE: shop}\n")
PROJECTS = {
    "pnpm": Project("node", "runtime: node22\n", "pnpm-lock.yaml"),
    "yarn": Project("node", "runtime: node20\nargs: {START: PREFIX=hello node dist/server.js}\n", "yarn.lock"),
    "workspaces": Project("workspaces", "runtime: node22\nargs: {PACKAGE_PATH: packages/shop}\n"),
    "poetry": Project(*PYTHON, "poetry.lock", answer="hello, 60,000\n"),
    "uv": Project(*PYTHON, answer="hello, 60,000\n"),
    "unlocked": Project(*PYTHON, answer="hello, 60,000\n"),
    "vendored": Project("go", "runtime: go\n", answer="hello, Europe/Berlin\n"),
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    made = Storage.create(tmp_path_factory.mktemp("recipes-store") / "s")
    yield made
    made.remove()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, store: Storage) -> Monorepo:
    """A workspace of all examples and projects, built once; what fails is told by its own test."""
    root = tmp_path_factory.mktemp("recipes") / "w"
    shutil.copytree(DATA, root, ignore=shutil.ignore_patterns("projects", "locks"))
    for name in EXAMPLES:
        shutil.copytree(RECIPES / name / "example", root / name)
    for name, project in PROJECTS.items():
        shutil.copytree(DATA / "projects" / project.sources, root / name)
        (root / name / "ZImagefile").write_text(project.build_file)
        if project.lock:
            shutil.copy(DATA / "locks" / project.lock, root / name)
    lock_by_uv(root / "uv", tmp_path_factory.mktemp("uv"))
    images = [f"  {name}: {{context: {name}, tags: [localhost/test/{name}]}}\n" for name in (*EXAMPLES, *PROJECTS)]
    with (root / "zbuild.yaml").open("a") as file:
        file.writelines(images)
    import_debian(store, "localhost/test/debian:bookworm")
    workspace = Monorepo(root, store.environment)
    _, told = workspace.start("build", "--keep-going", "--progress", "plain").communicate(timeout=900)
    workspace.write("told.txt", told)
    return workspace


def lock_by_uv(folder: Path, place: Path) -> None:
    """Write a uv.lock: unlike the others' it names the host of its registry, so that none can be kept here."""
    venv.create(place / "venv", with_pip=True)
    subprocess.run([place / "venv/bin/pip", "install", "--quiet", "uv==0.13.8"], check=True)
    certificates = {"SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt"}
    argv = [place / "venv/bin/uv", "lock", "--python", sys.executable]
    subprocess.run(argv, cwd=folder, env=os.environ | certificates, check=True)


def image_of(name: str, built: Monorepo, store: Storage) -> str:
    """Return the name of an image, which must have been built; else what the build told of it is shown."""
    image = f"localhost/test/{name}"
    told = [line for line in (built.root / "told.txt").read_text().split("\n") if line.startswith(f"[{name}/")]
    assert f"{image}:latest" in store.images(), "\n".join(told) or (built.root / "told.txt").read_text()
    return image


def root_of(name: str, built: Monorepo, store: Storage) -> Path:
    return Path(store.buildah("mount", store.buildah("from", "--pull-never", image_of(name, built, store))))


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_serves_and_ends_when_asked(name: str, built: Monorepo, store: Storage, tmp_path: Path):
    with serving(store, image_of(name, built, store), tmp_path / "bundle") as container:
        assert container.get().startswith("hello")
        assert container.stop() in ENDED


@pytest.mark.parametrize("name", PROJECTS)
def test_other_lock_files_are_held_to(name: str, built: Monorepo, store: Storage, tmp_path: Path):
    with serving(store, image_of(name, built, store), tmp_path / "bundle") as container:
        assert container.get() == PROJECTS[name].answer
        assert container.stop() in ENDED


@pytest.mark.parametrize("name", [*EXAMPLES, *PROJECTS])
def test_an_image_does_not_run_as_root(name: str, built: Monorepo, store: Storage):
    inspected = json.loads(store.buildah("inspect", "--type", "image", image_of(name, built, store)))
    assert inspected["OCIv1"]["config"]["User"] not in ("", "0", "root")


@pytest.mark.parametrize("name", ["pnpm", "yarn"])
def test_what_only_development_needs_is_left_behind(name: str, built: Monorepo, store: Storage):
    root = root_of(name, built, store)
    assert (root / "app/dist/server.js").exists()
    assert (root / "app/node_modules/ms").exists()
    assert not (root / "app/node_modules/mri").exists()


def test_an_environment_of_python_has_what_the_app_needs_and_no_installer(built: Monorepo, store: Storage):
    packages = root_of("python313", built, store).glob("opt/venv/lib/python3*/site-packages/*")
    installed = {path.name for path in packages}
    assert installed == {"humanize", "humanize-4.17.0.dist-info"}


def test_a_program_of_go_is_alone_in_its_image(built: Monorepo, store: Storage):
    root = root_of("go", built, store)
    files = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    assert files == {"app", "etc/group", "etc/passwd", "etc/ssl/certs/ca-certificates.crt"}
    assert (root / "tmp").stat().st_mode & 0o7777 == 0o1777


def test_what_init_writes_is_built_and_serves(built: Monorepo, store: Storage, tmp_path: Path):
    folder = built.root / "mono"
    for name, sources in (("front", "node"), ("batch", "python"), ("gate", "go")):
        shutil.copytree(DATA / "projects" / sources, folder / "services" / name)
    shutil.copy(DATA / "locks/pnpm-lock.yaml", folder / "services/front")
    assert built.zbuild("init", "mono").code == 0
    workspace = (built.root / "zbuild.yaml").read_text()
    built.write("zbuild.yaml", workspace + "include: [mono/zbuild.yaml]\n")
    try:
        for name, answer in (("front", "hello, 1m"), ("batch", "hello, 60,000"), ("gate", "hello, Europe/Berlin")):
            built.build(name, "--tag", f"localhost/test/{name}")
            with serving(store, f"localhost/test/{name}", tmp_path / name) as container:
                assert container.get().strip() == answer
    finally:
        built.write("zbuild.yaml", workspace)


def test_nothing_runs_again(built: Monorepo):
    assert set(built.build().values()) == {"cached"}


def test_a_change_of_the_sources_installs_nothing_again(built: Monorepo):
    (built.root / "node22/server.js").write_text((built.root / "node22/server.js").read_text() + "// changed\n")
    (built.root / "python313/main.py").write_text((built.root / "python313/main.py").read_text() + "# changed\n")
    ran = {stage for stage, action in built.build("node22", "python313").items() if action == "run"}
    assert ran == {"node22/build", "node22/app", "python313/build", "python313/app"}


def test_sources_older_than_the_last_build_are_compiled_all_the_same(built: Monorepo, store: Storage, tmp_path: Path):
    source = built.root / "rust/src/main.rs"
    source.write_text(source.read_text().replace(r"6\r\n\r\nhello\n", r"4\r\n\r\nbye\n"))
    os.utime(source, (0, 0))
    built.build("rust")
    with serving(store, "localhost/test/rust", tmp_path / "bundle") as container:
        assert container.get() == "bye\n"


def test_a_lock_file_that_is_behind_is_refused(built: Monorepo):
    package = built.root / "node22/package.json"
    package.write_text(package.read_text().replace("2.1.3", "2.1.2"))
    ended = built.zbuild("build", "node22")
    assert ended.code == 1
    assert "npm ci" in ended.stderr
