"""The runtime spec of a RUN, made of buildah's own: what is replaced, what is kept, and what is not understood."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from zbuild.backend.buildah.direct import fits
from zbuild.backend.buildah.oci_spec import RunPlace, runtime_spec, unknown_part
from zbuild.backend.buildah.run_mount import Bind, Tmpfs
from zbuild.backend.buildah.run_user import RunUser
from zbuild.model.steps import RunStep

FILES = {"/etc/hosts": "/b/hosts", "/run/.containerenv": "/b/.containerenv"}
PLACE = RunPlace("/root", "0123456789ab", RunUser(33, 44, (44, 50)), FILES)
DEFAULT_PATH = "PATH=/usr/bin:/bin"


def template(**linux: Any) -> dict[str, Any]:
    """Return a spec as buildah writes it, cut down to one thing of each kind."""
    return {
        "ociVersion": "1.0.2-dev",
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": ["/"],
            "env": [DEFAULT_PATH, "HOSTNAME=ffffffffffff"],
            "cwd": "/",
            "capabilities": {"bounding": ["CAP_CHOWN"]},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
        },
        "root": {"path": "/var/tmp/buildah1/mnt/rootfs"},  # noqa: S108 - buildah's, and only a text
        "hostname": "ffffffffffff",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid"]},
            {"destination": "/etc/hosts", "type": "bind", "source": "/gone/hosts", "options": ["rbind"]},
            {"destination": "/run/.containerenv", "type": "bind", "source": "/gone/env", "options": ["rbind"]},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": []},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": []},  # noqa: S108 - a mount
        ],
        "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}], "seccomp": {"defaultAction": "X"}, **linux},
    }


def spec_of(step: RunStep, *mounts: Bind | Tmpfs, env: tuple[tuple[str, str], ...] = ()) -> dict[str, Any]:
    return runtime_spec(template(), step, env, mounts, PLACE)


def test_what_differs_from_run_to_run_is_replaced() -> None:
    made = spec_of(RunStep(("a", "b c"), workdir="/w"))
    assert made["process"]["args"] == ["a", "b c"]
    assert made["process"]["user"] == {"uid": 33, "gid": 44, "additionalGids": [44, 50]}
    assert (made["process"]["cwd"], made["root"], made["hostname"]) == ("/w", {"path": "/root"}, "0123456789ab")


def test_what_the_host_decides_is_kept() -> None:
    made, kept = spec_of(RunStep(("a",))), template()
    assert made["linux"] == kept["linux"]
    assert made["process"]["capabilities"] == kept["process"]["capabilities"]
    assert made["process"]["rlimits"] == kept["process"]["rlimits"]


def test_the_template_is_not_changed() -> None:
    one = template()
    runtime_spec(one, RunStep(("a",), env=(("A", "1"),)), (("B", "2"),), (Tmpfs("/t"),), PLACE)
    assert one == template()


@pytest.mark.parametrize(
    ("base", "own", "env"),
    [
        ((), (), [DEFAULT_PATH, "HOSTNAME=0123456789ab"]),
        ((("A", "1"),), (("A", "2"), ("B", "")), [DEFAULT_PATH, "A=2", "B=", "HOSTNAME=0123456789ab"]),
        ((), (("A", "1"), ("A", "2=3")), [DEFAULT_PATH, "A=2=3", "HOSTNAME=0123456789ab"]),
        ((("PATH", "/x"),), (("HOSTNAME", "h"),), ["PATH=/x", "HOSTNAME=h"]),
    ],
)
def test_later_settings_win(base: Any, own: Any, env: list[str]) -> None:
    assert spec_of(RunStep(("a",), env=own), env=base)["process"]["env"] == env


def test_mounts_are_in_order_and_have_their_sources() -> None:
    made = spec_of(RunStep(("a",)), Bind("/src", "/run/x/y", "ro"), Tmpfs("/run", 5), Tmpfs("/dev/shm"))  # noqa: S108
    places = [mount["destination"] for mount in made["mounts"]]
    assert places.index("/run") < places.index("/run/.containerenv") < places.index("/run/x/y")
    assert places.count("/dev/shm") == 1  # noqa: S108 - a mount
    by_place = {mount["destination"]: mount for mount in made["mounts"]}
    assert by_place["/etc/hosts"]["source"] == "/b/hosts"
    assert by_place["/run/x/y"] == {
        "destination": "/run/x/y",
        "type": "bind",
        "source": "/src",
        "options": ["ro", "private", "rbind"],
    }
    assert by_place["/run"]["options"] == ["rw", "private", "size=5"]
    assert by_place["/dev/shm"]["source"] == "tmpfs"  # noqa: S108 - a mount


def test_a_template_that_is_understood() -> None:
    assert unknown_part(template(uidMappings=[], sysctl={"a": "b"})) == ""


@pytest.mark.parametrize(
    ("linux", "problem"),
    [
        ({"mountLabel": "system_u"}, "linux.mountLabel"),
        ({"uidMappings": [{}]}, "linux.uidMappings"),
        ({"namespaces": [{"type": "user"}]}, "a user namespace"),
        ({"namespaces": [{"type": "network", "path": "/run/netns/x"}]}, "a network namespace"),
    ],
)
def test_parts_of_linux_that_are_not_understood(linux: dict[str, Any], problem: str) -> None:
    assert unknown_part(template(**linux)) == problem


def test_other_parts_that_are_not_understood() -> None:
    assert unknown_part({**template(), "hooks": {"prestart": [{}]}}) == "hooks"
    process = {**template()["process"], "selinuxLabel": "x"}
    assert unknown_part({**template(), "process": process}) == "process.selinuxLabel"
    secrets = {"destination": "/run/secrets", "type": "bind", "source": "/s"}
    assert unknown_part({**template(), "mounts": [secrets]}) == "a mount at /run/secrets"


def test_what_is_left_to_buildah() -> None:
    step = RunStep(("a",))
    assert fits(step, (Bind("/a", "/b", "rw"), Tmpfs("/t")))
    assert not fits(step, (Bind("/a", "/b", "O"),))
    assert not fits(replace(step, env=(("A", "\udcff"),)), ())
