"""ADD of git references from a real server, checked out by the real git."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from support.fetching import Fetching
from support.git_server import run_git_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.git_server import GitServer, Repository


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with run_git_server(tmp_path / "repositories") as made:
        yield made


@pytest.fixture(autouse=True)
def repo(server: GitServer) -> Repository:
    made = server.repository("app")
    made.commit(readme="one", docs__guide="guide")
    return made


@pytest.fixture
def work(tmp_path: Path) -> Fetching:
    return Fetching.start_in(tmp_path / "w")


def files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_branches_tags_commits_and_folders(work: Fetching, repo: Repository) -> None:
    first = repo.git("rev-parse", "HEAD")
    repo.git("tag", "--annotate", "v1", "--message", "x")
    repo.git("branch", "v1-fixes")
    repo.commit(readme="two")
    (repo.folder / "run").write_text("#!/bin/sh\n")
    (repo.folder / "run").chmod(0o775)
    (repo.folder / "link").symlink_to("readme")
    repo.commit()
    named = {"v1": "#v1", "branch": "#v1-fixes", "full": "#refs/tags/v1", "query": "?tag=v1", "commit": f"#{first}"}
    adds = [f"ADD {repo.url}{ref} /{name}" for name, ref in named.items()]
    work.put(f"ADD {repo.url} /latest/", f"ADD --chown=5:6 {repo.url}#:docs /docs", *adds)
    assert work.result() == "run"
    tree = work.tree()
    assert files(tree / "latest") == {"docs/guide": "guide", "link": "two", "readme": "two", "run": "#!/bin/sh\n"}
    assert (tree / "latest/link").is_symlink()
    assert [(tree / "latest" / name).stat().st_mode & 0o7777 for name in ("readme", "run", "docs")] == [
        0o644,
        0o755,
        0o755,
    ]
    assert files(tree / "docs") == {"guide": "guide"}
    assert (tree / "docs/guide").stat().st_uid == 5
    for name in named:
        assert files(tree / name) == {"docs/guide": "guide", "readme": "one"}, name


def test_a_branch_is_asked_for_each_time_and_a_commit_never_again(
    work: Fetching, repo: Repository, server: GitServer
) -> None:
    work.put(f"ADD {repo.url}#main /main")
    assert work.result() == "run"
    server.take_asked()
    assert work.result() == "cached"
    assert server.take_asked() != []
    before, after = repo.git("rev-parse", "HEAD"), repo.commit(readme="two")
    assert f"commit: {before} -> {after}" in work.zbuild("explain", "a").stdout
    assert work.result() == "run"
    work.put(f"ADD --checksum={before} {repo.url} /pinned", f"ADD {repo.url}#{after} /commit")
    server.take_asked()
    assert work.plan() == {"a/0": "run"}
    assert server.take_asked() == []
    assert work.result() == "run"
    assert (files(work.tree() / "pinned")["readme"], files(work.tree() / "commit")["readme"]) == ("one", "two")
    server.stop()
    assert work.zbuild("build").stderr.startswith("zbuild: 1 image up to date")
    work.put(f"ADD {repo.url}#{after} /elsewhere")
    assert work.result() == "run"


def test_offline_the_commit_known_is_used_with_a_warning(work: Fetching, repo: Repository, server: GitServer) -> None:
    work.put(f"ADD {repo.url}#main /main")
    work.result()
    server.stop()
    ended = work.zbuild("build")
    assert (ended.code, "what was fetched before is used" in ended.stderr) == (0, True)
    work.put(f"ADD {repo.url}#other /main")
    ended = work.failed()
    assert ended.code == 4
    assert f"Dockerfile:2:1: error[fetch-failed]: {repo.url}#other cannot be fetched" in ended.stderr


@pytest.mark.parametrize(
    ("reference", "flag", "message"),
    [
        ("#nowhere", "", "has no branch or tag 'nowhere'"),
        ("#main:nowhere", "", "there is no folder 'nowhere' in"),
        ("#main:readme", "", "there is no folder 'readme' in"),
        ("#main", "--checksum=0000000", "does not have the checksum 0000000: it is "),
        (f"#{'0' * 39}1", "", "cannot be fetched"),
        ("", f"--checksum={'0' * 39}1", "cannot be fetched"),
    ],
)
def test_what_is_not_there(work: Fetching, repo: Repository, reference: str, flag: str, message: str) -> None:
    work.put(f"ADD {flag} {repo.url}{reference} /x")
    ended = work.failed()
    assert message in ended.stderr
    assert "Dockerfile:2:1: error" in ended.stderr
    assert not list(work.root.glob(".zbuild/fetched/.*"))


def test_a_repository_that_is_not_there_is_told_without_a_prompt(work: Fetching, server: GitServer) -> None:
    server.user = "Basic xyz"
    work.put(f"ADD http://{server.address}/none.git /x")
    ended = work.failed()
    assert ended.code == 4
    assert "could not read Username" in ended.stderr
    assert "hint: it asks for a user" in ended.stderr


def test_the_git_folder_is_kept_when_asked_for(work: Fetching, repo: Repository) -> None:
    repo.git("tag", "--annotate", "v1", "--message", "x")
    work.put(f"ADD --keep-git-dir {repo.url}#v1 /kept", f"ADD --keep-git-dir {repo.url}#v1:docs /docs")
    work.result()
    kept = work.tree() / "kept"
    told = [
        subprocess.run(
            ["git", "-C", kept, "-c", f"safe.directory={kept}", *words], check=True, capture_output=True, text=True
        )
        for words in (["describe"], ["status", "--porcelain"], ["remote", "get-url", "origin"], ["reflog"])
    ]
    assert [done.stdout.strip() for done in told] == ["v1", "", repo.url, ""]
    assert files(work.tree() / "docs") == {"guide": "guide"}


def test_submodules_are_there_unless_told_otherwise(work: Fetching, repo: Repository, server: GitServer) -> None:
    library = server.repository("library")
    commit = library.commit(lib__code="code")
    repo.commit(**{".gitmodules": '[submodule "library"]\n\tpath = sub\n\turl = ../library.git\n'})
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{commit},sub")
    repo.git("commit", "--quiet", "--message", "x")
    work.put(f"ADD {repo.url} /with", f"ADD {repo.url}?submodules=false /without", f"ADD {repo.url}#:sub/lib /lib")
    work.result()
    assert files(work.tree() / "with/sub") == {"lib/code": "code"}
    assert files(work.tree() / "without/sub") == {}
    assert files(work.tree() / "lib") == {"code": "code"}


def test_credentials_are_in_no_argument_log_or_kept_file(work: Fetching, server: GitServer, tmp_path: Path) -> None:
    server.user = "Basic bWU6aHVzaA=="
    spy = tmp_path / "bin/git"
    spy.parent.mkdir()
    spy.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/said\nexec /usr/bin/git "$@"\n')
    spy.chmod(0o755)
    work.environment["PATH"] = f"{spy.parent}:{os.environ['PATH']}"
    work.put(f"ADD --keep-git-dir http://me:hush@{server.address}/app.git#main /app")
    ended = work.zbuild("build", "--progress", "plain")
    assert ended.code == 0, ended.stderr
    assert files(work.tree() / "app/docs") == {"guide": "guide"}
    told = (tmp_path / "said").read_text() + ended.stderr
    assert "/app.git" in told
    kept = [*work.root.glob(".zbuild/logs/**/*"), *work.tree().rglob("*"), *work.root.glob(".zbuild/fetched/**/*")]
    for secret in ("hush", "bWU6aHVzaA"):
        assert secret not in told
        assert not [path for path in kept if path.is_file() and secret.encode() in path.read_bytes()]


def test_hooks_filters_and_settings_of_others_are_not_used(work: Fetching, repo: Repository, tmp_path: Path) -> None:
    repo.commit(**{".gitattributes": "* text=auto eol=lf filter=spy\n", "text": "a\nb\n"})
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks/post-checkout").write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    (tmp_path / "hooks/post-checkout").chmod(0o755)
    config = f"""[core]
    hooksPath = {tmp_path}/hooks
    autocrlf = true
