from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from zbuild.base.errors import BuildFileError, UsageError
from zbuild.base.span import Span
from zbuild.frontend.load import find_definition, load_definition, load_project
from zbuild.model.definition import NamedBase, NestedBuild

if TYPE_CHECKING:
    from pathlib import Path

_SPAN = Span("zbuild.yaml", 3, 5)
_LOOKED_FOR = "looked for ZImagefile, Containerfile, Dockerfile"


@pytest.fixture
def tree(tmp_path):
    """Writes files of a workspace, given by path."""

    def write(**files: str) -> Path:
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/").replace("_yaml", ".yaml")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return tmp_path

    return write


def _codes(root: Path, **options: object) -> list[tuple[str, str]]:
    with pytest.raises(BuildFileError) as caught:
        load_project(root, **options)
    return [(str(item.span), item.code) for item in caught.value.diagnostics]


def test_zbuild_yaml_goes_before_zpipeline(tree):
    root = tree(zbuild_yaml="images: {a: {}}", ZPipeline_yaml="images: {b: {}}")
    assert [spec.name for spec in load_project(root).images] == ["a"]
    assert [spec.name for spec in load_project(root, file="ZPipeline.yaml").images] == ["b"]
    (root / "zbuild.yaml").unlink()
    assert [spec.name for spec in load_project(root).images] == ["b"]


def test_a_workspace_without_a_build_file_is_wrong_usage(tmp_path):
    with pytest.raises(UsageError, match="there is no zbuild"):
        load_project(tmp_path)


def test_a_named_build_file_must_be_there(tmp_path):
    with pytest.raises(BuildFileError, match="does not exist"):
        load_project(tmp_path, file="other.yaml")


def test_set_goes_over_vars_also_in_included_files(tree):
    root = tree(
        zbuild_yaml="vars: {V: 1}\ninclude: sub/zbuild.yaml\nimages: {a: {tags: 'a:${V}'}}",
        sub__zbuild_yaml="vars: {V: 2}\nimages: {b: {tags: 'b:${V}'}}",
    )
    assert [spec.tags for spec in load_project(root).images] == [("a:1",), ("b:2",)]
    assert [spec.tags for spec in load_project(root, variables={"V": "3"}).images] == [("a:3",), ("b:3",)]


def test_files_that_include_each_other_are_read_once(tree):
    root = tree(
        zbuild_yaml="include: [sub/zbuild.yaml, zbuild.yaml]\nimages: {a: {}}",
        sub__zbuild_yaml="include: ['../*.yaml', ../sub/*]\nimages: {b: {context: ..}}",
    )
    project = load_project(root)
    assert [(spec.name, spec.context) for spec in project.images] == [("a", "."), ("b", ".")]
    assert project.files == ("zbuild.yaml", "sub/zbuild.yaml")


def test_every_folder_that_a_glob_lists_is_told_of(tree):
    root = tree(zbuild_yaml="include: ['services/**/ZImagefile', other/x/ZImagefile*]", services__a__ZImagefile="")
    (root / "services" / "empty").mkdir()
    assert set(load_project(root).folders) == {".", "services", "services/a", "services/empty"}


def test_globs_stay_out_of_git_and_of_hidden_folders(tree):
    files = dict.fromkeys((".git__ZImagefile", ".venv__a__ZImagefile", "ok__ZImagefile"), "base: a")
    root = tree(zbuild_yaml="include: ['**/ZImagefile', '.zbuild/*', .git/ZImagefile]", **files)
    codes = _codes(root)
    assert codes == [("zbuild.yaml:1:41", "missing-file")]
    (root / "zbuild.yaml").write_text("include: ['**/ZImagefile', '.v*/a/ZImage?ile']", encoding="utf-8")
    assert [spec.file for spec in load_project(root).images] == ["ok/ZImagefile", ".venv/a/ZImagefile"]


def test_links_are_followed_inside_the_workspace_alone(tree, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "ZImagefile").write_text("base: a", encoding="utf-8")
    root = tree(zbuild_yaml="include: ['*/ZImagefile', '**/ZImagefile']", real__ZImagefile="base: a")
    (root / "out").symlink_to(outside)
    (root / "in").symlink_to("real")
    (root / "loop").symlink_to(".")
    (root / "file").mkdir()
    (root / "file" / "ZImagefile").symlink_to(outside / "ZImagefile")
    assert [spec.file for spec in load_project(root).images] == ["in/ZImagefile", "real/ZImagefile"]


