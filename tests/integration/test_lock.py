"""zbuild.lock with a real registry: what is locked stays as it is, and what is not is told."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from support.base_registry import BaseRegistry
    from support.monorepo import Monorepo


def lock(repo: Monorepo, *arguments: str) -> list[str]:
    ended = repo.zbuild("lock", *arguments)
    assert ended.code == 0, ended.stderr
    return ended.stdout.splitlines()


def text(repo: Monorepo) -> str:
    return (repo.root / "zbuild.lock").read_text()


def test_a_locked_base_stays_until_it_is_asked_for(on_base: Monorepo, bases: BaseRegistry, base_name: str) -> None:
    old = bases.push("one", base_name)
    base = f"{bases.address}/{base_name} linux/amd64"
    assert lock(on_base) == [f"added    {base} {old}"]
    assert '        - "api"\n' in text(on_base)
    on_base.build("--locked")
    new = bases.push("two", base_name)
    bases.answers()
    for flags in ([], ["--pull"], ["--pull=missing", "--locked"], ["--pull=never"]):
        assert set(on_base.build(*flags).values()) == {"cached"}, flags
    assert lock(on_base) == ["zbuild.lock is up to date"]
    assert bases.answers() == [], "the lock needs no asking"
    before = text(on_base)
    assert lock(on_base, "--update") == [f"moved    {base} {old} -> {new}"]
    assert text(on_base) != before
    explained = on_base.zbuild("explain", "api").stdout
    assert f"base: {old} -> {new}" in explained
    assert on_base.build("--locked") == {"api/0": "run", "other/0": "cached"}
    bases.push("two", base_name)
    before = text(on_base)
    assert lock(on_base, "--update") == ["zbuild.lock is up to date"]
    assert text(on_base) == before, "what has not moved keeps its time"


def test_what_is_not_locked_is_told_or_refused(on_base: Monorepo, bases: BaseRegistry, base_name: str) -> None:
    bases.push("one", base_name)
    lock(on_base)
    other = bases.push("two", base_name.replace(":1", ":2"))
    on_base.write(
        "other/Dockerfile",
        f"FROM {bases.address}/{base_name}\nRUN true\nFROM scratch\n"
        f"COPY --from={bases.address}/{base_name.replace(':1', ':2')} /bin/sh /\n",
    )
    told = f"{bases.address}/{base_name.replace(':1', ':2')} for linux/amd64 is not in zbuild.lock"
    for command in (["build"], ["plan"], ["explain", "other"]):
        ended = on_base.zbuild(*command, "--locked")
        assert ended.code == 2
        assert f"other/Dockerfile:4:1: error[not-locked]: {told}" in ended.stderr
        assert "hint: add it with 'zbuild lock'" in ended.stderr
    ended = on_base.zbuild("lock", "--check")
    assert (ended.code, told in ended.stderr) == (2, True)
    ended = on_base.zbuild("build", "--progress", "plain")
    assert ended.code == 0
    assert ended.stderr.count(told) == 1
    assert any(line.endswith(other) and line.startswith("added ") for line in lock(on_base))
    assert on_base.zbuild("lock", "--check").code == 0
    on_base.write("other/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
    ended = on_base.zbuild("lock", "--check")
    assert (ended.code, "zbuild.lock:" in ended.stderr, "not-used" in ended.stderr) == (2, True, True)
    assert [line.split()[0] for line in lock(on_base)] == ["dropped"]


def test_without_a_lock_locked_builds_say_what_is_to_be_locked(on_base: Monorepo, bases: BaseRegistry) -> None:
    ended = on_base.zbuild("build", "--locked")
    assert (ended.code, "error[not-locked]" in ended.stderr) == (2, True)
    assert bases.answers() == []
    assert on_base.zbuild("build", "other", "--locked").code == 0


def test_only_the_bases_that_are_named_move(on_base: Monorepo, bases: BaseRegistry, base_name: str) -> None:
    names = [base_name, base_name.replace(":1", ":2"), base_name.replace(":1", ":3")]
    for one in names:
        bases.push("one", one)
    on_base.write(
        "other/Dockerfile",
        f"FROM {bases.address}/{names[1]} AS a\nFROM {bases.address}/{names[2]}\nCOPY --from=a /bin/sh /sh\n",
    )
    assert len(lock(on_base)) == 3
    for one in names:
        bases.push("two", one)
    assert [line.split()[1] for line in lock(on_base, "--update", "api")] == [f"{bases.address}/{names[0]}"]
    by_name = f"{bases.address}/{names[2]}"
    assert [line.split()[1] for line in lock(on_base, "--update", by_name)] == [by_name]
    ended = on_base.zbuild("lock", "--update", "apl")
    assert (ended.code, "there is no base 'apl' to lock\n  hint: did you mean 'api'?" in ended.stderr) == (2, True)


def test_what_is_locked_for_other_platforms_stays(on_base: Monorepo, bases: BaseRegistry, base_name: str) -> None:
    one = bases.push("one", base_name)
    lock(on_base)
    other = text(on_base).replace("linux/amd64", "linux/s390x").partition("bases:\n")[2].split("\n", 1)[1]
    on_base.write("zbuild.lock", text(on_base) + other)
    assert on_base.zbuild("lock", "--check").code == 0
    assert lock(on_base) == ["zbuild.lock is up to date"]
    two = bases.push("two", base_name)
    base = f"{bases.address}/{base_name}"
    assert lock(on_base, "--update") == [
        f"moved    {base} {platform} {one} -> {two}" for platform in ("linux/amd64", "linux/s390x")
    ]
    assert lock(on_base, "--platform", "linux/arm64") == [f"added    {base} linux/arm64 {two}"]


def test_nothing_is_written_when_a_base_is_not_to_be_had(
    on_base: Monorepo, bases: BaseRegistry, base_name: str
) -> None:
    bases.push("one", base_name)
    lock(on_base)
    before = text(on_base)
    on_base.write("other/Dockerfile", f"FROM {bases.address}/bases/nowhere:1\nRUN true\n")
    ended = on_base.zbuild("lock", "--update")
    assert ended.code == 4
    assert "other/Dockerfile:1:6: error[not-in-registry]" in ended.stderr
    assert text(on_base) == before


def test_a_damaged_lock_is_told_with_its_place(on_base: Monorepo) -> None:
    on_base.write("zbuild.lock", "bases:\n  alpine: {}\n")
    for command in (["build", "other"], ["validate"], ["lock"]):
        ended = on_base.zbuild(*command)
        assert ended.code == 2
        assert "zbuild.lock:2:3: error[bad-value]: 'alpine' must not be empty" in ended.stderr


def test_a_lock_that_comes_or_goes_is_seen_by_the_quick_path(
    on_base: Monorepo, bases: BaseRegistry, base_name: str
) -> None:
    digest = bases.push("one", base_name)
    on_base.build()
    assert "2 images up to date" in on_base.zbuild("build").stderr
    on_base.write("zbuild.lock", "bases: {}\n")
    assert "is not in zbuild.lock" in on_base.zbuild("build").stderr
    lock(on_base)
    assert digest in text(on_base)
    assert set(on_base.build().values()) == {"cached"}


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_asking(on_base: Monorepo, bases: BaseRegistry, signum: int) -> None:
    bases.faults["/manifests/"] = 503
    process = on_base.start("lock")
    while not bases.asked:
        assert process.poll() is None
    process.send_signal(signum)
    _, stderr = process.communicate(timeout=10)
    assert (process.returncode, "Traceback" in stderr) == (128 + signum, False)
    assert not (on_base.root / "zbuild.lock").exists()
