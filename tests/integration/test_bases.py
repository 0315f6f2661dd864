"""Base images of a registry: asked for seldom, pulled when they must be, and noticed when they move."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.monorepo import Monorepo
from support.registry import PASSWORD, USER, run_registry

if TYPE_CHECKING:
    from support.base_registry import BaseRegistry
    from support.storage import Storage


def let_an_hour_pass(on_base: Monorepo) -> None:
    """Make what was noted of bases as old as it would be then, and forget what the last command saw."""
    for note in (on_base.root / ".zbuild/fetched").glob("*.json"):
        told = json.loads(note.read_text())
        if "asked" in told:
            note.write_text(json.dumps(told | {"asked": str(float(told["asked"]) - 3600)}))
    for stamp in (on_base.root / ".zbuild/plan").glob("*.stamp"):
        stamp.unlink()


def heads(asked: list[tuple[str, str]]) -> int:
    return sum(method == "HEAD" and "/manifests/" in path for method, path in asked)


def test_a_registry_is_asked_once_an_hour(on_base: Monorepo, bases: BaseRegistry, base_name: str) -> None:
    bases.push("one", base_name)
    assert on_base.build()["api/0"] == "run"
    assert heads(bases.answers()) >= 1
    for attempt in ("noted", "by the stamp"):
        assert "2 images up to date" in on_base.zbuild("build").stderr, attempt
    on_base.write("other/more", "x")
    assert set(on_base.build().values()) == {"cached"}
    assert bases.answers() == []
    let_an_hour_pass(on_base)
    assert set(on_base.build().values()) == {"cached"}
    assert bases.answers() == [("HEAD", f"/v2/{base_name.replace(':', '/manifests/')}")]
    assert set(on_base.build().values()) == {"cached"}
    assert bases.answers() == []


def test_only_what_stands_on_a_base_that_moved_runs_again(
    on_base: Monorepo, bases: BaseRegistry, base_name: str
) -> None:
    old = bases.push("one", base_name)
    on_base.build()
    new = bases.push("two", base_name)
    assert set(on_base.build().values()) == {"cached"}
    let_an_hour_pass(on_base)
    bases.answers()
    told = on_base.zbuild("explain", "api").stdout
    assert f"api: run: its base {bases.address}/{base_name} moved" in told
    assert f"  FROM {bases.address}/{base_name}\n    base: {old} -> {new}" in told
    assert on_base.plan() == {"api/0": "run", "other/0": "cached"}
    assert on_base.build() == {"api/0": "run", "other/0": "cached"}
    assert "2 images up to date" in on_base.zbuild("build").stderr


@pytest.mark.parametrize("flags", [["--pull"], ["--pull=always"], ["--pull", "always"]])
def test_pull_asks_at_once(on_base: Monorepo, bases: BaseRegistry, base_name: str, flags: list[str]) -> None:
    bases.push("one", base_name)
    on_base.build()
    bases.push("two", base_name)
    assert on_base.build(*flags, "api") == {"api/0": "run"}
    bases.answers()
    assert on_base.build(*flags, "api") == {"api/0": "cached"}
    assert heads(bases.answers()) == 1


def test_the_command_line_goes_before_what_build_files_ask(
    on_base: Monorepo, bases: BaseRegistry, base_name: str
) -> None:
    bases.push("one", base_name)
    on_base.write("zbuild.yaml", "images:\n  api: {context: api, pull: always}\n")
    on_base.build()
    bases.answers()
    for flags, asked in (((), 1), ((), 1), (("--pull=newer",), 0), (("--pull=never",), 0)):
        assert on_base.build(*flags) == {"api/0": "cached"}
        assert heads(bases.answers()) == asked, flags


def test_offline_what_is_here_is_used(on_base: Monorepo, bases: BaseRegistry, base_name: str) -> None:
    bases.push("one", base_name)
    on_base.build()
    bases.go_away()
    let_an_hour_pass(on_base)
    on_base.write("api/Dockerfile", (on_base.root / "api/Dockerfile").read_text() + "RUN true\n")
    ended = on_base.zbuild("build")
    assert ended.code == 0
    assert ended.stderr.count("; the images that are here are used") == 1
    ended = on_base.zbuild("build", "--pull")
    assert (ended.code, base_name in ended.stderr) == (4, True)


@pytest.mark.parametrize(("policy", "warnings"), [("newer", 1), ("missing", 0), ("never", 0)])
def test_offline_another_workspace_finds_what_was_pulled(
    on_base: Monorepo, bases: BaseRegistry, base_name: str, tmp_path: Path, policy: str, warnings: int
) -> None:
    for version in ("one", "two"):
        bases.push(version, base_name)
        on_base.build("--pull", "api")
    bases.go_away()
    other = Monorepo(tmp_path / "other", on_base.environment)
    for name in ("zbuild.yaml", "other/Dockerfile"):
        other.write(name, (on_base.root / name).read_text())
    other.write("api/Dockerfile", f"FROM {bases.address}/{base_name}\nRUN test $VERSION = two\n")
    ended = other.zbuild("build", f"--pull={policy}")
    assert (ended.code, ended.stderr.count("; the images that are here are used")) == (0, warnings), ended.stderr
    assert other.zbuild("build", "--pull=always").code == 4


@pytest.mark.parametrize("policy", ["newer", "missing"])
def test_offline_a_base_that_is_not_here_is_an_error_at_its_place(
    on_base: Monorepo, bases: BaseRegistry, policy: str
) -> None:
    bases.go_away()
    ended = on_base.zbuild("build", f"--pull={policy}")
    assert ended.code == 4
    assert "api/Dockerfile:1:6: error[" in ended.stderr


def test_a_refusal_fails_at_once(on_base: Monorepo, bases: BaseRegistry, base_name: str) -> None:
    bases.push("one", base_name)
    for status, code in ((401, "registry-denied"), (403, "registry-denied"), (404, "not-in-registry")):
        bases.faults["/manifests/"] = status
        bases.answers()
        ended = on_base.zbuild("build", "api")
        assert (ended.code, f"error[{code}]" in ended.stderr) == (4, True), ended.stderr
        assert heads(bases.answers()) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_a_registry_in_trouble_is_asked_again(
    on_base: Monorepo, bases: BaseRegistry, base_name: str, status: int
) -> None:
    bases.push("one", base_name)
    bases.faults["/manifests/"] = status
    bases.passing = 2
    assert on_base.build("api") == {"api/0": "run"}
    assert heads(bases.answers()) >= 3


def test_one_base_of_many_images_is_asked_for_once(on_base: Monorepo, bases: BaseRegistry, base_name: str) -> None:
    bases.push("one", base_name)
    names = [f"i{number}" for number in range(10)]
    on_base.write("zbuild.yaml", "images:\n" + "".join(f"  {one}: {{context: {one}}}\n" for one in names))
    for one in names:
        on_base.write(
            f"{one}/Dockerfile",
            f"FROM {bases.address}/{base_name} AS a\nCOPY Dockerfile /a\n"
            f"FROM {bases.address}/{base_name}\nCOPY --from={bases.address}/{base_name} /bin/sh /{one}\n"
            "COPY --from=a /a /\n",
        )
    assert set(on_base.build("-j8").values()) == {"run"}
    asked = bases.answers()
    assert asked.count(("HEAD", f"/v2/{base_name.replace(':', '/manifests/')}")) == 1
    blobs = [one for one in asked if "/blobs/" in one[1]]
    assert len(blobs) == len(set(blobs)) + 1, "the configuration alone is fetched twice: to plan, and with the layers"


def test_an_index_means_the_manifest_of_the_platform(on_base: Monorepo, bases: BaseRegistry, base_name: str) -> None:
    digest = bases.push_index("one", base_name)
    assert on_base.build("api") == {"api/0": "run"}
    on_base.zbuild("lock")
    assert f"digest: {digest}" in (on_base.root / "zbuild.lock").read_text()
    assert on_base.build("api") == {"api/0": "cached"}


def test_a_registry_that_wants_a_password_gets_it(
    on_base: Monorepo, elsewhere: Storage, tmp_path_factory: pytest.TempPathFactory, base_name: str
) -> None:
    with run_registry(tmp_path_factory.mktemp("closed"), closed=True) as closed:
        source, target = "localhost/version/one:1", f"docker://{closed}/{base_name}"
        elsewhere.buildah("push", "-q", "--tls-verify=false", "--creds", f"{USER}:{PASSWORD}", source, target)
        on_base.write("api/Dockerfile", f"FROM {closed}/{base_name}\nRUN true\n")
        ended = on_base.zbuild("build", "api")
        assert (ended.code, "error[registry-denied]" in ended.stderr) == (4, True)
        auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        Path(on_base.environment["REGISTRY_AUTH_FILE"]).write_text(json.dumps({"auths": {closed: {"auth": auth}}}))
        assert on_base.build("api") == {"api/0": "run"}


def test_what_copies_from_an_image_follows_it(on_base: Monorepo, bases: BaseRegistry, base_name: str) -> None:
    bases.push("one", base_name)
    on_base.write("api/Dockerfile", f"FROM scratch\nCOPY --from={bases.address}/{base_name} /bin/busybox /b\n")
    on_base.build("api")
    bases.push("two", base_name)
    assert on_base.build("--pull", "api") == {"api/0": "run"}


def test_a_base_that_left_the_store_during_the_build_is_pulled_again(
    on_base: Monorepo, bases: BaseRegistry, base_name: str, storage: Storage
) -> None:
    bases.push("one", base_name)
    on_base.build("api")
    storage.buildah("rmi", "--all", "--force")
    assert on_base.build("api") == {"api/0": "run"}
