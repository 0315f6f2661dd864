"""Named contexts with real buildah: what they bring into images, and that edits in them are seen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.image_tree import describe_tree
from support.monorepo import Monorepo

if TYPE_CHECKING:
    from support.storage import Storage

YAML = """\
contexts:
  sdk: ../sdk
images:
  copied: {context: files, file: copied.Dockerfile, tags: ["t/copied:1"]}
  based: {context: files, file: based.Dockerfile, tags: ["t/based:1"]}
  outside: {context: ../sdk/lib, file: outside.Dockerfile}
"""
COPIED = "FROM scratch\nCOPY --from=sdk . /sdk/\nCOPY --from=extra more.txt /\nCOPY own.txt /\n"
OUTSIDE = "FROM scratch\nCOPY . /\n"
UP_TO_DATE = "zbuild: 3 images up to date"


@pytest.fixture
def repo(tmp_path: Path, storage: Storage) -> Monorepo:
    made = Monorepo(tmp_path / "ws", storage.environment)
    made.write("zbuild.yaml", YAML)
    made.write("copied.Dockerfile", COPIED)
    made.write("based.Dockerfile", "FROM sdk\nCOPY own.txt /\n")
    made.write("outside.Dockerfile", OUTSIDE)
    made.write("files/own.txt", "own\n")
    made.write("../sdk/lib/a.h", "a\n")
    made.write("../sdk/.dockerignore", "*.log\n")
    made.write("../sdk/noise.log", "noise\n")
    made.write("../extra/more.txt", "more\n")
    (made.root / "../sdk/lib/tool").symlink_to("a.h")
    (made.root / "../sdk/lib/a.h").chmod(0o640)
    return made


def tree(storage: Storage, image: str) -> dict[str, tuple[object, ...]]:
    container = storage.buildah("from", "--pull-never", image)
    return describe_tree(Path(storage.buildah("mount", container)))


GIVEN = ("--build-context", "extra=../extra")


def test_a_folder_is_copied_as_buildah_copies_it(repo: Monorepo, storage: Storage) -> None:
    repo.build("copied", *GIVEN)
    # buildah 1.28 knows no ignore file of such a context: what it would leave out goes before.
    (repo.root / "../sdk/noise.log").unlink()
    contexts = [f"--build-context=sdk={repo.root}/../sdk", f"--build-context=extra={repo.root}/../extra"]
    files = ("-f", repo.root / "copied.Dockerfile", repo.root / "files")
    storage.buildah("build", "--isolation", "chroot", "-t", "b/copied:1", *contexts, *files)
    assert tree(storage, "localhost/t/copied:1") == tree(storage, "localhost/b/copied:1")


def test_a_folder_is_a_base(repo: Monorepo, storage: Storage) -> None:
    repo.build("based")
    found = tree(storage, "localhost/t/based:1")
    assert set(found) == {".", ".dockerignore", "lib", "lib/a.h", "lib/tool", "own.txt"}
    assert found["lib/a.h"][:3] == ("0o100640", 0, 0)


def test_edits_in_folders_outside_are_seen_and_nothing_else_runs(repo: Monorepo) -> None:
    everything = {"copied/0", "based/0", "outside/0"}
    assert repo.build(*GIVEN) == dict.fromkeys(everything, "run")
    for attempt in ("slow", "quick"):
        assert repo.zbuild("build", *GIVEN).stderr.startswith(UP_TO_DATE), attempt
    for name, wanted in (
        ("../sdk/lib/a.h", everything),
        ("../sdk/new.h", {"copied/0", "based/0"}),
        ("../extra/more.txt", {"copied/0"}),
        ("../sdk/.dockerignore", {"copied/0", "based/0"}),
        ("../sdk/other.log", set()),
        ("../extra/not-copied", set()),
    ):
        repo.write(name, "*.log\n# edited\n")
        actions = repo.build(*GIVEN)
        assert {stage for stage, action in actions.items() if action == "run"} == wanted, name
        assert repo.zbuild("build", *GIVEN).stderr.startswith(UP_TO_DATE), name


def test_a_folder_that_has_gone_is_told_with_its_place(repo: Monorepo) -> None:
    repo.build(*GIVEN)
    (repo.root / "../extra").rename(repo.root / "../elsewhere")
    ended = repo.zbuild("build", *GIVEN)
    assert (ended.code, "there is no folder '../extra'" in ended.stderr) == (2, True)
    (repo.root / "../sdk").rename(repo.root / "../sdk2")
    ended = repo.zbuild("build", "based")
    assert ended.code == 2
    assert "zbuild.yaml:2:8: error[missing-folder]: there is no folder '../sdk'" in ended.stderr


def test_other_contexts_are_other_builds(repo: Monorepo, storage: Storage) -> None:
    repo.build(*GIVEN)
    repo.write("../v2/lib/a.h", "version 2\n")
    repo.build("based", "--build-context", "sdk=../v2")
    assert set(tree(storage, "localhost/t/based:1")) == {".", "lib", "lib/a.h", "own.txt"}
    assert repo.build("based") == {"based/0": "cached"}
    assert "lib/tool" in tree(storage, "localhost/t/based:1")


def test_folders_are_taken_from_where_zbuild_starts(repo: Monorepo) -> None:
    ended = repo.zbuild("build", "copied", "-C", "files", "--build-context", "extra=../../extra")
    assert ended.code == 0, ended.stderr
    assert repo.build("copied", *GIVEN) == {"copied/0": "cached"}


def test_a_context_of_a_stages_name_takes_its_place(repo: Monorepo, storage: Storage) -> None:
    text = "FROM scratch AS sdk\nCOPY not-there /\nFROM sdk\nCOPY --from=sdk lib/a.h /b.h\nCOPY --from=0 lib/a.h /c.h\n"
    repo.write("based.Dockerfile", text)
    assert repo.build("based") == {"based/sdk": "run", "based/1": "run"}
    assert {"b.h", "c.h", "lib/tool"} < set(tree(storage, "localhost/t/based:1"))


def test_a_context_that_nothing_names_is_told_and_changes_nothing(repo: Monorepo) -> None:
    repo.build("based")
    ended = repo.zbuild("build", "based", "--build-context", "sdkk=../extra")
    assert ended.code == 0
    assert "warning: --build-context sdkk is named by none of the build files" in ended.stderr
    assert "0 to run, 1 cached" in ended.stderr or "up to date" in ended.stderr


def test_a_mount_shows_no_more_of_a_context_than_a_copy_takes(repo: Monorepo, storage: Storage) -> None:
    storage.import_busybox("localhost/t/busybox:1")
    mounts = "--mount=from=sdk,target=/sdk --mount=target=/own --mount=from=sdk,source=lib/a.h,target=/a.h"
    repo.write("based.Dockerfile", f"FROM localhost/t/busybox:1\nRUN {mounts} find /sdk /own /a.h | sort > /seen\n")
    repo.write("files/sub/kept.txt", "kept\n")
    repo.build("based")
    seen = ["/a.h", "/own", "/own/own.txt", "/own/sub", "/own/sub/kept.txt"]
    sdk = ["/sdk", "/sdk/.dockerignore", "/sdk/lib", "/sdk/lib/a.h", "/sdk/lib/tool"]
    assert file_in(storage, "seen") == [*seen, *sdk]
    repo.write("files/.dockerignore", "**/*.txt\n!own.txt\n")
    repo.write("../sdk/noise.log", "edited\n")
    assert repo.build("based") == {"based/0": "run"}
    assert file_in(storage, "seen") == ["/a.h", "/own", "/own/.dockerignore", "/own/own.txt", "/own/sub", *sdk]
    repo.write("../sdk/noise.log", "edited again\n")
    assert repo.build("based") == {"based/0": "cached"}
    assert list((repo.root / ".zbuild/mounts").iterdir()) == []


def file_in(storage: Storage, name: str) -> list[str]:
    container = storage.buildah("from", "--pull-never", "localhost/t/based:1")
    return Path(storage.buildah("mount", container), name).read_text().splitlines()
