"""The recipes at hand: zbuild's own and a workspace's, and what stands beside `runtime`."""

from pathlib import Path

import pytest

from zbuild.api.graphs import BuildFiles
from zbuild.base.errors import BuildFileError
from zbuild.base.span import Span
from zbuild.frontend.load import load_definition, load_project, open_catalog
from zbuild.model.definition import NamedBase
from zbuild.model.ops import Arg, Cmd, Env, ExecForm, Label, Run, ShellForm, User

OWN = """\
name: shop
title: Shop
description: The shop's own.
aliases: [Store]
parameters:
  LEVEL: {default: "1", description: How much.}
detect: [shop.toml]
"""
FILE = """\
args: {LEVEL: "1", BASE: "base:${LEVEL}"}
stages:
  build: {base: "${BASE}", steps: [{run: make}]}
  app: {base: build, env: {A: a}, labels: {x: "1"}, user: shop, cmd: [serve]}
"""
SPAN = Span("zbuild.yaml", 1)


def workspace(root: Path, **files: str) -> Path:
    texts = {"zbuild.yaml": "recipes: tools/recipes\nimages: {}\n", "recipe": OWN, "file": FILE, **files}
    folder = root / "tools/recipes/shop"
    folder.mkdir(parents=True)
    (root / "zbuild.yaml").write_text(texts["zbuild.yaml"] if "zbuild" not in texts else texts["zbuild"])
    (folder / "recipe.yaml").write_text(texts["recipe"])
    (folder / "ZImagefile").write_text(texts["file"])
    (root / "app").mkdir()
    return root


def read(root: Path, text: str):
    (root / "app/ZImagefile").write_text(text)
    return BuildFiles(root, "tools/recipes").load("app/ZImagefile")


def problems(call) -> list[tuple[str, str]]:
    with pytest.raises(BuildFileError) as caught:
        call()
    return [(item.code, item.message) for item in caught.value.diagnostics]


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("node20", "node20"),
        ("node-20", "node20"),
        ("nodejs20", "node20"),
        ("node", "node20"),
        ("Node22", "node22"),
        ("python3.12", "python312"),
        ("python", "python312"),
        ("rs", "rust"),
        ("golang", "go"),
        ("nanoserver", "windows-nanoserver"),
    ],
)
def test_recipes_go_by_several_names(alias: str, name: str, tmp_path: Path) -> None:
    assert open_catalog(tmp_path).find(alias).name == name


def test_no_name_means_two_recipes(tmp_path: Path) -> None:
    recipes = open_catalog(tmp_path).recipes()
    names = [name for recipe in recipes for name in (recipe.name, *recipe.aliases)]
    assert len(names) == len(set(names))
    assert len(recipes) == 10


def test_every_parameter_is_an_argument_of_the_build_file_with_that_default(tmp_path: Path) -> None:
    catalog = open_catalog(tmp_path)
    for recipe in catalog.recipes():
        args = {key.text: value.text for key, value in catalog.build_file(recipe).mapping("args").pairs()}
        assert args == {parameter.name: parameter.default for parameter in recipe.parameters}, recipe.name
        assert "BASE" in args


def test_an_unknown_recipe_is_told_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(BuildFileError) as caught:
        open_catalog(tmp_path).find("nod22", SPAN)
    assert caught.value.code == "unknown-recipe"
    assert caught.value.span == SPAN
    assert caught.value.hint.startswith("did you mean 'node22'?\nthere are bun, deno, go, node20")


def test_a_recipe_takes_parameters_and_its_user_s_settings(tmp_path: Path) -> None:
    text = "runtime: shop\nargs: {LEVEL: 2}\nenv: {B: $LEVEL}\nlabels: {y: z}\nuser: me\ncmd: run it\n"
    definition = read(workspace(tmp_path), text)
    assert definition.args == (Arg("LEVEL", "2"), Arg("BASE", "base:${LEVEL}"))
    build, app = definition.stages
    assert (build.base, app.base) == (NamedBase("${BASE}"), NamedBase("build"))
    assert build.ops[-1] == Run(ShellForm("make"))
    assert app.ops[2:] == (
        Env((("A", "a"),)),
        Label((("x", "1"),)),
        User("shop"),
        Cmd(ExecForm(("serve",))),
        Env((("B", "$LEVEL"),)),
        Label((("y", "z"),)),
        User("me"),
        Cmd(ShellForm("run it")),
    )


def test_a_workspace_s_recipe_comes_before_zbuild_s(tmp_path: Path) -> None:
    root = workspace(tmp_path, recipe=OWN.replace("aliases: [Store]", "aliases: [store, node]"))
    assert open_catalog(root, "tools/recipes").find("node").name == "shop"
    assert open_catalog(root, "tools/recipes").find("node22").shipped