[filter "spy"]
    smudge = touch {tmp_path}/ran; tr a-z A-Z
"""
    (tmp_path / ".gitconfig").write_text(config)
    work.environment |= {"HOME": str(tmp_path), "GIT_DIR": "/nowhere", "GIT_INDEX_FILE": "/nowhere/index"}
    work.put(f"ADD {repo.url} /x")
    work.result()
    assert (work.tree() / "x/text").read_bytes() == b"a\nb\n"
    assert not (tmp_path / "ran").exists()


def test_a_repository_is_a_context(work: Fetching, repo: Repository, server: GitServer) -> None:
    first = repo.git("rev-parse", "HEAD")
    given = ("--build-context", f"app={repo.url}#{first}", "--build-context", f"docs={repo.url}#main:docs")
    work.put("COPY --from=app readme /one/", "COPY --from=docs . /docs/", "COPY --from=docs ../guide /guide")
    assert set(work.build(*given).values()) == {"run"}
    tree = work.tree()
    assert files(tree / "one") == {"readme": "one"}
    assert files(tree / "docs") == {"guide": "guide"}
    assert (tree / "guide").read_text() == "guide"
    repo.commit(readme="two", docs__guide="new guide")
    assert set(work.build(*given).values()) == {"run"}
    assert files(work.tree() / "docs") == {"guide": "new guide"}
    assert files(work.tree() / "one") == {"readme": "one"}
    server.take_asked()
    pinned = ("--build-context", f"app={repo.url}#{first}", "--build-context", f"docs={repo.url}#{first}:docs")
    work.build(*pinned)
    server.take_asked()
    assert set(work.build(*pinned).values()) == {"cached"}
    assert server.take_asked() == []
