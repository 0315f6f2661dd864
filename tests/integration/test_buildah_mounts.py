"""Mounts of RUN: caches, binds, tmpfs; none of them reaches what it must not."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.lab import run

from zbuild.base.errors import StageError
from zbuild.events.types import Output
from zbuild.model.mounts import BindMount, CacheMount, TmpfsMount
from zbuild.model.steps import StageOrigin

if TYPE_CHECKING:
    from support.lab import Lab


def shell(text: str, *mounts: Any, **fields: Any) -> Any:
    return run("/bin/sh", "-c", text, mounts=mounts, **fields)


def listing(lab: Lab, image_id: str) -> list[str]:
    """Return the paths of an image's folders and files, less what the base has."""
    root = lab.backend._roots.root(image_id).decode()
    return sorted(str(path.relative_to(root)) for path in Path(root).glob("*") if path.name not in BASE)


BASE = {"bin", "dev", "etc", "proc", "run", "sys"}


def test_cache_lives_on_and_stays_out_of_the_image(buildah_lab: Lab) -> None:
    cache = CacheMount("/cache/deep")
    buildah_lab.build("c1", shell("echo kept > /cache/deep/f", cache))
    result = buildah_lab.build("c2", shell("cat /cache/deep/f", cache), shell("test ! -e /cache || touch /bad"))
    assert Output("c2", "kept") in buildah_lab.events
    assert listing(buildah_lab, result.image_id) == []


def test_mount_point_that_is_used_stays(buildah_lab: Lab) -> None:
    result = buildah_lab.build("c", shell("touch /made/beside", CacheMount("/made/cache")))
    assert listing(buildah_lab, result.image_id) == ["made"]
    assert buildah_lab.read(result.image_id, "/made/beside") == ""


def test_cache_id_names_no_folder_of_the_host(buildah_lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("host")
    for ident in ("../..", "/", "a/../../.."):
        buildah_lab.build("c", shell("ls -A /c; touch /c/x", CacheMount("/c", id=ident)))
    assert [event for event in buildah_lab.events if isinstance(event, Output)] == []
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "base") == [".zbuild", "secret"]


def test_cache_mode_owner_and_readonly(buildah_lab: Lab) -> None:
    buildah_lab.build("c", shell("ls -ldn /c", CacheMount("/c", mode="0750", uid=33, gid=44)))
    (line,) = [event.line for event in buildah_lab.events if isinstance(event, Output)]
    assert line.split()[0] == "drwxr-x---"
    assert line.split()[2:4] == ["33", "44"]
    with pytest.raises(StageError) as raised:
        buildah_lab.build("r", shell("touch /c/x", CacheMount("/c", readonly=True)))
    assert "Read-only" in raised.value.tail[-1]