def test_a_context_or_file_that_a_link_takes_out_is_refused(tree, tmp_path_factory):
    root = tree(zbuild_yaml="images:\n  a: {context: out, file: passwd}\n")
    (root / "out").symlink_to(tmp_path_factory.mktemp("outside"))
    (root / "passwd").symlink_to("/etc/passwd")
    assert _codes(root) == [("zbuild.yaml:2:16", "outside-workspace"), ("zbuild.yaml:2:27", "outside-workspace")]
    with pytest.raises(BuildFileError, match="leads out of the workspace"):
        load_definition(root, "passwd")


def test_a_pipe_is_not_waited_for(tree):
    root = tree(zbuild_yaml="include: pipe/Dockerfile")
    (root / "pipe").mkdir()
    os.mkfifo(root / "pipe" / "Dockerfile")
    assert _codes(root) == [("zbuild.yaml:1:10", "missing-file")]
    with pytest.raises(BuildFileError, match="is not a file"):
        load_definition(root, "pipe/Dockerfile")


def test_the_build_file_of_a_context_is_looked_for_in_order(tmp_path):
    for name in ("Dockerfile", "Containerfile", "ZImagefile"):
        (tmp_path / name).write_text("", encoding="utf-8")
        assert find_definition(tmp_path, ".", "", _SPAN) == name


def test_an_explicit_build_file_is_taken(tmp_path):
    (tmp_path / "Dockerfile").write_text("", encoding="utf-8")
    (tmp_path / "other").write_text("", encoding="utf-8")
    assert find_definition(tmp_path, ".", "other", _SPAN) == "other"


@pytest.mark.parametrize(
    ("context", "file", "code", "hint"),
    [
        ("app", "", "missing-file", f"{_LOOKED_FOR}; 'file' names another, --detect lets zbuild choose a recipe"),
        ("app", "app/x", "missing-file", ""),
        ("nowhere", "", "missing-folder", ""),
    ],
)
def test_what_was_looked_for_is_told(tmp_path, context, file, code, hint):
    (tmp_path / "app").mkdir()
    with pytest.raises(BuildFileError) as caught:
        find_definition(tmp_path, context, file, _SPAN)
    assert (caught.value.code, caught.value.span, caught.value.hint) == (code, _SPAN, hint)


@pytest.mark.parametrize("name", ["ZImagefile", "ZImagefile.dev", "image.yml", "image.yaml"])
def test_yaml_names_are_read_as_zimagefiles(tmp_path, name):
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / name).write_text("build: ../lib", encoding="utf-8")
    definition = load_definition(tmp_path, f"app/{name}")
    assert definition.file == f"app/{name}"
    assert definition.stages[0].base == NestedBuild(context="lib")


@pytest.mark.parametrize("name", ["Dockerfile", "Containerfile", "anything"])
def test_other_names_are_read_as_dockerfiles(tmp_path, name):
    (tmp_path / name).write_text("FROM alpine\n", encoding="utf-8")
    assert load_definition(tmp_path, name).stages[0].base == NamedBase("alpine")


def test_a_huge_file_is_not_read(tmp_path):
    with (tmp_path / "Dockerfile").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(BuildFileError) as caught:
        load_definition(tmp_path, "Dockerfile")
    assert caught.value.code == "too-large"


def test_a_thousand_groups_in_a_chain_are_checked(tree):
    rows = [f"  g{i}: [g{i + 1}]" for i in range(3000)]
    root = tree(zbuild_yaml="\n".join(["images: {a: {}}", "groups:", *rows, "  g3000: [a]"]))
    assert len(load_project(root).groups) == 3001


def test_a_thousand_images_are_read_in_linear_time(tree):
    """Twice the images may take little more than twice the time: nothing is compared with everything."""

    def seconds(count: int) -> float:
        rows = [
            f"  image{i}: {{context: ., tags: ['r/image{i}:1'], depends_on: [image0], base: a, steps: [run: x]}}"
            for i in range(1, count)
        ]
        root = tree(zbuild_yaml="\n".join(["images:", "  image0: {}", *rows]))
        began = time.process_time()
        assert len(load_project(root).images) == count
        return time.process_time() - began

    seconds(10)
    assert min(seconds(1000), seconds(1000)) < 10 * min(seconds(250), seconds(250))
