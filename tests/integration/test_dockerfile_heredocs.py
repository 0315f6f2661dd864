"""Here-documents with real buildah: what runs is what BuildKit would run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.dockerfiles import BASE, Bench, Case

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.dockerfiles import Image

RUN = f"""\
FROM {BASE}
ENV GREETING=hello
RUN <<EOF
set -e
echo $GREETING > /script
cat > /inner <<X
deep
X
EOF
RUN <<'EOF'
#!/bin/cat
$GREETING
EOF
RUN <<-EOF
	#!/bin/sh
	echo "$0" "$GREETING" > /program
EOF
RUN cat <<-A > /first && cat <<'B' > /second
	$GREETING
	A
$GREETING
B
"""
COPY = f"""\
FROM {BASE}
ENV NAME=world
ARG WHO=me
COPY <<one <<-"two" /in/
hello $NAME ${{WHO:-you}} "quoted" 'single' \\$NAME
one
	$NAME
	two
COPY --chown=web:staff --chmod=0600 <<EOF /renamed
EOF
COPY src.txt <<more /both/
$WHO
more
COPY <<EOF /in
into a folder
EOF
ADD <<EOF /added.txt
x
EOF
"""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = Bench.create(tmp_path_factory.mktemp("heredocs"))
    yield made
    made.remove()


@pytest.fixture(scope="module")
def images(bench: Bench) -> dict[str, Image]:
    cases = {"run": Case(RUN), "copy": Case(COPY, {"src.txt": "source"})}
    ended = bench.zbuild(cases)
    assert ended.code == 0, ended.stderr
    return {name: bench.image(f"localhost/z/{name}:1") for name in cases}


def test_run(images: dict[str, Image]) -> None:
    run = images["run"]
    assert run.text("/script") == "hello\n"
    assert run.text("/inner") == "deep\n"
    assert run.text("/program") == "/run/zbuild/EOF hello\n"
    assert (run.text("/first"), run.text("/second")) == ("hello\n", "$GREETING\n")
    assert "/run/zbuild" not in run.tree


def test_copy(images: dict[str, Image]) -> None:
    copy = images["copy"]
    assert copy.text("/in/one") == "hello world me \"quoted\" 'single' $NAME\n"
    assert copy.text("/in/two") == "$NAME\n"
    assert copy.text("/in/EOF") == "into a folder\n"
    assert (copy.tree["/in/one"].mode, copy.tree["/in/one"].owner) == ("644", (0, 0))
    assert (copy.tree["/renamed"].mode, copy.tree["/renamed"].owner) == ("600", (33, 50))
    assert copy.text("/both/src.txt") + copy.text("/both/more") == "sourceme\n"
    assert copy.text("/added.txt") == "x\n"


def test_content_is_in_the_key(bench: Bench) -> None:
    text = f"FROM {BASE}\nCOPY <<EOF /x\n1\nEOF\nRUN <<EOF\n#!/bin/sh\ncat /x\nEOF\n"
    for change, again in ((text, "run"), (text, "cached"), (text.replace("\n1\n", "\n2\n"), "run")):
        assert bench.workspace({"key": Case(change)}).build() == {"key/0": again}
    assert bench.workspace({"key": Case(change.replace("cat", "ls"))}).build() == {"key/0": "run"}
