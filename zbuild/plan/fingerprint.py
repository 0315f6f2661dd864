"""Digests of file trees: what would land, and nothing of how it lies on this host.

A tree's digest is the xxh3_128 of its listing: per entry, in order, landing path, attributes and content. Times are no
part of it, owners and extended attributes only where a copy keeps them (`--from` another stage or image).
"""

from __future__ import annotations

import errno
import os
import stat
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, Protocol

import xxhash

from zbuild.base.digest import canonical, xxh
from zbuild.plan.sources import stamp_of
from zbuild.plan.tree import select

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from zbuild.model.steps import Selection
    from zbuild.plan.sources import Stamp
    from zbuild.plan.tree import Entry, Kind

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CHUNK = 1 << 20
_TRIES = 3
_SHOWN_DIGITS = 12
_FIELDS = 3
_LETTERS: dict[Kind, str] = {"file": "f", "dir": "d", "link": "l", "fifo": "p", "char": "c", "block": "b"}
_WORDS = {letter: kind for kind, letter in _LETTERS.items()}


class Hasher(Protocol):
    """What takes data bit by bit."""

    def update(self, data: bytes, /) -> None:
        """Take more data."""
        ...

    def hexdigest(self) -> str:
        """Return the digest of all that was taken."""
        ...


class Algorithm(NamedTuple):
    """A way to hash: all data at once, to hex digits, or bit by bit."""

    whole: Callable[[bytes], str]
    new: Callable[[], Hasher]


XXH3 = Algorithm(xxhash.xxh3_128_hexdigest, xxhash.xxh3_128)


def sha256_algorithm() -> Algorithm:
    """Return the way to hash what machines share: there an adversary may be in the loop."""
    import hashlib  # noqa: PLC0415 - it loads OpenSSL, 4 ms, and few builds share anything

    return Algorithm(lambda data: hashlib.sha256(data).hexdigest(), hashlib.sha256)


class TreeDigest(NamedTuple):
    """A selection's digest, 32 hex digits, and the listing it is made of, for `diff_listings`.

    The listing is `path NUL attributes NUL content NUL` per entry; attributes are the kind (upper case: it takes the
    destination's own name), the permission bits in octal (a link has none) and, where they count, uid:gid; content is
    a file's xxh3_128 in hex digits (and, where they count, its extended attributes'), a link's target or a device's
    number.
    """

    digest: str
    listing: bytes


class Hashed(NamedTuple):
    """A file's digest in hex digits, and the stat data it holds for; None when the file would not stand still."""

    digest: bytes
    stamp: Stamp | None


def digest_entries(
    entries: Iterable[Entry],
    content: Callable[[Entry], bytes],
    *,
    owners: bool = False,
    algorithm: Algorithm = XXH3,
) -> TreeDigest:
    """Digest entries in their order.

    `content` gives a regular file's digest in hex digits; with `owners` uid and gid count.
    """
    fields: list[bytes] = []
    for entry in entries:
        attributes = _attributes(entry.kind, entry.mode, top=entry.top)
        if owners:
            attributes += b" %d:%d" % (entry.uid, entry.gid)
        fields += (entry.path, attributes, _content(entry, content))
    listing = b"\0".join([*fields, b""])
    return TreeDigest(algorithm.whole(listing), listing)


def digest_stamps(entries: Iterable[Entry]) -> str:
    """Digest the state that entries were seen in: equal ones, equal files, with nothing done to them in between.

    Stat data counts, but not that of folders, in which files that are not selected come and go.
    """
    stamps = ((entry.path, _attributes(entry.kind, entry.mode, top=entry.top), entry.stamp) for entry in entries)
    seen = tuple((path, how, () if how.startswith((b"d", b"D")) else stamp) for path, how, stamp in stamps)
    return xxh(seen)


@lru_cache(maxsize=1024)
def _attributes(kind: Kind, mode: int, *, top: bool) -> bytes:
    letter = _LETTERS[kind].upper() if top else _LETTERS[kind]
    return (letter if kind == "link" else f"{letter} {mode:o}").encode()


