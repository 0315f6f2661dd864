"""Random trees, edits and patterns: the index equals a digest from scratch, and nothing leads out of the root."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from zbuild.base.gomatch import PatternError, name_matcher
from zbuild.model.steps import Selection
from zbuild.plan.fingerprint import digest_entries, hash_file
from zbuild.plan.ignore import Ignore
from zbuild.plan.quickcheck import check
from zbuild.plan.sources import SelectionError
from zbuild.plan.statindex import StatIndex
from zbuild.plan.tree import select

NAMES = st.sampled_from(["a", "b", "ab", "c.txt", "\udcff"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
TARGETS = st.one_of(PATHS, st.sampled_from(["..", "../..", "/", "/a", "../../../../etc", ".", "../b", "/../outside"]))
WILD = st.sampled_from(["a", "b", "*", "?", "*.txt", "[ab]", "[^a]*", "**", "..", ".", ""])
SOURCES = st.lists(WILD, min_size=1, max_size=4).map("/".join)
COMPONENTS = st.sampled_from(["a", "b", "ab", "*", "?", "a*", "*b", "[^a]", "**", "**b"])
PATTERNS = st.builds(
    lambda negated, parts: "!" * negated + "/".join(parts), st.booleans(), st.lists(COMPONENTS, min_size=1, max_size=3)
)
EDITS = st.tuples(st.sampled_from(["write", "mkdir", "remove", "link", "chmod", "touch", "rename"]), PATHS, TARGETS)
SELECTIONS = st.builds(
    Selection,
    st.lists(SOURCES, min_size=1, max_size=2).map(tuple),
    st.lists(PATTERNS.filter(lambda text: text != "!"), max_size=1).map(tuple),
    st.booleans(),
)


def apply(root, edit):
    """Carry an edit out inside the root; what cannot be done in the tree as it stands is no edit."""
    action, name, other = edit
    path = root / name
    if not inside(root, path):
        return
    with suppress(OSError):
        if action == "write" and not path.is_symlink():
            path.write_bytes(os.fsencode(other))
        elif action == "mkdir":
            path.mkdir(parents=True)
        elif action == "remove":
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        elif action == "link":
            path.symlink_to(other)
        elif action == "chmod" and not path.is_symlink():
            path.chmod(0o700 | len(other))
        elif action == "touch":
            os.utime(path, follow_symlinks=False)
        elif action == "rename" and inside(root, root / other):
            path.rename(root / other)


def inside(root, path):
    return os.path.realpath(path.parent).startswith(f"{root}") and os.path.normpath(path).startswith(f"{root}/")


def make(root, edits):
    root.mkdir()
    for edit in edits:
        apply(root, edit)


def from_scratch(root, selection, ignore):
    prefix = os.fsencode(root) + b"/"
    entries = select(prefix, selection, Ignore(ignore))
    return digest_entries(entries, lambda entry: hash_file(prefix + entry.source).digest)


def outcome(function, *arguments):
    try:
        return function(*arguments).digest
    except SelectionError as error:
        return error.message


@settings(deadline=None, max_examples=60)
@given(
    st.lists(EDITS, min_size=4, max_size=15),
    st.lists(st.lists(EDITS, max_size=3), min_size=1, max_size=4),
    st.lists(PATTERNS, max_size=3).map(tuple),
    SELECTIONS,
)
def test_the_index_equals_a_digest_from_scratch(first, rounds, ignore, selection):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve() / "root"
        make(root, first)
        before = watch = None
        for edits in [[], *rounds]:
            for edit in edits:
                apply(root, edit)
            expected = outcome(from_scratch, root, selection, ignore)
            if watch and check(watch):
                assert expected == before
            index = StatIndex(os.fsencode(root), root.parent / "stat" / "x.stat")
            assert outcome(index.digest, selection, ignore) == expected
            before, watch = expected, index.save()
            time.sleep(0.01)  # some rounds are racy, some are not


@settings(deadline=None, max_examples=150)
@given(st.lists(EDITS, min_size=4, max_size=20), SELECTIONS)
def test_nothing_outside_of_the_root_is_taken(edits, selection):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve() / "root"
        (root.parent / "outside").mkdir()
        (root.parent / "outside/secret").write_text("secret")
        make(root, edits)
        try:
            entries = select(os.fsencode(root), selection)
        except SelectionError:
            return
        for entry in entries:
            path = root / os.fsdecode(entry.source)
            assert os.path.realpath(path.parent) == str(path.parent)  # no link on the way
            assert path.parent.is_relative_to(root) or path == root
            assert b".." not in entry.path.split(b"/")
            assert entry.kind == "link" or not path.is_symlink()


def naive(pattern, path):
    """Match component by component, as the rules are written: `**` is any number of folders, and the rest of a path."""
    if not pattern:
        return not path
    head, *rest = pattern
    if head == "**":
        return (not rest and bool(path)) or any(rest and naive(rest, path[at:]) for at in range(len(path) + 1))
    return bool(path) and name_matcher(head).fullmatch(path[0]) is not None and naive(rest, path[1:])


def left_out(patterns, path):
    parts = path.split("/")
    verdict = False
    for text in patterns:
        pattern = text.removeprefix("!").split("/")
        if any(naive(pattern, parts[:depth]) for depth in range(1, len(parts) + 1)):
            verdict = not text.startswith("!")
    return verdict


@given(
    st.lists(PATTERNS.filter(lambda text: "**b" not in text and "**/**" not in text), max_size=4),
    st.lists(st.sampled_from(["a", "b", "ab", "ba", "x"]), min_size=1, max_size=4).map("/".join),
)
def test_ignore_equals_the_rules_as_written(patterns, path):
    assert Ignore(patterns).excluded(path.encode()) is left_out(patterns, path)


@given(st.lists(PATTERNS, max_size=4), st.lists(st.sampled_from(["a", "b", "ab", "x"]), min_size=2, max_size=4))
def test_no_included_path_lies_in_a_folder_that_is_not_walked(patterns, parts):
    ignore = Ignore(patterns)
    if ignore.excluded("/".join(parts).encode()):
        return
    for depth in range(1, len(parts)):
        folder = "/".join(parts[:depth]).encode()
        assert not ignore.excluded(folder) or ignore.may_contain_included(folder)


@given(st.text(alphabet="ab*?[]^-\\/!.{(|+$", max_size=12), st.text(alphabet="ab/.^", max_size=8))
def test_any_text_is_a_pattern_or_refused_as_one(pattern, path):
    with suppress(PatternError):
        ignore = Ignore([pattern])
        ignore.excluded(path.encode())
        ignore.may_contain_included(path.encode())
