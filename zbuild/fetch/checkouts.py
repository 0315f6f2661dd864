"""Git repositories: which commit a reference means now, and its files, laid out by the `git` program."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from zbuild.base.digest import xxh
from zbuild.base.errors import RegistryError
from zbuild.fetch import git_commands as git
from zbuild.syntax.remote import is_commit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from zbuild.backend.command import Command
    from zbuild.backend.process import Runner
    from zbuild.fetch.store import FetchedStore
    from zbuild.model.remote import GitOrigin

_OFFLINE = (
    "could not resolve",
    "unable to connect",
    "failed to connect",
    "couldn't connect",
    "connection refused",
    "connection timed out",
    "network is unreachable",
    "no route to host",
    "timed out",
    "could not read from remote repository",
    "the requested url returned error: 5",
)


class GitCheckouts:
    """Answers for git references; `tell` and `warn` as in `Remotes`."""

    def __init__(
        self, store: FetchedStore, runner: Runner, tell: Callable[[str], None], warn: Callable[[str], None]
    ) -> None:
        self._store = store
        self._runner = runner
        self._tell = tell
        self._warn = warn

    def commit(self, origin: GitOrigin, pull: str) -> tuple[str, float]:
        """Return the commit that a reference means, and the unix time up to which that needs no asking.

        A whole commit id, as the reference or as its checksum, is the answer itself. `pull` is as for images, but for
        `never` the repository is asked each time. Raises RegistryError, and BackendError where there is no git.
        """
        if is_commit(origin.ref):
            _check(origin, {origin.ref})
            return origin.ref, float("inf")
        if is_commit(origin.checksum):
            return origin.checksum, float("inf")
        known = self._note(origin).get("commit", "")
        if pull == "never":
            if known:
                return known, float("inf")
            message = f"{origin.shown} was not fetched yet, and may not be"
            raise RegistryError("fetch-failed", message, hint="build once without --pull never")
        done = self._runner.run(git.list_remote(origin))
        if done.returncode:
            problem = _problem(origin, done.stderr)
            if not (known and _is_offline(done.stderr)):
                raise problem
            self._warn(f"{problem.message}; what was fetched before is used")
            return known, 0.0
        return self._resolved(origin, done.stdout), 0.0

    def _resolved(self, origin: GitOrigin, listing: str) -> str:
        name, commit, ids = _chosen(origin, listing)
        _check(origin, ids)
        self._store.keep_note({"commit": commit, "name": name, "url": origin.shown}, *_names(origin))
        return commit

    def _note(self, origin: GitOrigin) -> dict[str, str]:
        return self._store.note(*_names(origin))

    def folder(self, origin: GitOrigin, commit: str) -> Path:
        """Return the folder of a commit's files, fetching them if it must be.

        Raises RegistryError, also when the repository has no such commit, or the commit no such folder.
        """
        kept = origin.keep_git_dir and not origin.subdir
        name = commit + (f"-{xxh(origin.remote)}" if kept else "") + ("" if origin.submodules else "-alone")
        tree = self._store.checkout(name) or self._check_out(origin, commit, name, keep_git_dir=kept)
        if origin.subdir and not (tree / origin.subdir).is_dir():
            message = f"there is no folder '{origin.subdir}' in {origin.remote} at {commit}"
            raise RegistryError("fetch-failed", message, hint="behind the colon stands a folder of the repository")
        return tree

    def _check_out(self, origin: GitOrigin, commit: str, name: str, *, keep_git_dir: bool) -> Path:
        self._tell(f"fetching {origin.shown}")
        with self._store.temporary() as temporary:
            tree = temporary / "tree"
            with self._store.writing():
                temporary.mkdir(mode=0o700)
            folder = str(tree)
            self._run(origin, git.init(folder))
            self._fetch(origin, commit, folder)
            self._run(origin, git.add_remote(folder, origin))
            self._run(origin, git.checkout(folder, commit))
            if origin.submodules and (tree / ".gitmodules").is_file():
                self._update_submodules(origin, folder)
            with self._store.writing():
                if keep_git_dir:
                    self._run(origin, git.expire_reflog(folder))
                    (tree / ".git/FETCH_HEAD").unlink(missing_ok=True)
                else:
                    _drop_git_dirs(tree)
            return self._store.keep_checkout(temporary, name)

    def _fetch(self, origin: GitOrigin, commit: str, folder: str) -> None:
        """Fetch a commit: by its reference's name, which also a kept .git then knows; by its id; or with all there is.

        The name may mean something else by now, and not every server gives out commits by their ids.
        """
        name = self._note(origin).get("name", "") if not is_commit(origin.ref) else ""
        attempts = [git.fetch(folder, origin, f"+{name}:{name}")] if name.startswith("refs/") else []
        attempts.append(git.fetch(folder, origin, commit))
        attempts.append(
            git.fetch(folder, origin, "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*", whole=True)
        )
        said: tuple[str, ...] = ()
        for attempt in attempts:
            done = self._runner.run(attempt)
            said = done.stderr if done.returncode else said
            if self._runner.run(git.resolve(folder, commit)).returncode == 0:
                return
        if said:
            raise _problem(origin, said)
        message = f"{origin.remote} has no commit {commit}"
        raise RegistryError("fetch-failed", message, hint="it may have been removed; name a branch, a tag or a commit")

    def _update_submodules(self, origin: GitOrigin, folder: str) -> None:
        done = self._runner.run(git.update_submodules(folder, origin))
        if done.returncode:  # some servers give out no commit that is not a branch's latest
            self._run(origin, git.update_submodules(folder, origin, whole=True))

    def _run(self, origin: GitOrigin, command: Command) -> str:
        done = self._runner.run(command)
        if done.returncode:
            raise _problem(origin, done.stderr)
        return done.stdout


def _names(origin: GitOrigin) -> tuple[str, ...]:
    return ("git", origin.remote, origin.ref)


def _chosen(origin: GitOrigin, listing: str) -> tuple[str, str, set[str]]:
    """Return the full name a reference means, its commit, and the ids it goes by: the commit's, and its tag's.

    A full name is meant before a branch, and a branch before a tag (git's and BuildKit's order). Raises RegistryError.
    """
    found = {name: commit for commit, _, name in (line.partition("\t") for line in listing.splitlines())}
    ref = origin.ref
    names = (ref, f"refs/{ref}", f"refs/heads/{ref}", f"refs/tags/{ref}") if ref else ("HEAD",)
    name = next((name for name in names if name in found), None)
    if name is None:
        hint = "name a branch, a tag, or a commit by its whole id"
        raise RegistryError("fetch-failed", f"{origin.remote} has no branch or tag '{ref or 'HEAD'}'", hint=hint)
    commit = found.get(f"{name}^{{}}", found[name])  # what an annotated tag stands for
    return name, commit, {commit, found[name]}


def _check(origin: GitOrigin, ids: set[str]) -> None:
    if not any(one.startswith(origin.checksum) for one in ids):
        message = f"{origin.shown} does not have the checksum {origin.checksum}: it is {' or '.join(sorted(ids))}"
        hint = "change the checksum, if this commit is what you want"
        raise RegistryError("checksum-mismatch", message, hint=hint)


def _problem(origin: GitOrigin, stderr: tuple[str, ...]) -> RegistryError:
    said = [line.strip().removeprefix("fatal: ") for line in stderr if line.strip()]
    told = next((line for line in said if not line.startswith(("warning:", "hint:"))), "git failed")
    if "could not read Username" in told or "Authentication failed" in told:
        hint = "it asks for a user: git's credential helpers are asked, and the URL may hold user:password@"
    else:
        hint = "check the reference, and the network"
    return RegistryError("fetch-failed", f"{origin.shown} cannot be fetched: {told}", hint=hint)


def _is_offline(stderr: tuple[str, ...]) -> bool:
    said = "\n".join(stderr).lower()
    return any(sign in said for sign in _OFFLINE)


def _drop_git_dirs(tree: Path) -> None:
    """Remove what is git's own: the repository, and the files that name those of submodules."""
    for path in [*_git_files(tree)]:
        path.unlink()
    shutil.rmtree(tree / ".git")


def _git_files(tree: Path) -> Iterator[Path]:
    if (tree / ".gitmodules").is_file():
        yield from (path for path in tree.rglob(".git") if path.is_file() and not path.is_symlink())
