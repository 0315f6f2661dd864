"""`zbuild recipes` and `zbuild init`, in process; and every recipe with its example."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from zbuild.api.options import BuildOptions
from zbuild.api.workspace import Workspace
from zbuild.cli.main import run
from zbuild.cli.session import Session
from zbuild.frontend.recipe.projects import find_projects

RECIPES = Path(__file__).parents[2] / "recipes"
NAMES = sorted(path.parent.name for path in RECIPES.glob("*/recipe.yaml"))


def zbuild(root: Path, *argv: str) -> int:
    return run(argv, Session(directory=root))


def tree(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("FROM scratch\n" if path.name == "Dockerfile" else "")
    return root


def found(root: Path) -> dict[str, str]:
    return {project.folder: project.recipe or project.file for project in find_projects(root)}


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_builds_its_example_on_any_base(name: str, tmp_path: Path) -> None:
    shutil.copytree(RECIPES / name / "example", tmp_path / "app")
    (tmp_path / "zbuild.yaml").write_text(
        "images:\n  app: {context: app, build_args: {BASE: localhost/b, RUNTIME_BASE: localhost/c}}\n"
    )
    workspace = Workspace(tmp_path)
    assert workspace.validate() == ()
    vertices = workspace.graph(["app"]).vertices
    references = {vertex.base.reference for vertex in vertices if hasattr(vertex.base, "reference")}
    assert references <= {"localhost/b:latest", "localhost/c:latest"}
    assert all(vertex.context == "app" for vertex in vertices)


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_s_files_are_all_there(name: str) -> None:
    folder = RECIPES / name
    assert {"recipe.yaml", "ZImagefile", "README.md"} <= {path.name for path in folder.iterdir()}
    assert (folder / "example/.dockerignore").is_file()
    assert yaml.safe_load((folder / "example/ZImagefile").read_text())["runtime"] == name
    assert f"runtime: {name}" in (folder / "README.md").read_text()
    assert ".dockerignore" in (folder / "README.md").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_does_not_end_as_root(name: str) -> None:
    stages = yaml.safe_load((RECIPES / name / "ZImagefile").read_text())["stages"]
    assert [*stages.values()][-1]["user"] not in ("", "0", "root")


def test_recipes_are_listed_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert zbuild(tmp_path, "recipes", "--format", "json") == 0
    assert [recipe["name"] for recipe in json.loads(capsys.readouterr().out)] == NAMES
    assert zbuild(tmp_path, "recipes", "golang") == 0
    shown = capsys.readouterr().out
    assert "GO_VERSION" in shown
    assert "go build -trimpath" in shown
    assert zbuild(tmp_path, "recipes", "go", "--format", "build-file") == 0
    assert capsys.readouterr().out == (RECIPES / "go/ZImagefile").read_text()
    assert zbuild(tmp_path, "recipes", "gop") == 2
    assert "did you mean 'go'?" in capsys.readouterr().err


def test_a_workspace_s_recipes_are_listed_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(RECIPES / "go", tmp_path / "mine/zz")
    path = tmp_path / "mine/zz/recipe.yaml"
    path.write_text(path.read_text().replace("name: go", "name: zz"))
    (tmp_path / "zbuild.yaml").write_text("recipes: mine\nimages: {}\n")
    assert zbuild(tmp_path, "recipes") == 0
    assert capsys.readouterr().out.split("\n")[1].startswith("zz ")


def test_recipes_are_listed_to_those_who_misspelt_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(RECIPES / "go", tmp_path / "mine/zz")
    path = tmp_path / "mine/zz/recipe.yaml"
    path.write_text(path.read_text().replace("name: go", "name: zz"))
    for text in ("images: {a: {runtime: zy}}\n", "imgs: {}\n"):
        (tmp_path / "zbuild.yaml").write_text(f"recipes: mine\n{text}")
        assert zbuild(tmp_path, "recipes") == 0
        assert capsys.readouterr().out.split("\n")[1].startswith("zz ")
    for text in ("recipes: ../mine\n", "recipes: [\n", "recipes: gone\nx: y\n", "[]\n"):
        (tmp_path / "zbuild.yaml").write_text(text)
        assert zbuild(tmp_path, "recipes") == 0
        assert capsys.readouterr().out.split("\n")[1].startswith("bun ")


def test_projects_are_folders_that_have_a_build_file_or_show_their_recipe(tmp_path: Path) -> None:
    tree(
        tmp_path,
        "package.json",
        "services/api/go.mod",
        "services/api/tools/go.mod",
        "services/web/package.json",
        "services/web/node_modules/left/package.json",
        "services/old/Dockerfile",
        "services/old/requirements.txt",
        "libs/readme.md",
        "vendor/lib/go.mod",
        ".hidden/go.mod",
        "target/x/Cargo.toml",
        "a$b/go.mod",
        "other/zbuild.yaml",
        "other/sub/go.mod",
    )
    (tmp_path / "link").symlink_to("services/api")
    assert found(tmp_path) == {
        "other": "zbuild.yaml",
        "services/api": "go",
        "services/old": "Dockerfile",
        "services/web": "node22",
    }


def test_the_root_counts_when_it_is_the_only_project_or_has_a_build_file(tmp_path: Path) -> None:
    assert found(tree(tmp_path / "one", "package.json", "src/index.js")) == {".": "node22"}
    assert found(tree(tmp_path / "two", "Dockerfile", "go.mod", "web/package.json")) == {
        ".": "Dockerfile",
        "web": "node22",
    }


def test_names_are_made_fit_and_different(tmp_path: Path) -> None:
    tree(tmp_path, "a/My App/go.mod", "a/api/go.mod", "b/api/go.mod", "x-y/go.mod", "--/go.mod")
    names = {project.folder: project.name for project in find_projects(tmp_path)}
    assert names == {"a/My App": "my-app", "a/api": "a-api", "b/api": "b-api", "x-y": "x-y", "--": "app"}


def test_init_makes_a_workspace_that_validates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tree(
        tmp_path, "api/go.mod", "web/bun.lock", "old/Dockerfile", "no/pyproject.toml", "a: #b/Cargo.toml", "null/go.mod"
    )
    assert zbuild(tmp_path, "init") == 0
    assert "wrote api/ZImagefile: go, since go.mod is there" in capsys.readouterr().out
    workspace = Workspace(tmp_path)
    assert workspace.validate() == ()
    assert {image.name: image.file for image in workspace.images()} == {
        "a-b": "a: #b/ZImagefile",
        "api": "api/ZImagefile",
        "no": "no/ZImagefile",
        "null": "null/ZImagefile",
        "old": "old/Dockerfile",
        "web": "web/ZImagefile",
    }


def content(root: Path, **texts: str) -> Path:
    for name, text in texts.items():
        tree(root, name)
        (root / name).write_text(text)
    return root


def images(root: Path) -> dict[str, dict[str, object]]:
    """Make a workspace, which must validate; return its images."""
    assert zbuild(root, "init") == 0
    assert Workspace(root).validate() == ()
    return yaml.safe_load((root / "zbuild.yaml").read_text())["images"]


def test_init_makes_an_image_of_each_build_file_with_a_name_of_its_own(tmp_path: Path) -> None:
    content(tmp_path, **{"go.mod": "", "d/Dockerfile.api": "FROM scratch\n", "d/worker.Dockerfile": "FROM scratch\n"})
    assert images(tmp_path) == {
        "api": {"context": "d", "file": "d/Dockerfile.api"},
        "worker": {"context": "d", "file": "d/worker.Dockerfile"},
    }


def test_init_builds_the_programs_of_a_workspace_where_its_lock_file_is(tmp_path: Path) -> None:
    files = {
        "package.json": '{"workspaces": ["apps/*", "libs/*"]}',
        "apps/web/package.json": '{"scripts": {"start": "node ."}}',
        "apps/own/package.json": '{"scripts": {"start": "node ."}}',
        "apps/own/package-lock.json": "{}",
        "libs/ui/package.json": "{}",
        "rust/Cargo.toml": '[workspace]\nmembers = ["*"]\n',
        "rust/tool/Cargo.toml": "",
        "rust/tool/src/main.rs": "",
        "rust/lib/Cargo.toml": "",
        "go.work": "",
        "go/one/go.mod": "",
        "go/one/main.go": "package main\n",
        "go/lib/go.mod": "",
    }
    assert images(content(tmp_path, **files)) == {
        "own": {"context": "apps/own"},
        "web": {"context": ".", "runtime": "node22", "args": {"PACKAGE_PATH": "apps/web"}},
        "one": {"context": ".", "runtime": "go", "args": {"PACKAGE": "./go/one"}},
        "tool": {"context": "rust", "runtime": "rust", "args": {"PACKAGE_PATH": "tool"}},
    }


def test_init_finds_what_to_run(tmp_path: Path) -> None:
    files = {
        "py/pyproject.toml": "",
        "py/src/shop/__main__.py": "",
        "ts/deno.json": "{}",
        "ts/server.ts": "",
        "one/go.mod": "",
        "one/cmd/serve/main.go": "// Serves.\npackage main\n",
        "two/go.mod": "",
        "two/cmd/a/main.go": "package main\n",
        "two/cmd/b/main.go": "package main\n",
        "two/cmd/lib/lib.go": "package lib\n",
    }
    found_images = images(content(tmp_path, **files))
    assert found_images["a"] == {"context": "two", "runtime": "go", "args": {"PACKAGE": "./cmd/a"}}
    assert list(found_images) == ["one", "py", "ts", "a", "b"]
    args = {name: yaml.safe_load((tmp_path / name / "ZImagefile").read_text())["args"] for name in ("one", "py", "ts")}
    assert args == {"one": {"PACKAGE": "./cmd/serve"}, "py": {"APP_MODULE": "shop"}, "ts": {"MAIN": "server.ts"}}


@pytest.mark.parametrize("text", ["[", "[]", '{"workspaces"', '"x"', "{" * 100_000])
def test_files_that_cannot_be_understood_tell_nothing(text: str, tmp_path: Path) -> None:
    content(tmp_path, **{"package.json": text, "Cargo.toml": text, "web/package.json": text})
    assert found(tmp_path) == {"web": "node22"}


def test_very_deep_folders_are_not_looked_into(tmp_path: Path) -> None:
    tree(tmp_path, "/".join(["a"] * 16) + "/go.mod", "/".join(["b"] * 17) + "/go.mod")
    assert list(found(tmp_path)) == ["/".join(["a"] * 16)]


def test_init_keeps_secrets_out_of_contexts(tmp_path: Path) -> None:
    tree(tmp_path, "web/package.json", "api/go.mod", "old/Dockerfile")
    (tmp_path / "api/.dockerignore").write_text("mine\n")
    assert zbuild(tmp_path, "init", "--force") == 0
    assert ".env*" in (tmp_path / "web/.dockerignore").read_text().split()
    assert (tmp_path / "api/.dockerignore").read_text() == "mine\n"
    assert not (tmp_path / "old/.dockerignore").exists()


def test_init_tells_of_files_that_import_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tree(tmp_path, "api/Dockerfile", "compose.yaml")
    assert zbuild(tmp_path, "init") == 0
    assert "compose.yaml was not read; 'zbuild import compose.yaml'" in capsys.readouterr().out
    tree(tmp_path / "other", "docker-bake.json")
    assert zbuild(tmp_path / "other", "init") == 2
    assert "'zbuild import docker-bake.json' reads" in capsys.readouterr().err


def test_init_overwrites_nothing_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tree(tmp_path, "api/go.mod")
    (tmp_path / "zbuild.yaml").write_text("images: {}\n")
    assert zbuild(tmp_path, "init", "--dry-run") == 0
    assert "runtime: go" in capsys.readouterr().out
    assert zbuild(tmp_path, "init") == 2
    assert "there is already zbuild.yaml" in capsys.readouterr().err
    assert (tmp_path / "zbuild.yaml").read_text() == "images: {}\n"
    assert not (tmp_path / "api/ZImagefile").exists()
    assert zbuild(tmp_path, "init", "--force") == 0
    assert [image.name for image in Workspace(tmp_path).images()] == ["api"]


def test_init_says_when_there_is_nothing_to_build(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tree(tmp_path, "docs/readme.md", "wasm/cargo-component.toml")
    assert zbuild(tmp_path, "init") == 2
    assert "error[no-project]" in capsys.readouterr().err


def test_detect_is_an_option_of_the_commands_that_read_build_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree(tmp_path, "api/go.mod")
    (tmp_path / "zbuild.yaml").write_text("images:\n  api: {context: api}\n")
    assert zbuild(tmp_path, "validate") == 2
    assert "--detect" in capsys.readouterr().err
    for command in ("validate", "list", "graph"):
        for option in ("--detect", "--runtime=go"):
            assert zbuild(tmp_path, command, option) == 0
            assert "zbuild: 'api' has no build file: it is built as go, " in capsys.readouterr().err
    assert zbuild(tmp_path, "list", "--detect") == 0
    assert "recipe:go" in capsys.readouterr().out
    workspace = Workspace(tmp_path)
    assert workspace.graph(options=BuildOptions(detect=True)).roots == ("api/app",)