def _content(entry: Entry, content: Callable[[Entry], bytes]) -> bytes:
    if entry.kind == "file":
        return content(entry)
    if entry.kind == "link":
        return entry.target
    return b"%d" % entry.rdev if entry.kind in ("char", "block") else b""


def diff_listings(old: bytes, new: bytes) -> list[tuple[str, str, str]]:
    """Return (path, old, new) for each path that differs, by path; "" where it was not there."""
    before, after = _texts(old), _texts(new)
    paths = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    return [(os.fsdecode(path), _shown(before.get(path)), _shown(after.get(path))) for path in paths]


def _texts(listing: bytes) -> dict[bytes, tuple[bytes, bytes]]:
    fields = listing.split(b"\0")[:-1]
    return {fields[at]: (fields[at + 1], fields[at + 2]) for at in range(0, len(fields), _FIELDS)}


def _shown(item: tuple[bytes, bytes] | None) -> str:
    """Return one entry's state as people read it: `file 644 3b5d8f…`, `link -> target`."""
    if item is None:
        return ""
    letter, _, rest = item[0].decode().partition(" ")
    kind = _WORDS[letter.lower()]
    content = os.fsdecode(item[1])
    content = f"-> {content}" if kind == "link" else content[:_SHOWN_DIGITS]
    return " ".join(part for part in (kind, rest, content) if part)


def hash_file(path: bytes, algorithm: Algorithm = XXH3) -> Hashed:
    """Hash a regular file's content, again where it changes meanwhile, a few times.

    Links are not followed and FIFOs not waited for. Raises OSError, also for anything but a regular file.
    """
    hashed = Hashed(b"", None)
    for _ in range(_TRIES):
        hashed = _hash_once(path, algorithm)
        if hashed.stamp:
            break
    return hashed


def _hash_once(path: bytes, algorithm: Algorithm) -> Hashed:
    handle = os.open(path, _OPEN)
    try:
        before = os.fstat(handle)
        if not stat.S_ISREG(before.st_mode):
            raise OSError(errno.EINVAL, "no regular file", path)
        digest = _hash_open(handle, before.st_size, algorithm)
        stamp = stamp_of(before)
        return Hashed(digest, stamp if stamp_of(os.fstat(handle)) == stamp else None)
    finally:
        os.close(handle)


def _hash_open(handle: int, size: int, algorithm: Algorithm) -> bytes:
    """Hash an open file, in hex digits; a small one in one read."""
    data = os.read(handle, min(size + 1, _CHUNK))
    if len(data) == size:
        return algorithm.whole(data).encode()
    state = algorithm.new()
    while data:
        state.update(data)
        data = os.read(handle, _CHUNK)
    return state.hexdigest().encode()


def kept_xattrs(file: int | bytes) -> tuple[tuple[str, bytes], ...]:
    """Return the extended attributes that a copy from a stage or image keeps, by name: capabilities, and the user's.

    `file` is an open file, or the path of a regular one. Raises OSError.
    """
    try:
        names = os.listxattr(file)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return ()
        raise
    return tuple((name, os.getxattr(file, name)) for name in sorted(names) if is_kept(name))


def is_kept(xattr: str) -> bool:
    """Tell whether files keep an extended attribute of that name when they are copied."""
    return xattr == "security.capability" or xattr.startswith("user.")


def digest_tree(root: bytes, selections: Sequence[Selection], algorithm: Algorithm = XXH3) -> tuple[TreeDigest, ...]:
    """Digest what each selection takes from a tree that stands still, like a mounted image; all that is kept counts.

    Raises SelectionError for a source that is not there, and OSError.
    """
    prefix = root.rstrip(b"/") + b"/"
    known: dict[bytes, bytes] = {}

    def content(entry: Entry) -> bytes:
        if entry.source not in known:
            path = prefix + entry.source
            xattrs = kept_xattrs(path)
            told = f" {algorithm.whole(canonical(xattrs))}".encode() if xattrs else b""
            known[entry.source] = hash_file(path, algorithm).digest + told
        return known[entry.source]

    return tuple(
        digest_entries(select(root, selection), content, owners=True, algorithm=algorithm) for selection in selections
    )