def test_a_cache_begins_with_what_its_source_holds(buildah_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    seed = buildah_lab.build("seed", run("/bin/sh", "-c", "mkdir -m 750 /s; echo old > /s/f; touch /s/g"))
    fields = {"origins": (("s", StageOrigin("v")),)}
    cache = CacheMount("/c", "/c", source="s", path="/s")
    for way in ("direct", "buildah"):
        monkeypatch.setenv("ZBUILD_RUN", way)
        step = shell("cat /c/f; echo new > /c/f", replace(cache, id=way), **fields)
        for key in ("first", "second"):
            buildah_lab.build(f"{key}-{way}", step, images={"v": seed.image_id})
        assert Output(f"first-{way}", "old") in buildah_lab.events
        assert Output(f"second-{way}", "new") in buildah_lab.events
    other = buildah_lab.build("other", run("/bin/sh", "-c", "mkdir /s; echo other > /s/f"))
    buildah_lab.build("changed", shell("cat /c/f", replace(cache, id="direct"), **fields), images={"v": other.image_id})
    assert Output("changed", "other") in buildah_lab.events
    owned = replace(cache, id="owned", mode="0700", uid=33)
    buildah_lab.build("o", shell("ls -ldn /c; ls /c", owned, **fields), images={"v": seed.image_id})
    told = [event.line.split() for event in buildah_lab.events if isinstance(event, Output) and event.stage == "o"]
    assert (told[0][0], told[0][2], told[1:]) == ("drwx------", "33", [["f"], ["g"]])


@pytest.mark.parametrize(("sharing", "seen"), [("locked", {"a:", "b:a"}), ("private", {"a:", "b:"})])
def test_sharing(buildah_lab: Lab, sharing: Any, seen: set[str]) -> None:
    cache = CacheMount("/c", id=sharing, sharing=sharing)

    def build(name: str) -> None:
        text = f'echo "{name}:$(cat /c/who 2>/dev/null)"; sleep 1; echo -n {name} > /c/who'
        buildah_lab.build(name, shell(text, cache))

    with ThreadPoolExecutor() as threads:
        first = threads.submit(build, "a")
        time.sleep(0.4)
        threads.submit(build, "b").result()
        first.result()
    assert {event.line for event in buildah_lab.events if isinstance(event, Output)} == seen


def test_bind_of_the_context_is_seen_and_safe(buildah_lab: Lab, tmp_path: Path) -> None:
    buildah_lab.put("src/f", "content\n")
    fields = {"origins": (("", buildah_lab.context),)}
    bind = BindMount("/in", path="src")
    result = buildah_lab.build("b", shell("cat /in/f; touch /in/x || echo readonly", bind, **fields))
    assert Output("b", "readonly") in buildah_lab.events
    buildah_lab.build("w", shell("touch /in/x /in/f && ls /in", BindMount("/in", "src", readwrite=True), **fields))
    assert Output("w", "x") in buildah_lab.events
    assert [path.name for path in (tmp_path / "context/src").iterdir()] == ["f"]
    assert listing(buildah_lab, result.image_id) == []


def test_bind_of_a_file(buildah_lab: Lab) -> None:
    buildah_lab.put("conf", "setting")
    step = shell("cat /etc/app/conf", BindMount("/etc/app/conf", path="/conf"), origins=(("", buildah_lab.context),))
    result = buildah_lab.build("b", step)
    assert Output("b", "setting") in buildah_lab.events
    with pytest.raises(FileNotFoundError):
        buildah_lab.read(result.image_id, "/etc/app/conf")


def test_bind_of_a_stage(buildah_lab: Lab) -> None:
    assert buildah_lab.base
    step = shell("cat /in/group", BindMount("/in", "/etc", "s"), origins=(("s", StageOrigin("v")),))
    buildah_lab.build("b", step, images={"v": buildah_lab.base.image_id})
    assert Output("b", "staff:x:50:") in buildah_lab.events


@pytest.mark.parametrize("path", ["out", "../../..", "/../secret", "missing"])
def test_bind_never_leaves_its_tree(buildah_lab: Lab, tmp_path: Path, path: str) -> None:
    (tmp_path / "secret").write_text("host")
    buildah_lab.put("f")
    (tmp_path / "context/out").symlink_to(tmp_path / "secret")
    step = shell("cat /in; ls /in", BindMount("/in", path=path), origins=(("", buildah_lab.context),))
    try:
        buildah_lab.build("b", step)
    except StageError as error:
        assert error.code == "bad-mount"  # noqa: PT017 - some of these paths are the context itself
    told = [event.line for event in buildah_lab.events if isinstance(event, Output)]
    assert "host" not in told
    assert "secret" not in told


def test_tmpfs(buildah_lab: Lab) -> None:
    result = buildah_lab.build("t", shell("touch /t/x; grep ' /t ' /proc/mounts", TmpfsMount("/t", 1 << 20)))
    (line,) = [event.line for event in buildah_lab.events if isinstance(event, Output)]
    assert line.split()[2] == "tmpfs"
    assert "size=1024k" in line
    assert listing(buildah_lab, result.image_id) == []


def test_a_tmpfs_can_be_readonly(buildah_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    for way in ("direct", "buildah"):
        monkeypatch.setenv("ZBUILD_RUN", way)
        buildah_lab.build(way, shell("touch /t/x || echo readonly", TmpfsMount("/t", readonly=True)))
        assert Output(way, "readonly") in buildah_lab.events


def test_mounts_hold_under_chroot_too(buildah_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZBUILD_ISOLATION", "chroot")
    buildah_lab.put("src/f", "content\n")
    mounts = (CacheMount("/c"), BindMount("/in", "src"), BindMount("/rw", "src", readwrite=True), TmpfsMount("/t"))
    step = shell(
        "touch /c/x /t/x /rw/x; cat /in/f; touch /in/x || echo readonly", *mounts, origins=(("", buildah_lab.context),)
    )
    result = buildah_lab.build("m", step)
    told = [event.line for event in buildah_lab.events if isinstance(event, Output)]
    assert {"content", "readonly"} <= set(told)
    assert listing(buildah_lab, result.image_id) == []
