"""ADD of URLs from a real server: when it is asked, what becomes of its answers, and what is told when it fails."""

from __future__ import annotations

import gzip
import hashlib
import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest
from support.fetching import Fetching
from support.file_server import run_file_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.file_server import FileServer

MODIFIED = "Wed, 21 Oct 2015 07:28:00 GMT"


@pytest.fixture
def server() -> Iterator[FileServer]:
    with run_file_server() as made:
        yield made


@pytest.fixture
def work(tmp_path: Path) -> Fetching:
    return Fetching.start_in(tmp_path / "w")


def sha256(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def test_the_server_is_asked_each_time_whether_its_file_has_changed(work: Fetching, server: FileServer) -> None:
    url = server.put("/a/tool", "one", etag='"1"', headers={"Last-Modified": MODIFIED})
    work.put(f"ADD {url} /bin/")
    assert (work.result(), server.take_asked()) == ("run", ["GET /a/tool 200"])
    landed = work.tree() / "bin/tool"
    info = landed.stat()
    assert (landed.read_text(), info.st_mode & 0o7777, info.st_mtime) == ("one", 0o600, 1445412480.0)
    for _ in range(2):
        assert (work.result(), server.take_asked()) == ("cached", ["GET /a/tool 304"])
    server.put("/a/tool", "one", headers={"Last-Modified": MODIFIED})  # the same again, by a server without ETags
    assert (work.result(), server.take_asked()) == ("cached", ["GET /a/tool 200"])
    assert (work.result(), server.take_asked()) == ("cached", ["GET /a/tool 304"])
    server.put("/a/tool", "two")
    explained = work.zbuild("explain", "a").stdout
    assert f"content: {sha256('one')} -> {sha256('two')}" in explained
    assert work.result() == "run"
    assert (work.tree() / "bin/tool").read_text() == "two"


def test_an_answer_that_still_holds_is_not_asked_for_again(work: Fetching, server: FileServer) -> None:
    url = server.put("/x", "one", headers={"Cache-Control": "public, max-age=3600", "Age": "60"})
    work.put(f"ADD {url} /x")
    assert (work.result(), server.take_asked()) == ("run", ["GET /x 200"])
    assert (work.result(), server.take_asked()) == ("cached", [])
    server.put("/x", "two")
    assert (work.result(), server.take_asked()) == ("cached", [])
    work.build("--pull")
    assert server.take_asked() == ["GET /x 200"]
    assert (work.tree() / "x").read_text() == "two"


@pytest.mark.parametrize("told", ["no-store, max-age=60", "max-age=0", "max-age=60x", "private"])
def test_an_answer_that_does_not_hold_is(work: Fetching, server: FileServer, told: str) -> None:
    work.put(f"ADD {server.put('/x', 'one', headers={'Cache-Control': told})} /x")
    work.result()
    server.take_asked()
    assert (work.result(), server.take_asked()) == ("cached", ["GET /x 200"])


def test_with_a_checksum_the_server_is_asked_once(work: Fetching, server: FileServer) -> None:
    url = server.put("/x", "one")
    work.put(f"ADD --checksum={sha256('one')} {url} /x")
    assert work.plan() == {"a/0": "run"}
    assert server.take_asked() == []
    assert (work.result(), server.take_asked()) == ("run", ["GET /x 200"])
    server.stop()
    assert work.result() == "cached"
    work.put(f"ADD --checksum={sha256('one')} {url} /elsewhere")
    assert work.result() == "run"
    assert (work.tree() / "elsewhere").read_text() == "one"


def test_a_content_that_was_damaged_is_fetched_again(work: Fetching, server: FileServer) -> None:
    work.put(f"ADD --checksum={sha256('one')} {server.put('/x', 'one')} /x")
    work.result()
    (kept,) = (work.root / ".zbuild/fetched").glob("sha256-*/x")
    kept.write_text("two")
    server.take_asked()
    work.put(f"ADD --checksum={sha256('one')} {server.url('/x')} /y")
    assert (work.result(), server.take_asked()) == ("run", ["GET /x 200"])
    assert (work.tree() / "y").read_text() == "one"


def test_another_checksum_fails_the_build_and_nothing_is_kept(work: Fetching, server: FileServer) -> None:
    work.put(f"ADD --checksum={sha256('two')} {server.put('/x', 'one')} /x")
    ended = work.failed()
    assert ended.code == 1
    assert f"{server.url('/x')} does not have the checksum {sha256('two')}: it is {sha256('one')}" in ended.stderr
    assert "Dockerfile:2:1" in ended.stderr
    assert not list((work.root / ".zbuild/fetched").iterdir())


def test_offline_what_was_fetched_before_is_used_with_a_warning(work: Fetching, server: FileServer) -> None:
    url = server.put("/x", "one", etag='"1"')
    work.put(f"ADD {url} /x")
    work.result()
    server.put("/x", "", status=503)
    ended = work.zbuild("build")
    assert (ended.code, "503 Service Unavailable; what was fetched before is used" in ended.stderr) == (0, True)
    server.stop()
    ended = work.zbuild("build")
    assert (ended.code, "Connection refused; what was fetched before is used" in ended.stderr) == (0, True)
    assert work.zbuild("build", "--pull", "never").stderr.startswith("zbuild: 1 image up to date")
    work.put(f"ADD {url}2 /x")
    ended = work.failed()
    assert ended.code == 4
    assert f"Dockerfile:2:1: error[fetch-failed]: {url}2 cannot be fetched: Connection refused" in ended.stderr
    assert "hint: check the network" in ended.stderr


def test_what_a_server_refuses_is_told_with_its_place(work: Fetching, server: FileServer) -> None:
    missing, denied = server.url("/missing"), server.put("/denied", user="Basic xyz")
    work.put(f"ADD {missing} /x", f"ADD {denied} /y")
    ended = work.failed()
    assert ended.code == 4
    assert (
        f"Dockerfile:2:1: error[fetch-failed]: {missing} cannot be fetched: the server answers 404 Not Found"
        in ended.stderr
    )
    assert "hint: check the URL" in ended.stderr
    assert "Dockerfile:3:1: error[fetch-failed]" in ended.stderr
    assert "401 Unauthorized" in ended.stderr
    assert sorted(server.take_asked()) == ["GET /denied 401", "GET /missing 404"]


def test_a_file_that_is_gone_is_no_network_fault(work: Fetching, server: FileServer) -> None:
    work.put(f"ADD {server.put('/x', 'one')} /x")
    work.result()
    server.pages.clear()
    assert "404 Not Found" in work.failed().stderr


def test_a_body_that_breaks_off_is_tried_again_and_never_used(work: Fetching, server: FileServer) -> None:
    url = server.put("/x", "all of it", cut=True)
    work.put(f"ADD {url} /x")
    ended = work.failed()
    assert "the transfer broke off: 5 bytes are missing" in ended.stderr
    assert server.take_asked() == ["GET /x 200"] * 3
    assert not list((work.root / ".zbuild/fetched").iterdir())


def test_a_body_that_is_sent_packed_is_unpacked(work: Fetching, server: FileServer) -> None:
    packed = gzip.compress(b"plain text")
    work.put(f"ADD {server.put('/x', packed, headers={'Content-Encoding': 'gzip'})} /x")
    work.result()
    assert (work.tree() / "x").read_text() == "plain text"
    work.put(f"ADD {server.put('/y', packed[:-9], headers={'Content-Encoding': 'gzip'})} /x")
    assert "the transfer broke off" in work.failed().stderr


def test_redirects_are_followed_and_credentials_stay_behind(work: Fetching, server: FileServer) -> None:
    with run_file_server() as other:
        user = "Basic bWU6aHVzaA=="  # me:hush
        server.put("/second", "", status=302, headers={"Location": other.put("/last", "found")}, user=user)
        server.put("/first", "", status=301, headers={"Location": "/second"}, user=user)
        work.put(f"ADD http://me:hush@{server.address}/first /d/")
        assert work.result() == "run"
        assert (work.tree() / "d/first").read_text() == "found"
        assert "Authorization" not in other.seen[0]
        server.put("/loop", "", status=302, headers={"Location": "/loop"})
        server.put("/file", "", status=302, headers={"Location": "file:///etc/passwd"})
        work.put(f"ADD {server.url('/loop')} /x", f"ADD {server.url('/file')} /y")
        ended = work.failed()
        assert ended.stderr.count("the server redirects in a circle, too often, or to what is not http or https") == 2


def test_credentials_are_in_no_log_record_or_message(work: Fetching, server: FileServer) -> None:
    server.put("/x", "one", user="Basic bWU6aHVzaA==")
    work.put("ARG WORD", f"ADD http://me:${{WORD}}@{server.address}/x /x")
    work.environment["WORD"] = "hush"
    given = ("--build-arg", "WORD")
    ended = [work.zbuild("build", "--progress", "plain", *given), work.zbuild("explain", "a", *given)]
    assert [one.code for one in ended] == [0, 0]
    server.pages.clear()
    ended.append(work.failed(*given))
    assert "404" in ended[-1].stderr
    assert "hush" not in "".join(one.stdout + one.stderr for one in ended)
    kept = [*work.root.glob(".zbuild/logs/**/*"), *work.root.glob(".zbuild/fetched/*"), work.root / ".zbuild/state.db"]
    assert not [path for path in kept if path.is_file() and b"hush" in path.read_bytes()]


@pytest.mark.parametrize("hanging", ["planning", "building"])
def test_a_signal_ends_the_waiting_for_a_server(work: Fetching, server: FileServer, hanging: str) -> None:
    url = server.put("/x", b"x" * 2000, hang=True)
    checksum = f"--checksum=sha256:{'0' * 64} " if hanging == "building" else ""
    work.put(f"ADD {checksum}{url} /x")
    process = work.start("build", "--progress", "plain")
    while not server.asked:
        time.sleep(0.02)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=20)  # the server itself is given thirty seconds
    assert (process.returncode, "interrupted" in stderr) == (130, True)
    assert not list(work.root.glob(".zbuild/fetched/*/*"))


