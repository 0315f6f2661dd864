"""A registry with base images whose tags move, and which notes what it is asked."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from support.faulty_registry import run_faulty

if TYPE_CHECKING:
    from support.storage import Storage


@dataclass
class BaseRegistry:
    """`behind` holds the images, `elsewhere` is the store they come from; `asked` is what came through, oldest first.

    Requests whose path holds a key of `faults` are answered with its status; only the first `passing` ones, if not 0.
    """

    behind: str
    elsewhere: Storage
    asked: list[tuple[str, str]] = field(default_factory=list)
    faults: dict[str, int] = field(default_factory=dict)
    passing: int = 0
    address: str = ""
    _open: ExitStack = field(default_factory=ExitStack)

    def open(self) -> None:
        self.address = self._open.enter_context(run_faulty(self.behind, self._fault))

    def go_away(self) -> None:
        """Stop answering, as a network that is gone."""
        self._open.close()

    def _fault(self, method: str, path: str) -> int:
        self.asked.append((method, path))
        status = next((status for part, status in self.faults.items() if part in path), 0)
        if status and self.passing:
            self.passing -= 1
            if not self.passing:
                self.faults.clear()
        return status

    def push(self, version: str, name: str) -> str:
        """Let a name (`repository:tag`) mean a version, `one` or `two`; return the digest of its manifest."""
        digests = self.elsewhere.root / "digest"
        source, target = f"localhost/version/{version}:1", f"docker://{self.behind}/{name}"
        self.elsewhere.buildah("push", "-q", "--tls-verify=false", "--digestfile", digests, source, target)
        return digests.read_text()

    def push_index(self, version: str, name: str) -> str:
        """Let a name mean an index with a version for this machine; return the digest of the version's manifest."""
        digest = self.push(version, name)
        local = f"localhost/index/{version}:1"
        self.elsewhere.buildah("manifest", "create", local)
        repository = name.partition(":")[0]
        self.elsewhere.buildah("manifest", "add", "--tls-verify=false", local, f"{self.behind}/{repository}@{digest}")
        self.elsewhere.buildah(
            "manifest", "push", "--all", "--tls-verify=false", local, f"docker://{self.behind}/{name}"
        )
        self.elsewhere.buildah("manifest", "rm", local)
        return digest

    def answers(self) -> list[tuple[str, str]]:
        """Return what was asked since the last call, less what merely asks who is there."""
        asked, self.asked[:] = [one for one in self.asked if one[1] != "/v2/"], []
        return asked

    def make_versions(self) -> None:
        """Make the images that `push` pushes, in the other store."""
        base = self.elsewhere.import_busybox("localhost/version/zero:1")
        for version in ("one", "two"):
            container = self.elsewhere.buildah("from", "--pull-never", base)
            self.elsewhere.buildah("config", "--env", f"VERSION={version}", container)
            self.elsewhere.buildah("commit", "-q", "--rm", container, f"localhost/version/{version}:1")
