"""What is printed is read again as the same, and what is converted comes to the same steps and configuration."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.graphs import MemorySources, graph_of

from zbuild.api.convert import convert_file
from zbuild.base.errors import BuildFileError
from zbuild.frontend.dockerfile.parse import parse_dockerfile
from zbuild.frontend.dockerfile.print import print_dockerfile
from zbuild.frontend.load import load_definition
from zbuild.frontend.values import word
from zbuild.frontend.zimagefile import parse_zimagefile
from zbuild.frontend.zimagefile.plain import UnsayableError, plain_text
from zbuild.frontend.zimagefile.print import print_zimagefile
from zbuild.model import ops
from zbuild.model.definition import Definition, NamedBase, Stage
from zbuild.model.image_config import ImageConfig
from zbuild.model.mounts import BindMount, CacheMount, SecretMount, SshMount, TmpfsMount
from zbuild.model.project import ImageSpec
from zbuild.plan.describe import describe
from zbuild.syntax.words import WordError, expand

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests/golden"

# Texts as people write them, and the characters that mean something somewhere.
_TEXT = st.text(st.sampled_from("abz09 .-_/:=,\"'\\}{#<[]&|\tä"), min_size=1, max_size=12).filter(
    lambda text: text.strip() == text
)
_NAME = st.from_regex(r"[A-Z_][A-Z0-9_]{0,5}", fullmatch=True)
_PATH = _TEXT.map(lambda text: "/" + text)
_WORD = st.one_of(st.builds(word, _TEXT), st.sampled_from(["$A", "${A:-b}", "x$A"]))
_COMMAND = st.one_of(
    _TEXT.map(ops.ShellForm), st.lists(_TEXT, min_size=1, max_size=3).map(lambda a: ops.ExecForm((*a,)))
)
_PAIRS = st.dictionaries(_NAME, _WORD, min_size=1, max_size=3).map(lambda pairs: tuple(pairs.items()))
_IMAGE = st.sampled_from(["", "alpine"])
_MODE = st.sampled_from(["0400", "0640", "7"])
_MOUNT = st.one_of(
    st.builds(
        CacheMount, _PATH.map(word), st.sampled_from(["", "id"]), st.sampled_from(["shared", "locked"]), st.booleans()
    ),
    st.builds(CacheMount, _PATH.map(word), mode=st.sampled_from(["0700", ""]), uid=st.integers(1, 9), source=_IMAGE),
    st.builds(BindMount, _PATH.map(word), _PATH.map(word), _IMAGE, st.booleans()),
    st.builds(TmpfsMount, _PATH.map(word), st.integers(0, 10**9), st.booleans()),
    st.builds(
        SecretMount, _NAME, st.one_of(st.just(""), _PATH.map(word)), st.sampled_from(["", "ENV"]), st.booleans(), _MODE
    ),
    st.builds(SshMount, st.sampled_from(["default", "git"]), st.just(""), st.booleans(), _MODE, st.integers(0, 9)),
)

_MOUNTS = st.lists(_MOUNT, max_size=3).map(tuple)
_STEP = st.one_of(
    st.builds(ops.Run, _COMMAND, _MOUNTS, network=st.sampled_from(["", "none", "host"])),
    st.builds(
        ops.Copy,
        st.lists(_PATH.map(word), min_size=1, max_size=1).map(tuple),
        _PATH.map(word),
        owner=st.sampled_from(["", "1:1", "a b"]).map(word),
        mode=st.sampled_from(["", "0755"]),
        extract=st.booleans(),
    ),
    st.builds(ops.Env, _PAIRS),
    st.builds(ops.Workdir, _PATH.map(word)),
)
_END = st.tuples(
    st.builds(ops.Label, _PAIRS),
    st.builds(ops.User, st.sampled_from(["a", "1000:1000"])),
    st.builds(ops.Volume, st.lists(_PATH.map(word), min_size=1, max_size=2).map(tuple)),
    st.builds(ops.StopSignal, st.just("SIGINT")),
    st.builds(ops.Entrypoint, _COMMAND),
    st.builds(ops.Cmd, _COMMAND),
)


@st.composite
def definitions(draw: st.DrawFn) -> Definition:
    """Return a definition in the order in which a ZImagefile says things: what both formats can say."""
    start = (ops.Env((("A", "b"),)), ops.Workdir("/w"))
    steps = draw(st.lists(_STEP, max_size=3))
    end = [op for op in draw(_END) if draw(st.booleans())]
    return _only_stage([*start, *steps, *end])


def _only_stage(instructions: list[ops.Op]) -> Definition:
    return Definition("f", (Stage("", NamedBase("alpine:3"), tuple(instructions)),))


@settings(deadline=None)
@given(definitions())
def test_a_zimagefile_is_read_as_it_was_printed(definition: Definition) -> None:
    printed = print_zimagefile(definition)
    assert printed.problems == ()
    try:
        assert parse_zimagefile(printed.text.encode(), file="f", folder=".") == definition
    except BuildFileError as error:  # texts that YAML files cannot hold do not get so far
        raise AssertionError(printed.text) from error


_CONTENT = st.lists(st.text(st.sampled_from("ab $'\"\\<\tEOF#"), max_size=8), max_size=3).map(
    lambda lines: "".join(f"{line}\n" for line in lines)
)
_FILE = st.builds(
    ops.InlineFile, st.sampled_from(["EOF", "a.txt", "'q", "a b", "a\\b", "-x"]), _CONTENT, expand=st.booleans()
)
_DOCKERFILE_STEP = st.one_of(
    _STEP,
    st.builds(
        ops.Copy,
        st.lists(_PATH.map(word), max_size=1).map(tuple),
        _PATH.map(word),
        inline=st.lists(_FILE, min_size=1, max_size=2).map(tuple),
    ),
    st.builds(
        ops.Run, _CONTENT.map(lambda text: ops.ShellForm(f"#!/x\n{text}")), heredoc=st.sampled_from(["EOF", "a b"])
    ),
    st.builds(ops.Onbuild, st.sampled_from(["RUN x", "RUN <<A cat\n$x\nA", 'COPY --from=a ["b", "/c"]', "ARG A=$B c"])),
)


@settings(deadline=None)
@given(st.one_of(definitions(), st.lists(_DOCKERFILE_STEP, max_size=3).map(_only_stage)))
def test_a_dockerfile_is_read_as_it_was_printed_or_what_is_missing_is_told(definition: Definition) -> None:
    printed = print_dockerfile(definition)
    found = parse_dockerfile(printed.text.encode(), "f")
    told = len(printed.problems)
    assert len(found.stages[0].ops) == len(definition.stages[0].ops) - told
    if not told:
        assert _without_heredocs(found) == _without_heredocs(definition)


def _without_heredocs(definition: Definition) -> Definition:
    def plain(op: ops.Op) -> ops.Op:
        if isinstance(op, ops.Run) and isinstance(op.command, ops.ShellForm):
            name = op.heredoc if op.command.text.startswith("#!") else ""
            return replace(op, heredoc=name, command=ops.ShellForm(op.command.text.removesuffix("\n")))
        return op

    stages = (replace(stage, ops=tuple(map(plain, stage.ops))) for stage in definition.stages)
    return replace(definition, stages=tuple(stages))


@settings(deadline=None)
@given(st.text(st.sampled_from("ab \"'\\`$A{}:-?+#/"), max_size=12), st.sampled_from("\\`"))
def test_a_word_and_its_plain_text_come_to_the_same(written: str, escape: str) -> None:
    try:
        text = plain_text(written, escape)
    except UnsayableError:
        return
    for env in ({}, {"A": "x y", "a": "z", "b": ""}):
        try:
            value = expand(written, env, escape=escape)
        except WordError:
            with pytest.raises(WordError):
                expand(word(text), env)
        else:
            assert expand(word(text), env) == value


def _evaluations(definition: Definition):
    sources = _Anything()
    graph = graph_of([ImageSpec("a", context="a")], {}, parsed={"a/Dockerfile": definition})
    found = describe(graph, sources, "fake")
    return [found[vertex.id].evaluation for vertex in graph.vertices]


class _Anything(MemorySources):
    def base(self, reference, platform, pull):
        base = super().base(reference, platform, pull)
        return replace(base, config=ImageConfig(env=(("PATH", "/bin"),)))

    def digest(self, origin, selection) -> str:
        return f"{origin.path} {selection}"

    def remote(self, origin, pull) -> str:  # noqa: ARG002
        return origin.shown


def _readable() -> list[str]:
    found = []
    for path in sorted([*GOLDEN.glob("dockerfile/*/Dockerfile"), *GOLDEN.glob("convert/service.Dockerfile")]):
        try:
            definition = load_definition(ROOT, str(path.relative_to(ROOT)))
            _evaluations(definition)
        except BuildFileError:
            continue
        found.append(str(path.relative_to(GOLDEN)))
    return found


@pytest.mark.parametrize("name", _readable())
def test_a_dockerfile_comes_to_the_same_as_its_zimagefile(name: str) -> None:
    definition = load_definition(GOLDEN, name)
    assert print_dockerfile(definition).problems == ()
    reread = parse_dockerfile(print_dockerfile(definition).text.encode(), name)
    assert reread == definition
    printed = convert_file(GOLDEN, name)
    if not printed.problems:
        converted = parse_zimagefile(printed.text.encode(), file=name, folder=".")
        assert _evaluations(converted) == _evaluations(_named(definition))


def _named(definition: Definition) -> Definition:
    """Name the stages as a ZImagefile does, where all have names."""
    if len(definition.stages) == 1:
        return definition
    stages = (replace(stage, name=stage.name or f"stage{number}") for number, stage in enumerate(definition.stages))
    return replace(definition, stages=tuple(stages))


@pytest.mark.parametrize("name", sorted(path.parent.name for path in (ROOT / "recipes").glob("*/ZImagefile")))
def test_a_recipe_is_printed_as_it_is(name: str) -> None:
    definition = load_definition(ROOT, f"recipes/{name}/ZImagefile")
    printed = print_zimagefile(definition)
    assert printed.problems == ()
    assert parse_zimagefile(printed.text.encode(), file=definition.file, folder=".") == definition
