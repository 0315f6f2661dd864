"""RUN by the runtime itself and RUN by `buildah run`: the same image, the same surroundings, the same failures."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.lab import run
from support.run_ways import WAYS, build, build_both_ways, failure, shell, use_all_of_busybox

from zbuild.backend.buildah.exit_program import exit_program
from zbuild.base.platform import host_platform
from zbuild.model.image_config import ImageConfig
from zbuild.model.mounts import BindMount, CacheMount, TmpfsMount
from zbuild.model.steps import FolderStep

if TYPE_CHECKING:
    from support.lab import Lab, RecordingRunner

PATH = (("PATH", "/bin"),)


@pytest.fixture
def ways_lab(buildah_lab: Lab, runner: RecordingRunner) -> Lab:
    use_all_of_busybox(buildah_lab)
    runner.called.clear()
    return buildah_lab


STAGES: dict[str, tuple[Any, ...]] = {
    "files": (
        shell("mkdir -p /a/b; echo x > /a/b/f; chmod 4750 /a/b/f; chown 33:44 /a; ln -s b /a/l; ln /a/b/f /h"),
        shell("mkfifo /a/p; touch '/a/ü b'; chmod 1777 /a/b"),
    ),
    "removed": (shell("rm /bin/say /etc/group; rm -r /etc; mkdir /etc; touch /etc/new"),),
    "user": (shell("mkdir -m 1777 /work"), shell("id > id; touch x", user="web", workdir="/work")),
    "workdir": (shell("pwd; touch f", user="web:staff", workdir="/made/by/user"), shell("ls -ldn /made /made/by/user")),
    "own folder": (FolderStep("/srv"), shell("touch f; ls -ldn .", workdir="/srv")),
    "mount points": (shell("touch /dev/x /run/y; echo h > /etc/hosts; echo z > /etc/resolv.conf; rm /run/y"),),
    "host files": (
        shell("rm -rf /run; mkdir -p /run/secrets; touch /run/secrets/kept"),
        shell("cat /run/.containerenv; ls -A /run"),
    ),
    "mounts": (
        shell(
            "touch /c/x /t/x; cat /in/f; touch /in/x || echo readonly; grep -cE ' /(c|t|in) ' /proc/mounts",
            mounts=(CacheMount("/c"), TmpfsMount("/t", 1 << 20), BindMount("/in", "src")),
        ),
    ),
    "mount in use": (shell("touch /m/beside", mounts=(CacheMount("/m/cache", readonly=True),)),),
    "dropped": (shell("touch /in/x; ls /in", mounts=(BindMount("/in", "src", readwrite=True),)),),
    "over buildah's": (shell("touch /run/c/x; ls -A /run", mounts=(CacheMount("/run/c"), TmpfsMount("/run/t"))),),
    "a file over buildah's": (shell("cat /etc/hosts", mounts=(BindMount("/etc/hosts", "src/f"),)),),
    "alone": (shell("cut -d: -f1 /proc/net/dev; cat /etc/hosts; ls /etc", network="none"),),
    "env": (
        run("/bin/env", env=(*PATH, ("ODD", "a $HOME \"b\" 'c' \\ , = ü\nsecond"), ("HOME", ""), ("A", ""))),
        run("/bin/env", user="web", env=(("A", "1"), ("HOSTNAME", "mine"), ("A", "2"))),
    ),
    "streams": (shell("echo out; echo err >&2; cat; test -t 0 || echo no terminal; echo x > /dev/stdout", user="web"),),
}


@pytest.mark.parametrize("stage", STAGES)
def test_stages_are_equal(ways_lab: Lab, runner: RecordingRunner, stage: str) -> None:
    ways_lab.put("src/f", "content")
    steps = [_in_context(step, ways_lab) for step in STAGES[stage]]
    result = build_both_ways(ways_lab, *steps)
    assert not [line for line in result.errors if "not found" in line]
    # What is written to a bind is dropped by an overlay, which is left to buildah.
    assert ("runc" in runner.called) == (stage != "dropped")


def _in_context(step: Any, lab: Lab) -> Any:
    return replace(step, origins=(("", lab.context),)) if getattr(step, "mounts", ()) else step


def test_scratch_gets_the_same_mount_points(ways_lab: Lab) -> None:
    ways_lab.put("bin/busybox")
    file = ways_lab.workspace / "context/bin/busybox"
    file.write_bytes(Path("/bin/busybox").read_bytes())
    file.chmod(0o755)
    steps = (ways_lab.copy("bin", dest="/bin/"), run("/bin/busybox", "env", env=(("A", "1"),)))
    result = build_both_ways(ways_lab, *steps, base=None, config=ImageConfig())
    assert {"dev", "etc/hosts", "proc", "run", "sys"} <= set(result.tree)


@pytest.mark.parametrize("network", ["", "none"])
def test_links_in_place_of_mount_points(ways_lab: Lab, network: str) -> None:
    """As images of systemd's distributions have them: /etc/resolv.conf leads to where nothing is."""
    ways_lab.put("etc/x")
    for name, target in (("resolv.conf", "../run/stub.conf"), ("hosts", "/etc/target"), ("hostname", "../../../up")):
        (ways_lab.workspace / "context/etc" / name).symlink_to(target)
    steps = (ways_lab.copy("etc", dest="/etc/"), shell("ls -A /etc /run; cat /etc/resolv.conf; true", network=network))
    build_both_ways(ways_lab, *steps)


