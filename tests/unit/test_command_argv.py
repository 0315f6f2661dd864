"""Commands as data: their printed form, and the argument vectors given to buildah."""

from __future__ import annotations

import pytest

from zbuild.backend.buildah import commands
from zbuild.backend.buildah.commands import Isolation
from zbuild.backend.buildah.run_mount import Bind, Tmpfs, mount_flags
from zbuild.backend.command import Command, hide
from zbuild.base.platform import parse_platform
from zbuild.model.steps import RunStep

RUNC = Isolation("oci", "/usr/sbin/runc")


def test_printed_form_is_quoted_and_hides_secrets() -> None:
    command = Command(("tool", "a b", "--key=hunter2", "hunter"), redact=("hunter", "hunter2", ""))
    assert str(command) == "tool 'a b' '--key=***' '***'"


def test_the_longest_secret_goes_first() -> None:
    assert hide("abc ab", ("ab", "abc")) == "*** ***"


def test_run_has_the_steps_settings_and_ends_with_its_command() -> None:
    step = RunStep(("-x", "--y"), env=(("A", "1 2"), ("B", "")), user="web", workdir="/srv", timeout=1_500_000_000)
    command = commands.run("box", step, RUNC, "none", ("--volume", "/a:/b:ro"))
    assert command.argv == (
        *("buildah", "run", "--isolation", "oci", "--runtime", "/usr/sbin/runc", "--network", "none"),
        *("--workingdir", "/srv", "--user", "web", "--env", "A=1 2", "--env", "B=", "--volume", "/a:/b:ro"),
        *("box", "--", "-x", "--y"),
    )
    assert command.timeout == 1.5
    assert "1 2" not in str(command)


def test_run_without_user_leaves_it_to_the_image() -> None:
    argv = commands.run("box", RunStep(("true",)), Isolation("chroot"), "host", ()).argv
    assert argv == (
        "buildah",
        "run",
        "--isolation",
        "chroot",
        "--network",
        "host",
        "--workingdir",
        "/",
        "box",
        "--",
        "true",
    )


def test_proxies_never_come_in_and_nothing_is_pulled() -> None:
    argv = commands.create("box", "scratch", "docker", parse_platform("linux/arm64")).argv
    assert {"--pull-never", "--http-proxy=false"} <= set(argv)
    assert argv[-3:] == ("--platform", "linux/arm64", "scratch")
    assert "--platform" not in commands.create("box", "id").argv


def test_commit_adds_no_label() -> None:
    assert "--identity-label=false" in commands.commit("box", "name", "oci").argv


def test_only_loopback_is_pulled_without_tls() -> None:
    assert "--tls-verify=false" in commands.pull("x", None, insecure=True, timeout=1).argv
    assert "--tls-verify=false" not in commands.pull("x", None, insecure=False, timeout=1).argv


@pytest.mark.parametrize(
    ("mount", "flags"),
    [
        (Bind("/a, b", "/c d", "ro"), ("--volume", "/a, b:/c d:ro")),
        (Bind("/a:b", "/c", "rw"), ("--mount", "type=bind,source=/a:b,target=/c,rw")),
        (Bind("/a", "/c", "O"), ("--volume", "/a:/c:O")),
        (Tmpfs("/t"), ("--mount", "type=tmpfs,target=/t")),
        (Tmpfs("/t", 5), ("--mount", "type=tmpfs,target=/t,tmpfs-size=5")),
    ],
)
def test_mounts_take_odd_paths(mount: Bind | Tmpfs, flags: tuple[str, ...]) -> None:
    assert mount_flags((mount, mount)) == flags + flags


@pytest.mark.parametrize("mount", [Bind("/a:b,c", "/c", "ro"), Bind("/a:b", "/c", "O"), Tmpfs("/t,size=1")])
def test_mounts_that_buildah_would_misread_are_refused(mount: Bind | Tmpfs) -> None:
    with pytest.raises(ValueError, match="buildah takes no"):
        mount_flags((mount,))