def test_an_inline_image_names_a_recipe_and_its_files_count(tmp_path: Path) -> None:
    text = "recipes: tools/recipes\nimages:\n  a: {runtime: STORE, args: {LEVEL: other}}\n"
    project = load_project(workspace(tmp_path, zbuild=text))
    definition = project.images[0].definition
    assert definition is not None
    assert [stage.name for stage in definition.stages] == ["build", "app"]
    assert Arg("LEVEL", "other") in definition.args
    assert {str(tmp_path / "tools/recipes/shop" / name) for name in ("recipe.yaml", "ZImagefile")} < set(project.files)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("runtime: shop\nsteps: [{run: x}]\n", ("conflicting-keys", "'runtime' and 'steps' exclude each other")),
        ("runtime: shop\nargs: {LEVLE: 2}\n", ("unknown-parameter", "the recipe 'shop' has no parameter 'LEVLE'")),
        ("runtime: shop\nbase: x\n", ("conflicting-keys", "'base' and 'runtime' exclude each other")),
        ("runtime: shop\nplatfrom: x\n", ("unknown-key", "unknown key 'platfrom'")),
    ],
)
def test_what_cannot_stand_beside_a_recipe_is_told(text: str, told: tuple[str, str], tmp_path: Path) -> None:
    root = workspace(tmp_path)
    assert problems(lambda: read(root, text)) == [told]


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"recipe": OWN.replace("name: shop", "name: store")}, "the recipe in the folder 'shop' calls itself 'store'"),
        ({"recipe": "name: shop\ntitle: t\n"}, "the file needs 'description'"),
        ({"recipe": OWN + "files: []\n"}, "unknown key 'files'"),
        ({"file": "base: scratch\n"}, "a recipe's ZImagefile needs 'stages'"),
        ({"file": "stages: {a: {base: b, stepz: []}}\n"}, "unknown key 'stepz'"),
    ],
)
def test_a_faulty_recipe_is_told_with_its_place(files: dict[str, str], told: str, tmp_path: Path) -> None:
    root = workspace(tmp_path, **files)
    with pytest.raises(BuildFileError) as caught:
        read(root, "runtime: shop\n")
    assert caught.value.message == told
    assert caught.value.span is not None
    assert caught.value.span.file.startswith("tools/recipes/shop/")


@pytest.mark.parametrize(
    ("value", "code"), [("nowhere", "missing-folder"), ("../up", "outside-workspace"), ("/etc", "outside-workspace")]
)
def test_the_folder_of_recipes_is_in_the_workspace(value: str, code: str, tmp_path: Path) -> None:
    root = workspace(tmp_path, zbuild=f"recipes: {value}\nimages: {{}}\n")
    assert [found for found, _ in problems(lambda: load_project(root))] == [code]


def test_a_link_cannot_bring_recipes_from_outside(tmp_path: Path) -> None:
    root = workspace(tmp_path / "w", zbuild="recipes: link\nimages: {}\n")
    (root / "link").symlink_to("..")
    assert [code for code, _ in problems(lambda: load_project(root))] == ["outside-workspace"]


def test_an_included_file_cannot_bring_recipes(tmp_path: Path) -> None:
    root = workspace(tmp_path, zbuild="include: app/zbuild.yaml\n")
    (root / "app/zbuild.yaml").write_text("recipes: ../tools/recipes\n")
    assert [code for code, _ in problems(lambda: load_project(root))] == ["misplaced-key"]


def test_a_recipe_is_a_build_file_of_its_own(tmp_path: Path) -> None:
    definition = load_definition(tmp_path, "recipe:golang")
    assert definition.file == "recipe:golang"
    assert [stage.name for stage in definition.stages] == ["build", "app"]


def test_detection_stands_in_for_a_build_file_and_says_so(tmp_path: Path) -> None:
    root = workspace(tmp_path)
    (root / "app/package.json").write_text("{}")
    files = BuildFiles(root, "tools/recipes", detect=True)
    assert files.find("app", "", SPAN) == "recipe:node22"
    assert files.notices == ("'app' has no build file: it is built as node22, since package.json is there",)
    (root / "app/shop.toml").touch()
    assert files.find("app", "", SPAN) == "recipe:shop"
    assert files.load("recipe:shop").stages[1].name == "app"
    assert {str(root / "app"), str(root / "tools/recipes/shop/ZImagefile")} < set(files.seen)
    (root / "app/Dockerfile").touch()
    assert files.find("app", "", SPAN) == "app/Dockerfile"


def test_a_recipe_that_was_asked_for_stands_in_whatever_the_files_are(tmp_path: Path) -> None:
    root = workspace(tmp_path)
    files = BuildFiles(root, "tools/recipes", detect=True, runtime="golang")
    (root / "app/package.json").touch()
    assert files.find("app", "", SPAN) == "recipe:go"
    assert files.notices == ("'app' has no build file: it is built as go, as was asked for",)
    assert problems(lambda: BuildFiles(root, runtime="gop").find("app", "", SPAN))[0][0] == "unknown-recipe"


def test_a_recipe_that_no_context_needs_is_told(tmp_path: Path) -> None:
    root = workspace(tmp_path)
    (root / "app/Dockerfile").touch()
    files = BuildFiles(root, runtime="go")
    assert files.find("app", "", SPAN) == "app/Dockerfile"
    assert files.notices == ("every context has a build file: the recipe go is not needed",)


def test_what_could_be_detected_is_a_hint(tmp_path: Path) -> None:
    root = workspace(tmp_path)
    (root / "app/go.mod").touch()
    with pytest.raises(BuildFileError) as caught:
        BuildFiles(root).find("app", "", SPAN)
    assert caught.value.hint == "go.mod is there: write 'runtime: go' into app/ZImagefile, or use --detect"


def test_nothing_is_detected_unasked_or_for_a_named_file(tmp_path: Path) -> None:
    root = workspace(tmp_path)
    (root / "app/go.mod").touch()
    assert problems(lambda: BuildFiles(root).find("app", "", SPAN))[0][0] == "missing-file"
    files = BuildFiles(root, detect=True)
    assert problems(lambda: files.find("app", "app/Dockerfile", SPAN))[0][0] == "missing-file"
    assert problems(lambda: files.find("tools", "", SPAN))[0][0] == "missing-file"
