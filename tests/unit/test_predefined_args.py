"""Arguments that need no declaration: proxies, platforms, TARGETSTAGE, and those that BuildKit takes as settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.graphs import MemorySources, graph_of

from zbuild.api.build_args import undeclared
from zbuild.api.options import BuildOptions
from zbuild.api.workspace import Workspace
from zbuild.base.errors import BuildFileError, UsageError
from zbuild.base.platform import host_platform, parse_platform
from zbuild.frontend.dockerfile.parse import parse_dockerfile
from zbuild.graph.build import GraphOptions
from zbuild.graph.types import FromReference
from zbuild.model.project import ImageSpec
from zbuild.model.steps import RunStep
from zbuild.plan.describe import describe
from zbuild.plan.proxies import proxy_settings

if TYPE_CHECKING:
    from pathlib import Path

PROXY = "http://me:secret@proxy:3128"


def described(text: str, *args: tuple[str, str]):
    graph = graph_of([ImageSpec("a", context="a", build_args=args)], {"a/Dockerfile": text})
    return describe(graph, MemorySources(), "fake")["a"]


def run_of(text: str, *args: tuple[str, str]) -> RunStep:
    (step,) = (step for step in described(text, *args).evaluation.steps if isinstance(step, RunStep))
    return step


def labels(text: str, *args: tuple[str, str]) -> dict[str, str]:
    return dict(described(text, *args).evaluation.config.labels)


def test_proxies_are_in_runs_in_both_cases_and_in_nothing_else() -> None:
    text = "FROM scratch\nRUN fetch\nLABEL proxy=[$HTTP_PROXY]"
    found, without = described(text, ("HTTP_PROXY", PROXY), ("all_proxy", "x")), described(text)
    (run,) = found.evaluation.steps
    expected = {"http_proxy": PROXY, "HTTP_PROXY": PROXY, "all_proxy": "x", "ALL_PROXY": "x"}
    assert isinstance(run, RunStep)
    assert dict(run.proxies) == expected
    assert not expected.keys() & dict(run.env).keys()
    assert (found.items, found.static_key) == (without.items, without.static_key)
    assert found.evaluation.config == without.evaluation.config
    assert dict(found.evaluation.config.labels) == {"proxy": "[]"}
    assert "secret" not in repr(run)


def test_a_proxy_that_is_declared_is_an_argument_like_any_other() -> None:
    text = "FROM scratch\nARG HTTP_PROXY\nRUN fetch"
    step = run_of(text, ("HTTP_PROXY", PROXY))
    assert dict(step.env)["HTTP_PROXY"] == PROXY
    assert dict(step.proxies) == {"http_proxy": PROXY}
    assert described(text, ("HTTP_PROXY", PROXY)).static_key != described(text, ("HTTP_PROXY", "other")).static_key


def test_what_is_written_in_one_case_counts_for_that_case() -> None:
    given = {"no_proxy": "a", "NO_PROXY": "b", "Ftp_Proxy": "c"}
    assert dict(proxy_settings(given, ())) == {"no_proxy": "a", "NO_PROXY": "b", "ftp_proxy": "c", "FTP_PROXY": "c"}
    assert proxy_settings({"VERSION": "1"}, ()) == ()


def test_platform_arguments_are_outside_of_stages_and_inside_when_declared() -> None:
    host = host_platform()
    text = "FROM --platform=$BUILDPLATFORM alpine:$TARGETARCH\n"
    graph = graph_of([ImageSpec("a", context="a", platforms=("linux/arm64/v8",))], {"a/Dockerfile": text})
    assert graph.vertices[0].base == FromReference("docker.io/library/alpine:arm64")
    assert graph.vertices[0].platform == host
    declared = "ARG TARGETARCH\nARG BUILDOS\nARG TARGETOSVERSION\n"
    stage = f"FROM scratch\nLABEL before=[$BUILDOS]\n{declared}LABEL a=$TARGETARCH b=$BUILDOS c=[$TARGETOSVERSION]"
    assert labels(stage) == {"before": "[]", "a": host.architecture, "b": "linux", "c": "[]"}


def test_a_build_argument_goes_before_what_the_platform_is() -> None:
    given = (("TARGETARCH", "mips"), ("TARGETPLATFORM", "linux/s390x"))
    text = "ARG NAME=$TARGETARCH\nFROM --platform=$TARGETPLATFORM base:$TARGETARCH\nARG TARGETARCH\nARG NAME\n"
    spec = ImageSpec("a", context="a", build_args=given)
    graph = graph_of([spec], {"a/Dockerfile": f"{text}LABEL arch=$TARGETARCH name=$NAME"})
    (vertex,) = graph.vertices
    assert vertex.base == FromReference("docker.io/library/base:mips")
    assert vertex.platform == parse_platform("linux/s390x")
    found = describe(graph, MemorySources(), "fake")["a"].evaluation.config.labels
    assert dict(found) == {"arch": "mips", "name": "mips"}


def test_an_empty_platform_is_refused() -> None:
    with pytest.raises(BuildFileError, match=r"the platform '\$P' is empty"):
        described("FROM --platform=$P scratch")


TARGETED = "FROM scratch AS one\nARG TARGETSTAGE\nLABEL stage=$TARGETSTAGE\nFROM one AS two\n"


def stage_label(targets: tuple[str, ...] = (), target: str = "", text: str = TARGETED, **spec: str) -> str:
    options = GraphOptions(target=target)
    graph = graph_of([ImageSpec("a", context="a", **spec)], {"a/Dockerfile": text}, targets, options=options)
    found = describe(graph, MemorySources(), "fake")[graph.roots[0]]
    return dict(found.evaluation.config.labels)["stage"]


def test_the_stage_asked_for_is_an_argument() -> None:
    assert stage_label() == "two"
    assert stage_label(("a/one",)) == "one"
    assert stage_label((), "one") == "one"
    assert stage_label(text="FROM scratch\nARG TARGETSTAGE\nLABEL stage=$TARGETSTAGE") == "default"
    graph = graph_of([ImageSpec("a", context="a", target="one")], {"a/Dockerfile": TARGETED})
    assert dict(graph.vertices[0].globals) == {"TARGETSTAGE": "one"}


def test_images_of_one_file_share_stages_unless_these_know_what_is_asked_for() -> None:
    images = [ImageSpec("a", context="a", target="one"), ImageSpec("b", context="a", target="two")]
    graph = graph_of(images, {"a/Dockerfile": "FROM scratch AS one\nFROM one AS two"})
    assert [vertex.id for vertex in graph.vertices] == ["a/one", "a/two"]
    graph = graph_of(images, {"a/Dockerfile": TARGETED})
    assert [vertex.id for vertex in graph.vertices] == ["a/one", "b/one", "b/two"]


@pytest.mark.parametrize("name", ["HTTP_PROXY", "no_proxy", "TARGETPLATFORM", "BUILDARCH", "TARGETSTAGE"])
def test_predefined_arguments_are_never_unused(name: str) -> None:
    assert undeclared([name], [parse_dockerfile(b"FROM scratch", "Dockerfile")]) == ()


def test_buildkits_settings_are_told_to_change_nothing() -> None:
    given = ["BUILDKIT_INLINE_CACHE", "BUILDKIT_DOCKERFILE_CHECK", "SOURCE_DATE_EPOCH"]
    declaring = parse_dockerfile(b"FROM scratch\nARG SOURCE_DATE_EPOCH", "Dockerfile")
    assert [warning.message for warning in undeclared(given, [declaring])] == [
        "--build-arg BUILDKIT_INLINE_CACHE is a setting of BuildKit's, which changes nothing here",
    ]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "zbuild.yaml").write_text("images:\n  a: {context: .}\n")
    (tmp_path / "Dockerfile").write_text("# check=skip=StageNameCasing\nFROM scratch AS One\nMAINTAINER me\n")
    return tmp_path


def found(root: Path, *args: tuple[str, str]) -> list[str]:
    return [problem.code for problem in Workspace(root).validate(BuildOptions(build_args=args))]


def test_a_build_argument_chooses_lints_rules_instead_of_the_file(root: Path) -> None:
    assert found(root) == ["MaintainerDeprecated"]
    assert found(root, ("BUILDKIT_DOCKERFILE_CHECK", "skip=MaintainerDeprecated")) == ["StageNameCasing"]
    assert found(root, ("BUILDKIT_DOCKERFILE_CHECK", "skip=all")) == []
    with pytest.raises(BuildFileError):
        found(root, ("BUILDKIT_DOCKERFILE_CHECK", "error=true"))
    with pytest.raises(UsageError, match="BUILDKIT_DOCKERFILE_CHECK"):
        found(root, ("BUILDKIT_DOCKERFILE_CHECK", "nonsense"))
