"""Which sources of ADD are URLs, which are git references, and which are neither."""

import pytest

from zbuild.model.remote import GitOrigin, UrlOrigin
from zbuild.syntax.remote import UNNAMED, is_remote, parse_remote, with_checksum

COMMIT = "c0ffee" * 6 + "c0ff"
SHA256 = "sha256:" + "a1" * 32


@pytest.mark.parametrize(
    ("source", "url", "name"),
    [
        ("https://example.com/a/b.txt", "https://example.com/a/b.txt", "b.txt"),
        ("HTTP://example.com/b", "http://example.com/b", "b"),
        ("https://example.com/b.txt?v=1#top", "https://example.com/b.txt?v=1", "b.txt"),
        ("https://example.com/a%20b.txt", "https://example.com/a%20b.txt", "a b.txt"),
        ("https://example.com/folder/", "https://example.com/folder/", "folder"),
        ("https://example.com", "https://example.com", UNNAMED),
        ("https://example.com/a/..", "https://example.com/a/..", UNNAMED),
        ("https://example.com/%00", "https://example.com/%00", UNNAMED),
        ("https://example.com/x%2Fy", "https://example.com/x%2Fy", "y"),
        ("https://example.com:8443/a.git/b", "https://example.com:8443/a.git/b", "b"),
        ("https://example.com/a.git.txt", "https://example.com/a.git.txt", "a.git.txt"),
        ("https://[::1]:80/x", "https://[::1]:80/x", "x"),
    ],
)
def test_urls_of_files(source: str, url: str, name: str) -> None:
    assert parse_remote(source) == UrlOrigin(url, name)


@pytest.mark.parametrize(
    ("source", "origin"),
    [
        ("https://example.com/a.git", GitOrigin("https://example.com/a.git")),
        ("https://example.com/a.git#", GitOrigin("https://example.com/a.git")),
        ("https://example.com/a.git#v1:docs/x/", GitOrigin("https://example.com/a.git", "v1", "docs/x")),
        ("https://example.com/a.git#:docs", GitOrigin("https://example.com/a.git", subdir="docs")),
        ("https://example.com/a.git#:../..", GitOrigin("https://example.com/a.git")),
        ("git@example.com:a/b#main", GitOrigin("git@example.com:a/b", "main")),
        ("me@host:b?tag=v1#:d", GitOrigin("me@host:b", "refs/tags/v1", "d")),
        ("git://example.com/a", GitOrigin("git://example.com/a")),
        ("ssh://me@example.com:22/a#main", GitOrigin("ssh://me@example.com:22/a", "main")),
        ("https://x.test/a.git?branch=b", GitOrigin("https://x.test/a.git", "refs/heads/b")),
        ("https://x.test/a.git?ref=b&subdir=/c", GitOrigin("https://x.test/a.git", "b", "c")),
        (f"https://x.test/a.git?commit={COMMIT}", GitOrigin("https://x.test/a.git", COMMIT, checksum=COMMIT)),
        ("https://x.test/a.git?keep-git-dir", GitOrigin("https://x.test/a.git", keep_git_dir=True)),
        ("https://x.test/a.git?submodules=0", GitOrigin("https://x.test/a.git", submodules=False)),
    ],
)
def test_git_references(source: str, origin: GitOrigin) -> None:
    assert parse_remote(source) == origin


@pytest.mark.parametrize(
    "source",
    ["a.txt", "./git@example.com/x", "github.com/a/b", "a/b.git", "https:/x", "git@example.com", ".git", "*:/x"],
)
def test_paths(source: str) -> None:
    assert parse_remote(source) is None
    assert not is_remote(source)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("ftp://example.com/x", "not 'ftp://'"),
        ("https://", "no host"),
        ("https://example.com:x/y", "port number"),
        ("https://example.com/a b", "write %20"),
        ("https://example.com/a.git?depth=1", r"no '\?depth='"),
        ("https://example.com/a.git?ref=a&ref=b", "given twice"),
        ("https://example.com/a.git?ref=", "is empty"),
        ("https://example.com/a.git?ref=a#b", "two of 'ref'"),
        ("https://example.com/a.git?submodules=maybe", "true or false"),
        ("https://example.com/a.git#--upload-pack=x", "no name of a branch"),
    ],
)
def test_what_is_wrong(source: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_remote(source)


@pytest.mark.parametrize(
    ("source", "shown", "credentials"),
    [
        ("https://me:s%40cret@example.com/x", "https://example.com/x", "me:s@cret"),
        ("https://token@example.com/a.git#main:d", "https://example.com/a.git#main:d", "token:"),
        ("ssh://me:secret@example.com/a", "ssh://me@example.com/a", ""),
    ],
)
def test_credentials_are_kept_apart_and_never_shown(source: str, shown: str, credentials: str) -> None:
    origin = parse_remote(source)
    assert origin is not None
    assert (origin.shown, origin.credentials) == (shown, credentials)
    assert "cret" not in repr(origin)
    assert origin == parse_remote(shown)


def test_checksums() -> None:
    url, git = parse_remote("https://example.com/x"), parse_remote("https://example.com/x.git#main")
    assert url is not None
    assert git is not None
    assert with_checksum(url, SHA256).checksum == SHA256
    assert with_checksum(git, "c0ffee").checksum == "c0ffee"
    assert with_checksum(git, "") == git
    for origin, checksum in ((url, "sha512:" + "a" * 128), (url, COMMIT), (git, SHA256), (git, "HEAD")):
        with pytest.raises(ValueError, match="the checksum of a"):
            with_checksum(origin, checksum)
    with pytest.raises(ValueError, match="two checksums"):
        with_checksum(with_checksum(git, "c0"), "c1")