def test_what_one_stage_takes_is_asked_for_at_once(work: Fetching, server: FileServer) -> None:
    meet = threading.Barrier(3)
    urls = [server.put(f"/{name}", name, meet=meet) for name in "abc"]
    work.put(f"ADD {' '.join(urls)} /x/")
    assert work.result() == "run"
    assert {path.name: path.read_text() for path in (work.tree() / "x").iterdir()} == {"a": "a", "b": "b", "c": "c"}


def test_a_large_file_is_told_of_while_it_comes(work: Fetching, server: FileServer) -> None:
    url = server.put("/large", b"x" * 8_400_000)
    work.put(f"ADD {url} /x")
    ended = work.zbuild("build", "--progress", "plain")
    assert (ended.code, f"fetching {url} (8" in ended.stderr) == (0, True)


def test_proxies_of_the_environment_are_used(work: Fetching, server: FileServer) -> None:
    server.put("http://files.test/x", "by the proxy")
    work.environment["http_proxy"] = f"http://{server.address}"
    work.put("ADD http://files.test/x /x")
    assert work.result() == "run"
    assert (work.tree() / "x").read_text() == "by the proxy"


def test_a_stage_that_fails_and_one_that_waits_tell_the_same_url_once(work: Fetching, server: FileServer) -> None:
    url = server.url("/missing")
    work.put(f"ADD {url} /x", "FROM scratch", f"ADD {url} /y", "COPY --from=0 /x /z")
    work.failed()
    assert server.take_asked() == ["GET /missing 404"]