def test_settings_of_the_base_hold_in_runs(ways_lab: Lab) -> None:
    config = ImageConfig(env=(("PATH", "/bin"), ("FROM_BASE", "1"), ("BOTH", "base")), user="web", workdir="/nowhere")
    _rebase(ways_lab, config)
    result = build_both_ways(ways_lab, shell("id; env; pwd", env=(("BOTH", "step"),)))
    assert {"FROM_BASE=1", "BOTH=step", "PATH=/bin", "/"} <= set(result.output)


def test_what_is_written_to_volumes_of_the_base_stays(ways_lab: Lab) -> None:
    config = ImageConfig(env=PATH, volumes=("/data", "/with, comma"))
    _rebase(ways_lab, config)
    again = shell("test -e /data/kept && touch '/with, comma/too'", workdir="/data")
    result = build_both_ways(ways_lab, shell("mkdir /data '/with, comma'; touch /data/kept"), again, config=config)
    assert {"data/kept", "with, comma/too"} <= set(result.tree)


def _rebase(lab: Lab, config: ImageConfig) -> None:
    made = lab.build("below", config=config)
    lab.base = lab.backend.resolve(made.image_id, host_platform(), "never")


def test_zbuilds_own_umask_changes_nothing(ways_lab: Lab) -> None:
    step = shell("umask; touch /f; mkdir /d", workdir="/w")
    plain = build(ways_lab, "direct", step)
    before = os.umask(0o077)
    try:
        assert build_both_ways(ways_lab, step) == plain
    finally:
        os.umask(before)


@pytest.mark.parametrize("user", ["", "web", "33", "34", "web:staff", "77:88", ":50", "web:"])
def test_users_are_equal(ways_lab: Lab, user: str) -> None:
    build_both_ways(ways_lab, shell("id; echo $HOME", user=user))


PROBES = (
    "id; echo $$; hostname; pwd; date +%Z; ls /proc/self/ns; ls -d /proc/[0-9]*",
    "grep -E 'Cap|NoNew|Seccomp|Groups' /proc/self/status; umask; cat /proc/self/oom_score_adj /proc/self/limits",
    "cd /dev; ls -lnA . | cut -c-34; ls -A shm pts mqueue; cat /proc/self/cgroup",
    "cat /etc/hosts /etc/resolv.conf /etc/hostname /run/.containerenv; ls -lan /etc /run | cut -c-34",
    "cut -d: -f1 /proc/net/dev; cat /proc/sys/net/ipv4/ping_group_range",
    "touch /sys/x /proc/sys/kernel/hostname /proc/sysrq-trigger /proc/irq/x; mkdir /sys/fs/cgroup/x",
    "cd /proc; for f in kcore keys timer_list sched_debug acpi scsi; do ls -ld $f | cut -c-10; done; ls /sys/firmware",
    "mount -t tmpfs x /etc; unshare -U true; chroot / true && echo chroot; mknod /n c 1 3; mkdir /var; swapoff /x",
)


@pytest.mark.parametrize("user", ["", "web"])
def test_surroundings_are_equal(ways_lab: Lab, user: str) -> None:
    result = build_both_ways(ways_lab, *(shell(f"{probe}; true", user=user) for probe in PROBES))
    assert "Seccomp:\t2" in result.output
    assert not [line for line in result.errors if "not found" in line]


@pytest.mark.parametrize("network", ["", "none"])
def test_mounts_seen_are_equal(ways_lab: Lab, network: str) -> None:
    step = shell("cat /proc/self/mountinfo", network=network)
    direct, other = ({_mount(line) for line in build(ways_lab, way, step).output} for way in WAYS)
    assert direct == other
    assert any(place == "/dev/mqueue" for place, *_ in direct)


def _mount(line: str) -> tuple[str, ...]:
    """Return place, options and type of a line of mountinfo (proc(5))."""
    left, _, right = line.partition(" - ")
    return (*left.split()[4:6], right.split()[0])


@pytest.mark.parametrize("argv", [("sh", "-c", "exit 200"), ("/nope",), ("nope",), ("/etc",), ("sh", "-c", "nope")])
def test_exit_codes_are_equal(ways_lab: Lab, argv: tuple[str, ...]) -> None:
    direct, other = (failure(ways_lab, way, run(*argv)) for way in WAYS)
    assert direct == other


def test_death_by_a_signal_is_told_as_shells_do(ways_lab: Lab) -> None:
    """buildah 1.28 makes 1 of it. A container's first process dies of faults alone, as here by code that is none."""
    program = exit_program(host_platform().architecture)
    assert program
    ways_lab.put("crash")
    file = ways_lab.workspace / "context/crash"
    file.write_bytes(program[:120] + bytes(len(program) - 120))
    file.chmod(0o755)
    code, returncode = failure(ways_lab, "direct", ways_lab.copy("crash", dest="/crash"), run("/crash"))
    assert code == "run-failed"
    assert returncode in (128 + 4, 128 + 11)


@pytest.mark.parametrize("user", ["nobody", "web:nogroup", "5000000000", "-1"])
def test_unknown_users_are_told_equally(ways_lab: Lab, user: str) -> None:
    assert {failure(ways_lab, way, run("/bin/id", user=user)) for way in WAYS} == {("unknown-user", None)}
