"""ONBUILD with real buildah: stored in the image, carried out by zbuild in whatever is built upon it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.dockerfiles import BASE, Bench, Case

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.dockerfiles import Image

TRIGGERS = f"""\
FROM {BASE}
ONBUILD ARG WHO=nobody
ONBUILD ENV WHO=$WHO
ONBUILD COPY src.txt /src/
ONBUILD RUN echo "$WHO, again" > /who
ONBUILD COPY --from=localhost/test/busybox:1 /bin/busybox /copied
"""
PARENT = f"""{TRIGGERS}\
ONBUILD COPY <<EOF <<'raw' /in/
$WHO
EOF
$WHO
raw
RUN test ! -e /who
"""
OTHER_STAGE = f"""\
FROM {BASE} AS data
RUN echo data > /data
FROM {BASE} AS base
ONBUILD COPY --from=data /data /from-data
FROM base
"""
FILES = {"src.txt": "source"}
CASES = {
    "parent": Case(PARENT),
    "child": Case("FROM localhost/z/parent:1\nRUN cat /who > /seen\n", FILES, (("WHO", "me"),)),
    "grandchild": Case("FROM localhost/z/child:1\nRUN test ! -e /again\n"),
    "foreign": Case("FROM localhost/b/triggers:1\nRUN cat /who > /seen\n", FILES),
    "stages": Case(OTHER_STAGE),
    "reader": Case(f"FROM {BASE}\nCOPY --from=localhost/b/triggers:1 /etc/passwd /x\n"),
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = Bench.create(tmp_path_factory.mktemp("onbuild"))
    built = made.buildah("triggers", Case(TRIGGERS))
    assert built.returncode == 0, built.stderr
    yield made
    made.remove()


@pytest.fixture(scope="module")
def images(bench: Bench) -> dict[str, Image]:
    ended = bench.zbuild(CASES)
    assert ended.code == 0, ended.stderr
    return {name: bench.image(f"localhost/z/{name}:1") for name in CASES}


def test_the_image_stores_them_and_runs_none(images: dict[str, Image]) -> None:
    assert images["parent"].config["OnBuild"] == [
        "ARG WHO=nobody",
        "ENV WHO=$WHO",
        "COPY src.txt /src/",
        'RUN echo "$WHO, again" > /who',
        "COPY --from=localhost/test/busybox:1 /bin/busybox /copied",
        "COPY <<EOF <<'raw' /in/\n$WHO\nEOF\n$WHO\nraw",
    ]
    assert "/who" not in images["parent"].tree


@pytest.mark.parametrize(("name", "who"), [("child", "me"), ("foreign", "nobody")])
def test_a_child_begins_with_them(images: dict[str, Image], name: str, who: str) -> None:
    image = images[name]
    assert image.text("/seen") == f"{who}, again\n"
    assert image.text("/src/src.txt") == "source"
    assert image.tree["/copied"] == image.tree["/bin/busybox"]
    assert f"WHO={who}" in image.config["Env"]
    assert not image.config["OnBuild"]


def test_here_documents_of_a_trigger_are_the_childs(images: dict[str, Image]) -> None:
    assert [images["child"].text(f"/in/{name}") for name in ("EOF", "raw")] == ["me\n", "$WHO\n"]


def test_they_are_not_inherited_further(images: dict[str, Image]) -> None:
    assert images["grandchild"].tree == images["child"].tree


def test_a_trigger_of_an_earlier_stage_may_copy_from_a_stage(images: dict[str, Image]) -> None:
    assert images["stages"].text("/from-data") == "data\n"


def test_an_image_with_them_can_be_copied_from(images: dict[str, Image]) -> None:
    assert images["reader"].tree["/x"] == images["reader"].tree["/etc/passwd"]


def test_they_are_in_the_childs_key(bench: Bench) -> None:
    cases = {"base": Case(f"FROM {BASE}\nONBUILD RUN echo 1\n"), "top": Case("FROM localhost/z/base:1\n")}
    assert bench.workspace(cases).build() == {"base/0": "run", "top/0": "run"}
    assert bench.workspace(cases).build() == {"base/0": "cached", "top/0": "cached"}
    cases["base"] = Case(f"FROM {BASE}\nONBUILD RUN echo 2\n")
    assert bench.workspace(cases).build() == {"base/0": "run", "top/0": "run"}


def test_a_trigger_of_a_foreign_base_that_copies_from_a_stage_is_refused_by_name(bench: Bench) -> None:
    assert bench.buildah("outside", Case(f"FROM {BASE}\nONBUILD COPY --from=data /data /x\n")).returncode == 0
    case = Case(f"FROM {BASE} AS data\nFROM localhost/b/outside:1\n")
    ended = bench.workspace({"refused": case}).zbuild("build")
    assert ended.code == 2
    assert "refused/Dockerfile:2:1: error[not-yet]" in ended.stderr
