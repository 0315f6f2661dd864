"""What every backend does with an order: steps, results, failures, and being stopped."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from support.lab import BASE_CONFIG, run

from zbuild.base.errors import BackendError, ImageGoneError, InterruptedBuildError, StageError
from zbuild.base.platform import host_platform, parse_platform
from zbuild.base.span import Span
from zbuild.events.types import InstructionFinished, InstructionStarted, Output, StageRetried
from zbuild.model.mounts import SecretMount
from zbuild.model.secrets import SecretSource
from zbuild.model.steps import ContextOrigin, CopyStep, FolderStep, Selection

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.lab import Lab

    from zbuild.backend.protocol import Backend

EPOCH = 1_000_000_000


def test_scratch_holds_what_is_copied(lab: Lab) -> None:
    lab.put("a/one", "1")
    lab.put("a/b/two", "2")
    result = lab.build("scratch", lab.copy("a", dest="/dest/"), base=None)
    assert lab.read(result.image_id, "/dest/one") == "1"
    assert lab.read(result.image_id, "/dest/b/two") == "2"
    assert result.layer_count == len(result.diff_ids) == 1
    assert result.size > 0
    assert result.digest.startswith("sha256:")


def test_base_is_below(lab: Lab) -> None:
    assert lab.base
    lab.put("f", "new")
    result = lab.build("child", lab.copy("f", dest="/opt/f"))
    assert lab.read(result.image_id, "/bin/write").startswith("#!/bin/sh")
    assert lab.read(result.image_id, "/opt/f") == "new"
    assert result.diff_ids[:-1] == lab.base.diff_ids


def test_no_steps_and_no_change_is_an_image_too(lab: Lab) -> None:
    result = lab.build("same")
    assert lab.config(result.image_id) == BASE_CONFIG
    assert result.seconds == ()


def test_run_sees_what_was_copied_and_leaves_files(lab: Lab) -> None:
    lab.put("f", "x")
    result = lab.build("run", lab.copy("f", dest="/f"), run("/bin/write", "/made", "by run"))
    assert lab.read(result.image_id, "/made") == "by run"
    assert lab.read(result.image_id, "/f") == "x"
    assert len(result.seconds) == 2


def test_run_has_the_environment_as_it_is(lab: Lab) -> None:
    value = "a $HOME \"b\" 'c' \\ , = ü"
    lab.build("env", run("/bin/say", "$ODD", env=(("PATH", "/bin"), ("ODD", value))))
    if lab.backend.name == "buildah":  # what a shell makes of it is the shell's business
        lab.build("env2", run("/bin/env", env=(("PATH", "/bin"), ("ODD", value))))
        assert Output("env2", f"ODD={value}") in lab.events
    else:
        assert Output("env", value) in lab.events


def test_events_come_in_order_and_the_log_has_all(lab: Lab, tmp_path: Path) -> None:
    log = tmp_path / "logs" / "stage.log"
    lab.put("f")
    lab.build("told", lab.copy("f", dest="/f"), run("/bin/say", "hello there"), log=str(log))
    assert [type(event) for event in lab.events] == [
        InstructionStarted,
        InstructionFinished,
        InstructionStarted,
        Output,
        InstructionFinished,
    ]
    assert lab.events[2] == InstructionStarted("told", 2, "RUN /bin/say hello there")
    assert lab.events[3] == Output("told", "hello there")
    assert log.read_text().splitlines() == ["--> COPY f /f", "--> RUN /bin/say hello there", "hello there"]


def test_workdir_is_made(lab: Lab) -> None:
    lab.put("f", "deep")
    result = lab.build("folder", FolderStep("/deep/er"), lab.copy("f", dest="/deep/er"))
    assert lab.read(result.image_id, "/deep/er/f") == "deep"


def test_copy_from_a_stage_and_its_exports(lab: Lab) -> None:
    lab.put("out/app", "binary")
    lab.put("out/notes", "1")
    wanted = Selection(("/out/app",))
    missing = Selection(("/not/there",))
    builder = lab.build("builder", lab.copy("out", dest="/out/"), base=None, exports=(wanted, missing))
    copy = lab.copy_from("builder", "/out/app", dest="/app")
    result = lab.build("runtime", copy, images={"builder": builder.image_id})
    assert lab.read(result.image_id, "/app") == "binary"
    # What is told of a result while it is made is what is found in it afterwards; what is not there is not told.
    assert builder.exports == ((wanted, *lab.backend.tree_digest(builder.image_id, [wanted])),)


def test_exports_change_only_with_what_they_select(lab: Lab) -> None:
    wanted = Selection(("/out/app",))

    def export() -> str:
        ((_, digest),) = lab.build("b", lab.copy("out", dest="/out/"), base=None, exports=(wanted,)).exports
        return digest

    lab.put("out/app", "binary")
    lab.put("out/notes", "1")
    first = export()
    lab.put("out/notes", "2")
    assert export() == first
    lab.put("out/app", "another")
    assert export() != first


def test_layers_that_hold_the_same_have_one_digest_whenever_they_were_made(lab: Lab) -> None:
    assert lab.base
    below = len(lab.base.diff_ids)
    lab.put("f", "same")
    steps = (lab.copy("f", dest="/opt/f"), run("/bin/write", "/made", "text"))
    first = lab.build("one", *steps)
    file = lab.workspace / "context/f"
    os.utime(file, (1_000_000_000, 1_000_000_000))
    second = lab.build("two", *steps)
    assert first.diff_ids != second.diff_ids
    digest = lab.backend.layers_digest(first.image_id, below)
    assert digest == lab.backend.layers_digest(second.image_id, below)
    assert len(digest) == 32


@pytest.mark.parametrize(
    ("content", "change"),
    [("other", {}), ("same", {"dest": "/opt/g"}), ("same", {"mode": "0600"}), ("same", {"owner": "33"})],
)
def test_layers_that_differ_have_other_digests(lab: Lab, content: str, change: dict[str, str]) -> None:
    assert lab.base
    lab.put("f", "same")
    first = lab.build("one", lab.copy("f", dest="/opt/f"))
    lab.put("f", content)
    second = lab.build("two", lab.copy("f", **{"dest": "/opt/f"} | change))
    below = len(lab.base.diff_ids)
    assert lab.backend.layers_digest(first.image_id, below) != lab.backend.layers_digest(second.image_id, below)


def test_an_epoch_makes_equal_orders_equal_images(lab: Lab) -> None:
    assert lab.base
    lab.put("d/f", "same")
    origin = ContextOrigin(lab.context.path, plain=True)
    copy = CopyStep(origin, Selection(("d",)), "/opt/")
    steps = (copy, run("/bin/write", "/made", "text"), FolderStep("/w", ""))
    first = lab.build("one", *steps, epoch=EPOCH)
    lab.backend.tag(first.image_id, ["localhost/lab/first:1"])
    above = lab.order(
        "above",
        run("/bin/write", "/above", "text"),
        base=lab.backend.resolve("lab/first:1", host_platform(), "never"),
        epoch=EPOCH,
    )
    one_above = lab.backend.build(above, lab.events.append)
    time.sleep(1.1)  # what is not set to the epoch is set to now, in seconds
    (lab.workspace / "context/d/f").chmod(0o600)
    second = lab.build("two", *steps, epoch=EPOCH)
    assert (first.image_id, first.digest, first.diff_ids) == (second.image_id, second.digest, second.diff_ids)
    lab.backend.tag(second.image_id, ["localhost/lab/another:1"])
    two_above = lab.backend.build(replace(above, names=("localhost/lab/else:1",)), lab.events.append)
    assert (one_above.image_id, one_above.digest) == (two_above.image_id, two_above.digest)
    for path in ("/opt/f", "/made", "/w", "/opt"):
        assert lab.lstat(second.image_id, path).st_mtime == EPOCH, path
    assert lab.lstat(second.image_id, "/opt/f").st_mode & 0o7777 == 0o644
    other = lab.build("three", *steps, epoch=EPOCH + 1)
    assert other.image_id != first.image_id


def test_images_that_come_out_equal_can_be_made_at_once(lab: Lab) -> None:
    orders = [lab.order(f"same{number}", run("/bin/write", "/made", "x"), epoch=EPOCH) for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda order: lab.backend.build(order, lab.events.append), orders))
    assert len({result.image_id for result in results}) == 1
    names = set(lab.backend.images()[results[0].image_id])
    assert {f"localhost/lab/same{number}:1" for number in range(4)} <= names


def test_layers_of_what_is_not_there(lab: Lab) -> None:
    with pytest.raises(ImageGoneError):
        lab.backend.layers_digest("0" * 64, 0)


def test_digest_of_what_is_not_there(lab: Lab) -> None:
    assert lab.base
    with pytest.raises(StageError) as raised:
        lab.backend.tree_digest(lab.base.image_id, [Selection(("/bin/wirte",))])
    assert raised.value.hint == "did you mean 'write'?"


def test_missing_source_is_the_steps_fault(lab: Lab) -> None:
    lab.put("main.c")
    with pytest.raises(StageError) as raised:
        lab.build("missing", lab.copy("mian.c", dest="/", span=Span("Dockerfile", 3)))
    assert raised.value.span == Span("Dockerfile", 3)
    assert "did you mean 'main.c'?" in raised.value.hint


def test_failing_run_tells_its_end(lab: Lab, tmp_path: Path) -> None:
    before = lab.backend.images()
    log = str(tmp_path / "x.log")
    step = run("/bin/fail", "7", "it broke", span=Span("Dockerfile", 5))
    with pytest.raises(StageError) as raised:
        lab.build("bad", step, log=log)
    error = raised.value
    assert (error.code, error.returncode, error.tail) == ("run-failed", 7, ("it broke",))
    assert (error.span, error.log) == (Span("Dockerfile", 5), log)
    assert lab.backend.images() == before
    assert lab.backend.sweep(lab.backend.images(), ()) == ()


def test_exit_code_125_is_the_commands_own(lab: Lab) -> None:
    with pytest.raises(StageError) as raised:
        lab.build("bad", run("/bin/fail", "125", "mine"))
    assert raised.value.returncode == 125


def test_failed_run_is_tried_again(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zbuild.backend.buildah.run_step.RETRY_PAUSE", 0.01)
    with pytest.raises(StageError):
        lab.build("bad", run("/bin/fail", "1", "again", retries=2))
    assert [event.attempt for event in lab.events if isinstance(event, StageRetried)] == [1, 2]
    assert lab.events.count(Output("bad", "again")) == 3


def test_run_that_takes_too_long_is_stopped(lab: Lab) -> None:
    started = time.monotonic()
    with pytest.raises(StageError) as raised:
        lab.build("slow", run("/bin/sleep", "60", timeout=500_000_000))
    assert raised.value.code == "run-timeout"
    assert time.monotonic() - started < 10


def test_missing_base_is_told(lab: Lab) -> None:
    gone = lab.build("gone", base=None)
    base = lab.backend.resolve(gone.image_id, lab.order("x").platform, "never")
    lab.backend.remove([gone.image_id])
    with pytest.raises(ImageGoneError):
        lab.build("child", base=base)
    with pytest.raises(ImageGoneError):
        lab.build("copier", lab.copy_from("s", "/x", dest="/"), images={"s": gone.image_id})
    with pytest.raises(ImageGoneError):
        lab.backend.tree_digest(gone.image_id, [Selection(("/x",))])


def test_cancel_ends_a_build_that_runs(lab: Lab, new_backend: Callable[[], Backend]) -> None:
    before = lab.backend.images()
    with ThreadPoolExecutor() as threads:
        build = threads.submit(lab.build, "stopped", run("/bin/sleep", "60"))
        while not lab.events:
            time.sleep(0.01)
        time.sleep(0.3)
        started = time.monotonic()
        lab.backend.cancel()
        with pytest.raises(InterruptedBuildError):
            build.result()
    assert time.monotonic() - started < 5
    with pytest.raises(InterruptedBuildError):
        lab.build("later")
    assert lab.backend.images() == before
    assert new_backend().sweep(before, ()) == ()


def test_two_builds_at_once(lab: Lab) -> None:
    barrier = threading.Barrier(2)

    def build(number: int) -> str:
        barrier.wait()
        steps = [lab.copy_from("base", "/bin/say", dest="/s"), run("/bin/write", "/n", str(number))]
        assert lab.base
        return lab.build(f"both{number}", *steps, images={"base": lab.base.image_id}).image_id

    with ThreadPoolExecutor() as threads:
        ids = list(threads.map(build, (1, 2)))
    assert [lab.read(image_id, "/n") for image_id in ids] == ["1", "2"]
    assert {event.stage for event in lab.events if isinstance(event, InstructionFinished)} == {"both1", "both2"}


def test_log_that_cannot_be_written_is_told(lab: Lab) -> None:
    with pytest.raises(BackendError) as raised:
        lab.build("logged", run("/bin/say", "x"), log="/dev/full")
    assert raised.value.code == "disk-full"
    assert "/dev/full" in raised.value.message


def test_foreign_platform_is_copied_into(lab: Lab) -> None:
    arm = parse_platform("linux/arm64")
    lab.put("f", "foreign")
    order = replace(lab.order("arm", base=None), platform=arm)
    below = lab.backend.build(order, lab.events.append)
    base = lab.backend.resolve(below.image_id, arm, "never")
    above = lab.backend.build(
        replace(lab.order("arm2", lab.copy("f", dest="/f"), base=base), platform=arm), lab.events.append
    )
    assert lab.backend.resolve("localhost/lab/arm2:1", arm, "missing").image_id == above.image_id
    assert lab.read(above.image_id, "/f") == "foreign"


def test_secrets_are_lent_and_hidden(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "value"
    file.write_text("hush-hush")
    mounts = (SecretMount("a", "/run/secrets/a"), SecretMount("a", "", "A"), SecretMount("gone", "/gone", "GONE"))
    steps = (
        run("/bin/cat", "/run/secrets/a", mounts=mounts),
        run("/bin/say", "$A", mounts=mounts),
        run("/bin/say", "$GONE", mounts=mounts),
    )
    lab.build("lent", *steps, secrets={"a": SecretSource(file=str(file))})
    assert [event.line for event in lab.events if isinstance(event, Output)] == ["***", "***", ""]


def test_a_required_secret_that_is_not_given_fails_the_stage(lab: Lab) -> None:
    step = run("/bin/say", "x", mounts=(SecretMount("a", "/a", required=True),), span=Span("Dockerfile", 7))
    with pytest.raises(StageError, match="the secret 'a' is not given") as raised:
        lab.build("lacks", step)
    assert (raised.value.code, raised.value.span) == ("secret-missing", Span("Dockerfile", 7))
