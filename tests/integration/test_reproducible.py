"""Equal inputs, equal images: on two machines, that is in two stores, from checkouts that differ in all but content."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from support.monorepo import Monorepo
from support.storage import Storage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# All that a build can leave in a layer: copies, what RUN makes and removes, links, capabilities, folders, other owners.
_APP = """\
FROM t/base:1 AS tools
RUN echo tool > /tool && chmod 4755 /tool && mkdir -p /data/sub && mkfifo /data/fifo && hostname > /host
FROM t/base:1
ARG SOURCE_DATE_EPOCH
WORKDIR /app
COPY --chown=33:44 files /app/files
COPY --from=tools /tool /host /bin/
COPY <<EOF /app/inline
text
EOF
RUN stat -c '%n %a %u %g %Y %h' $(find /app | sort) > /listed
RUN ln /app/inline /app/twin && ln -s inline /app/link && rm /bin/wget
RUN date > /etc/built -d @$SOURCE_DATE_EPOCH && mkdir -p /usr/kept && touch /usr/kept/now
LABEL b=2 a=1
ENV Z=1 A=2
VOLUME /z /a
EXPOSE 99 5
CMD ["sh"]
"""
_FILES = {"files/a.txt": "a\n", "files/run.sh": "#!/bin/sh\n", "files/sub/b.txt": "b\n", "files/sub/c.txt": "b\n"}


@pytest.fixture
def stores(storage: Storage, tmp_path: Path) -> Iterator[tuple[Storage, Storage]]:
    other = Storage.create(tmp_path / "other" / "s")
    yield storage, other
    other.remove()


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def checkout(folder: Path, storage: Storage, mask: int, age: float) -> Monorepo:
    """Make the workspace as another machine would have it: other modes, other times, another place."""
    with umask(mask):
        folder.mkdir(parents=True)
        repo = Monorepo.create(folder, environment=storage.environment)
        repo.write("app/Dockerfile", _APP)
        for name, text in _FILES.items():
            repo.write(f"app/{name}", text)
        repo.write("zbuild.yaml", (folder / "zbuild.yaml").read_text() + '  app: {context: app, tags: ["t/app:1"]}\n')
    (folder / "app/files/run.sh").chmod(0o777 & ~mask)
    (folder / "base/busybox").chmod(0o777 & ~mask)
    for number, path in enumerate(sorted(folder.rglob("*"))):
        os.utime(path, (age + number, age + number), follow_symlinks=False)
    return repo


def built(repo: Monorepo) -> dict[str, tuple[str, str]]:
    return {name: (image["image_id"], image["digest"]) for name, image in repo.metadata().items()}


@pytest.mark.parametrize(("form", "way"), [("oci", "direct"), ("docker", "direct"), ("oci", "buildah")])
def test_two_machines_make_the_same_images(
    tmp_path: Path, stores: tuple[Storage, Storage], form: str, way: str
) -> None:
    one = checkout(tmp_path / "one", stores[0], 0o022, 1_500_000_000)
    two = checkout(tmp_path / "somewhere/two", stores[1], 0o077, 1_700_000_000)
    (two.root / "app/files/sub/c.txt").unlink()
    os.link(two.root / "app/files/sub/b.txt", two.root / "app/files/sub/c.txt")
    for repo in (one, two):
        repo.write("zbuild.yaml", (repo.root / "zbuild.yaml").read_text() + f"defaults: {{format: {form}}}\n")
    with umask(0o022):
        one.build("--reproducible", "-j1")
    with umask(0o077):
        # Here the base is from an earlier build, and has a name more.
        two.build("base", "--reproducible", "--tag", "zzz/other:1", ZBUILD_RUN=way)
        two.build("--reproducible", "-j8", ZBUILD_RUN=way)
    assert built(one) == built(two)


def test_the_environment_sets_the_time_as_with_other_builders(tmp_path: Path, storage: Storage) -> None:
    repo = checkout(tmp_path / "one", storage, 0o022, 1_500_000_000)
    assert repo.build("web", SOURCE_DATE_EPOCH="1700000000") == {"base/0": "run", "web/0": "run"}
    told = inspect(storage, "localhost/t/web:1")
    assert told["created"] == "2023-11-14T22:13:20Z"
    assert {item["created"] for item in told["history"]} == {"2023-11-14T22:13:20Z"}
    assert not any("FROM" in item.get("comment", "") for item in told["history"])
    assert set(repo.build("web", SOURCE_DATE_EPOCH="1700000000").values()) == {"cached"}
    assert set(repo.build("web", SOURCE_DATE_EPOCH="1700000001").values()) == {"run"}
    assert set(repo.build("web").values()) == {"run"}
    ended = repo.zbuild("build", "web", SOURCE_DATE_EPOCH="now")
    assert (ended.code, "SOURCE_DATE_EPOCH is 'now'" in ended.stderr) == (2, True)


def inspect(storage: Storage, image: str) -> dict[str, Any]:
    return json.loads(storage.buildah("inspect", "--type", "image", image))["OCIv1"]


def test_layers_are_the_same_whatever_was_built_before(tmp_path: Path, storage: Storage) -> None:
    repo = checkout(tmp_path / "one", storage, 0o022, 1_500_000_000)
    repo.build("app", "--reproducible")
    once = built(repo)["app"]
    repo.build("app", "--reproducible", "--layers")
    repo.write("app/files/a.txt", "changed\n")
    repo.build("app", "--reproducible", "--layers")
    repo.build("app", "--reproducible")
    repo.write("app/files/a.txt", "a\n")
    repo.build("app", "--reproducible", "--no-cache=app", "--layers")
    assert built(repo)["app"] == once


def test_what_was_pulled_counts_as_what_was_built(tmp_path: Path, stores: tuple[Storage, Storage]) -> None:
    cache = f"--cache-from={tmp_path}/cache"
    one = checkout(tmp_path / "one", stores[0], 0o022, 1_500_000_000)
    two = checkout(tmp_path / "two", stores[1], 0o022, 1_700_000_000)
    one.build("--reproducible", f"--cache-to={tmp_path}/cache")
    assert "pulled" in two.build("app/tools", "--reproducible", cache).values()
    two.build("--reproducible", "-B")
    assert built(two) == built(one)
    stores[1].buildah("rmi", "--all", "--force")
    assert set(two.build("--reproducible", cache).values()) <= {"pulled", "cached"}
    assert built(two) == built(one)


def test_a_base_of_a_registry_counts_by_what_it_is(
    tmp_path: Path, stores: tuple[Storage, Storage], registry: str
) -> None:
    name = f"{registry}/reproducible/base:1"
    for number, store in enumerate(stores):
        folder = tmp_path / f"checkout{number}"
        repo = checkout(folder, store, 0o022, 1_500_000_000)
        repo.write("app/Dockerfile", _APP.replace("t/base:1", name))
        if number == 0:  # here the base was made, and has other names as well; there it is pulled
            repo.build("base", "--reproducible", "--tag", name)
            store.buildah("push", "--quiet", "--tls-verify=false", name)
        repo.build("app", "--reproducible", "--pull=missing")
    results = [built(Monorepo(tmp_path / f"checkout{number}", {})) for number in (0, 1)]
    assert results[0]["app"] == results[1]["app"]


def test_squashed_images_are_reproducible_and_leave_others_alone(tmp_path: Path, storage: Storage) -> None:
    repo = checkout(tmp_path / "one", storage, 0o022, 1_500_000_000)
    repo.write("two/Dockerfile", "FROM t/base:1 AS below\nRUN echo a > /a\nFROM below\nRUN echo b > /b\n")
    more = "  high: {context: two, tags: [t/high]}\n  flat: {context: two, tags: [t/flat], squash: true}\n"
    repo.write("zbuild.yaml", (repo.root / "zbuild.yaml").read_text() + more)
    for jobs in ("-j1", "-j8"):
        repo.build("high", "flat", "--reproducible", jobs, "-B")
        results = built(repo)
        assert results["flat"] != results["high"]
        named = storage.images()
        assert named["localhost/t/high:latest"] == results["high"][0]
        assert named["localhost/t/flat:latest"] == results["flat"][0]
    repo.build("high", "flat", "--reproducible", "-B")
    assert built(repo) == results
