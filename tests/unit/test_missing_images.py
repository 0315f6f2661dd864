"""Images that build files name and nobody has: all are told, each with its place and what may have been meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.graphs import MemorySources, graph_of
from support.stand_in import StandIn

from zbuild.base.errors import BuildFileError, MissingImagesError, RegistryError
from zbuild.cli.main import run
from zbuild.cli.session import Session
from zbuild.model.project import ImageSpec
from zbuild.plan.describe import describe
from zbuild.plan.near_images import image_hint

if TYPE_CHECKING:
    from pathlib import Path

    from zbuild.base.platform import Platform

IMAGES = [ImageSpec("base", context="base", tags=("shop/base:1",)), ImageSpec("api", context="api")]
BASE = "FROM gone.example/one\n"
API = "FROM localhost/shop/bsae:1\nCOPY --from=gone.example/two /a /b\nRUN --mount=from=three,target=/t x\n"


class Nowhere(MemorySources):
    """Has no image at all."""

    def base(self, reference: str, platform: Platform, pull: str) -> object:  # noqa: ARG002
        raise RegistryError("image-missing", f"no {reference}")


def missing(api: str = API) -> MissingImagesError:
    with pytest.raises(MissingImagesError) as caught:
        describe(graph_of(IMAGES, {"base/Dockerfile": BASE, "api/Dockerfile": api}), Nowhere(), "fake")
    return caught.value


def test_all_are_told_with_their_places() -> None:
    error = missing()
    assert error.exit_code == 4
    assert {(str(problem.span), problem.message) for problem in error.diagnostics} == {
        ("base/Dockerfile:1:6", "no gone.example/one:latest"),
        ("api/Dockerfile:1:6", "no localhost/shop/bsae:1"),
        ("api/Dockerfile:2:1", "no gone.example/two:latest"),
        ("api/Dockerfile:3:1", "no docker.io/library/three:latest"),
    }
    hints = {problem.hint for problem in error.diagnostics}
    assert "did you mean 'shop/base:1'?" in hints


def test_what_else_is_wrong_is_told_with_them() -> None:
    graph = graph_of(IMAGES, {"base/Dockerfile": BASE, "api/Dockerfile": "FROM scratch\nCOPY nothing /\n"})
    with pytest.raises(BuildFileError) as caught:
        describe(graph, Nowhere(), "fake")
    assert {problem.code for problem in caught.value.diagnostics} == {"missing-source", "image-missing"}


def test_each_is_drawn_with_its_source_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, text in (("base", BASE), ("api", API)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Dockerfile").write_text(text)
    assert run(["list"], Session(find=StandIn(tmp_path, error=missing()).find)) == 4
    said = capsys.readouterr().err
    assert "base/Dockerfile:1:6: error[image-missing]: no gone.example/one:latest\n    1 | FROM gone" in said
    assert "    2 | COPY --from=gone.example/two /a /b" in said
    assert "  hint: did you mean 'shop/base:1'?" in said
    assert said.endswith("zbuild: 4 errors with what comes from elsewhere\n")


@pytest.mark.parametrize(
    ("reference", "hint"),
    [
        ("docker.io/library/api:latest", "'build: {image: api}'"),
        ("localhost/base:2", "'build: {image: base}' in a ZImagefile, or by its tag shop/base:1"),
        ("docker.io/shop/bas:1", "did you mean 'shop/base:1'?"),
        ("registry.example/entirely/other:7", ""),
    ],
)
def test_hints(reference: str, hint: str) -> None:
    found = image_hint(reference, [(spec.name, spec.tags) for spec in IMAGES])
    assert hint in found
    assert bool(hint) == bool(found)
