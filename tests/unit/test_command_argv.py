"""Commands as data: their printed form, and the argument vectors given to buildah."""

from __future__ import annotations

import pytest

from zbuild.backend.buildah import commands
from zbuild.backend.buildah.commands import Isolation
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
    ("source", "target", "access", "flags"),
    [
        ("/a, b", "/c d", "ro", ("--volume", "/a, b:/c d:ro")),
        ("/a:b", "/c", "rw", ("--mount", "type=bind,source=/a:b,target=/c,rw")),
        ("/a", "/c", "O", ("--volume", "/a:/c:O")),
    ],
)
def test_volume_takes_odd_paths(source: str, target: str, access: str, flags: tuple[str, ...]) -> None:
    assert commands.volume(source, target, access) == flags


@pytest.mark.parametrize(("source", "access"), [("/a:b,c", "ro"), ("/a:b", "O")])
def test_volume_refuses_what_buildah_would_misread(source: str, access: str) -> None:
    with pytest.raises(ValueError, match="buildah takes no such path"):
        commands.volume(source, "/c", access)


def test_tmpfs() -> None:
    assert commands.tmpfs("/t", 0) == ("--mount", "type=tmpfs,target=/t")
    assert commands.tmpfs("/t", 5) == ("--mount", "type=tmpfs,target=/t,tmpfs-size=5")
    with pytest.raises(ValueError, match="takes no ','"):
        commands.tmpfs("/t,size=1", 0)
